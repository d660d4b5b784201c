"""Preview, conflicts, and why a slot is missing, over HTTP."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.scheduling.test_busy_times import busy
from tests.integration.scheduling.test_schedule_changes import PATH, add, schedule_of, vacation
from tests.support.stack import SignedIn, Stack
from tests.support.story import SCHEDULE, at, book, iso, next_weekday, published_coach, slots


def places(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 422, answer.text
    return {error.get("pointer") or error["parameter"] for error in answer.json()["errors"]}


# ---- Preview


def test_a_preview_shows_who_rules_each_date_in_local_time_and_in_utc(stack: Stack) -> None:
    coach, monday = published_coach(stack), next_weekday()
    own = schedule_of(coach)["id"]
    away = add(coach, **vacation(monday + timedelta(days=1))).json()["data"]
    path = f"{PATH}/{own}/preview"
    answer = coach.get(path, params={"from": str(monday), "to": str(monday + timedelta(days=6))})
    assert answer.status_code == 200, answer.text
    days = answer.json()["data"]
    assert [day["date"] for day in days] == [str(monday + timedelta(days=n)) for n in range(7)]
    assert answer.json()["timezone"] == "America/New_York"
    [hours] = days[0]["open"]
    assert (hours["start"], hours["end"]) == (iso(at(monday, "09:00")), iso(at(monday, "17:00")))
    assert hours["localStart"].startswith(f"{monday}T09:00:00-0")
    assert [(ruler["scheduleId"], ruler["source"], ruler["closed"]) for ruler in days[1]["rulers"]] == [
        (away["id"], "VACATION", True)
    ]
    assert (days[1]["open"], len(days[1]["own"])) == ([], 1)
    assert len(coach.get(path).json()["data"]) == 7
    assert (
        len(coach.get(path, params={"from": str(monday), "to": str(monday + timedelta(days=91))}).json()["data"]) == 92
    )
    assert stack.user("ADMIN").get(path).status_code == 200
    assert published_coach(stack).get(path).status_code == 404
    assert stack.user().get(path).status_code == 403


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ({"from": "2027-03-08", "to": "2027-03-07"}, {"to"}),
        ({"from": "2027-03-08", "to": "2027-06-08"}, {"to"}),
        ({"from": "2027-02-30", "to": "8 March", "days": "7"}, {"from", "to", "days"}),
        ({"from": "2027-03-08T00:00:00Z"}, {"from"}),
        ({"to": "2027-03-08"}, {"to"}),
    ],
)
def test_a_preview_of_no_range_is_refused(stack: Stack, query: dict[str, str], wrong: set[str]) -> None:
    assert places(stack.user("COACH").get(f"{PATH}/{uuid4()}/preview", params=query)) == wrong


# ---- Conflicts


def conflicts(coach: SignedIn, **question: Any) -> list[dict[str, Any]]:
    answer = coach.post(f"{PATH}/conflicts", question)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def test_a_draft_is_held_against_schedules_sessions_and_busy_time(stack: Stack) -> None:
    coach, mentee, monday = published_coach(stack), stack.user(first_name="Mia", last_name="Lee"), next_weekday()
    session = book(mentee, coach, at(monday, "10:00")).json()["data"]
    away = add(coach, **vacation(monday + timedelta(days=1), 3)).json()["data"]
    draft = {**SCHEDULE, **vacation(monday, 2), "isDefault": False}
    with busy(stack, coach, at(monday, "13:00"), at(monday, "14:00")):
        found = conflicts(coach, schedule=draft)
        assert [each["kind"] for each in found] == ["schedule_overlap", "session_outside"]
        assert found[0]["schedule"]["id"] == away["id"]
        assert found[1]["session"] == {
            "id": session["id"],
            "status": "SCHEDULED",
            "start": session["start"],
            "end": session["end"],
            "menteeName": "Mia Lee",
        }
        own = schedule_of(coach)["id"]
        [taken] = conflicts(coach, scheduleId=own)
        assert (taken["kind"], taken["start"]) == ("busy_time", iso(at(monday, "13:00")))
        edited = {**SCHEDULE, "weekly": [{"day": "MONDAY", "intervals": [{"from": "13:00", "to": "13:25"}]}]}
        kinds = [each["kind"] for each in conflicts(coach, scheduleId=own, schedule=edited)]
        assert kinds == ["session_outside", "busy_time", "no_interval_long_enough"]
    assert conflicts(coach, scheduleId=own) == []
    assert conflicts(coach, scheduleId=away["id"]) == []  # next to nothing, and closes on purpose
    assert stack.user("ADMIN").post(f"{PATH}/conflicts", {"scheduleId": own}).json() == {"data": []}
    assert published_coach(stack).post(f"{PATH}/conflicts", {"scheduleId": own}).status_code == 404


def test_terms_that_nothing_can_meet_are_conflicts(stack: Stack) -> None:
    coach = published_coach(stack, profile={"maximumDuration": 90})
    kinds = [each["kind"] for each in conflicts(coach, schedule={**SCHEDULE, "minimumDuration": 120})]
    assert kinds == ["durations_not_sold"]
    assert [each["kind"] for each in conflicts(coach, schedule={**SCHEDULE, "weekly": []})] == [
        "no_interval_long_enough"
    ]
    night = [{"from": "00:00", "to": "00:20"}, {"from": "23:40", "to": "24:00"}]
    daily = [{"day": day["day"], "intervals": night} for day in SCHEDULE["weekly"]]
    assert conflicts(coach, schedule={**SCHEDULE, "weekly": daily}) == []  # 40 minutes across midnight
    own = schedule_of(coach)["id"]
    with stack.database() as database:  # as no route would store it
        database.execute(
            "update availability_schedule set minimum_notice = 3000, booking_window_days = 1 where id = %s", [own]
        )
    assert [each["kind"] for each in conflicts(coach, scheduleId=own)] == ["notice_longer_than_window"]


def test_a_question_about_nothing_or_about_a_bad_draft_is_refused(stack: Stack) -> None:
    coach = stack.user("COACH")
    assert coach.post(f"{PATH}/conflicts", {}).status_code == 422
    bad = {**SCHEDULE, "timezone": "Mars/Olympus", "bookingWindowDays": 1, "minimumNotice": 1441}
    assert places(coach.post(f"{PATH}/conflicts", {"schedule": bad})) == {
        "#/schedule/timezone",
        "#/schedule/minimumNotice",
    }


# ---- Why a slot is missing


def explained(mentee: SignedIn, coach: SignedIn, start: Any, **more: Any) -> dict[str, Any]:
    query = {"coachId": coach.user_id, "explain": iso(start), "duration": 60, **more}
    answer = mentee.get("/api/coaching/slots", params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert [slot["start"] for slot in body["data"]] == ([iso(start)] if body["explanation"]["offered"] else [])
    found: dict[str, Any] = body["explanation"]
    return found


def test_every_reason_is_told_with_the_schedule_that_ruled(stack: Stack) -> None:
    coach, mentee, monday = published_coach(stack, schedule={"maxSessionsPerDay": 2}), stack.user(), next_weekday()
    own = schedule_of(coach)["id"]
    tuesday, wednesday, thursday, friday = (monday + timedelta(days=n) for n in range(1, 5))
    made = {
        kind: add(coach, **{**vacation(day), "type": kind, "name": "Private"}).json()["data"]["id"]
        for kind, day in (("VACATION", tuesday), ("HOLIDAY", wednesday), ("OVERRIDE", thursday))
    }
    short = add(coach, type="TEMPORARY", validFrom=str(friday), validTo=str(friday), maximumDuration=30).json()["data"]
    session = book(mentee, coach, at(monday, "10:00")).json()["data"]
    cases = [
        (at(monday, "13:00"), None, own),
        (at(monday, "08:00"), "outside_hours", own),
        (at(monday, "13:05"), "off_grid", own),
        (at(monday, "10:30"), "busy", own),
        (at(monday + timedelta(weeks=60), "10:00"), "window", own),
        (at(monday - timedelta(weeks=2), "10:00"), "notice", own),
        (at(tuesday, "10:00"), "vacation", made["VACATION"]),
        (at(wednesday, "10:00"), "holiday", made["HOLIDAY"]),
        (at(thursday, "10:00"), "override", made["OVERRIDE"]),
        (at(friday, "10:00"), "duration", short["id"]),
    ]
    stranger = stack.user()
    for start, reason, ruling in cases:
        found = explained(stranger, coach, start)
        assert (found["reason"], found["schedule"]["id"]) == (reason, ruling), start
        told = str(found)
        assert session["id"] not in told
        assert mentee.user_id not in told
        assert "Private" not in told
    assert explained(stranger, coach, at(monday, "13:00"), duration=45)["reason"] == "duration"
    assert book(mentee, coach, at(monday, "14:00")).status_code == 201
    assert explained(stranger, coach, at(monday, "12:00"))["reason"] == "daily_cap"
    listing = slots(stranger, coach, at(monday, "00:00"), at(tuesday, "00:00"), explain=iso(at(monday, "12:00"))).json()
    assert (listing["data"], listing["explanation"]["reason"]) == ([], "daily_cap")
    assert slots(stranger, coach, at(monday, "00:00"), at(tuesday, "00:00")).json()["explanation"] is None


# ---- Bad input: everything that is wrong, at once and in its place


def test_what_is_wrong_with_a_schedule_is_told_all_at_once(stack: Stack) -> None:
    coach = published_coach(stack)
    minutes = [{"from": f"{n // 60:02}:{n % 60:02}", "to": f"{n // 60:02}:{n % 60:02}"} for n in range(1000)]
    refused = add(
        coach,
        timezone="America/Gotham",
        weekly=[
            {"day": "MONDAY", "intervals": [{"from": "09:00", "to": "12:00"}, {"from": "11:00", "to": "13:00"}]},
            {"day": "TUESDAY", "intervals": [{"from": "12:00", "to": "09:00"}]},
            {"day": "WEDNESDAY", "intervals": [{"from": "09:00", "to": "25:00"}]},
            {"day": "THURSDAY", "intervals": [{"from": "22:00", "to": "02:00"}]},
            {"day": "FRIDAY", "intervals": minutes},
        ],
        minimumDuration=60,
        maximumDuration=30,
        bookingWindowDays=1,
        minimumNotice=2000,
    )
    assert {
        "#/timezone",
        "#/weekly/0/intervals/1/from",
        "#/weekly/1/intervals/0/to",
        "#/weekly/2/intervals/0/to",
        "#/weekly/3/intervals/0/to",
        "#/weekly/4/intervals",
        "#/maximumDuration",
        "#/minimumNotice",
    } <= places(refused)
    assert len(coach.get(PATH).json()["data"]) == 1


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ({"from": "2027-03-09T00:00:00Z", "to": "2027-03-08T00:00:00Z"}, {"to"}),
        ({"from": "2027-03-01T00:00:00Z", "to": "2027-06-02T00:00:00Z"}, {"to"}),
        ({"from": "2027-03-09T00:00:00", "to": "2027-03-08", "timezone": "Mars/Olympus"}, {"from", "to", "timezone"}),
        ({}, {"from", "to"}),
        ({"from": "2027-03-09T00:00:00Z"}, {"to"}),
        ({"from": "2027-03-09T00:00:00Z", "explain": "2027-03-09T00:00:00Z"}, {"to"}),
        ({"explain": "2027-03-09 10:00", "duration": "17"}, {"explain", "duration"}),
        (
            {"from": "2027-03-09T00:00:00Z", "to": "2027-03-10T00:00:00Z", "explain": "2027-03-10T00:00:00Z"},
            {"to"},
        ),
    ],
)
def test_what_is_wrong_with_a_range_is_told_by_parameter(stack: Stack, query: dict[str, str], wrong: set[str]) -> None:
    assert places(stack.user().get("/api/coaching/slots", params={"coachId": str(uuid4()), **query})) == wrong
