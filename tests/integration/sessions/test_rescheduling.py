"""Moving a session: decided and enforced as a booking is, but free of its own old time."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.stack import SignedIn, Stack
from tests.support.story import at, book, iso, next_weekday, published_coach, slots


def move(who: SignedIn, session: dict[str, Any], start: Any, *, key: str | None = None, **more: Any) -> httpx.Response:
    body = {"start": iso(start), "version": session["version"], **more}
    return who.post(f"/api/sessions/{session['id']}/reschedule", body, key=key)


def events(stack: Stack, session: str, kind: str) -> list[dict[str, Any]]:
    with stack.database() as database:
        rows = database.execute(
            """select payload from private.outbox_event
               where type = %s and payload ->> 'sessionId' = %s order by sequence""",
            [kind, session],
        ).fetchall()
    return [row["payload"] for row in rows]


def test_a_session_keeps_its_id_and_price_and_frees_its_old_time_at_once(stack: Stack) -> None:
    coach, mentee, rival, monday = published_coach(stack), stack.user(), stack.user(), next_weekday()
    session = book(mentee, coach, at(monday, "10:00")).json()["data"]
    profile = coach.get("/api/coach/profile").json()["data"]
    dearer = {"hourlyRate": {"amount": 20000, "currency": "USD"}, "version": profile["version"]}
    coach.patch("/api/coach/profile", dearer).raise_for_status()

    # Half an hour later: the new time overlaps the old one and its buffers.
    moved = move(mentee, session, at(monday, "10:30"), reason="A viewing came up")
    assert moved.status_code == 200, moved.text
    after = moved.json()["data"]
    assert (after["id"], after["version"], after["status"]) == (session["id"], 2, "SCHEDULED")
    assert (after["start"], after["end"]) == (iso(at(monday, "10:30")), iso(at(monday, "11:30")))
    assert (after["price"], after["rateAtBooking"]) == (session["price"], session["rateAtBooking"])
    assert after["rescheduledCount"] == 1
    # With both buffers 09:00 needs the room until 10:30, half of which the old time had.
    assert book(rival, coach, at(monday, "09:00")).status_code == 201

    history = mentee.get(f"/api/sessions/{session['id']}/history").json()["data"]
    assert [(each["fromStatus"], each["toStatus"], each["version"]) for each in history] == [
        (None, "SCHEDULED", 1),
        ("SCHEDULED", "SCHEDULED", 2),
    ]
    told = history[1]
    assert (told["actor"], told["reason"], told["actorName"]) == ("MENTEE", "A viewing came up", "Test Person")
    assert (told["previousStart"], told["start"]) == (session["start"], after["start"])
    [event] = events(stack, session["id"], "SessionRescheduled")
    assert event["previousStart"].startswith(session["start"][:16])
    assert event["start"].startswith(after["start"][:16])
    assert event["version"] == 2


@pytest.mark.parametrize(
    ("clock", "more", "refusal"),
    [
        ("10:00", {}, (409, "no_change", None)),
        ("10:00", {"duration": 60}, (409, "no_change", None)),
        ("12:00", {"version": 7}, (409, "version_conflict", None)),
        ("07:00", {}, (422, "outside_availability", "outside_hours")),
        ("11:05", {}, (422, "outside_availability", "off_grid")),
        ("11:00", {"duration": 45}, (422, "outside_availability", "duration")),
        ("13:30", {}, (409, "slot_unavailable", None)),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    stack: Stack, clock: str, more: dict[str, Any], refusal: tuple[int, str, str | None]
) -> None:
    coach, mentee, monday = published_coach(stack), stack.user(), next_weekday()
    session = book(mentee, coach, at(monday, "10:00")).json()["data"]
    assert book(stack.user(), coach, at(monday, "14:00")).status_code == 201
    answer = move(mentee, session, at(monday, clock), **more)
    assert (answer.status_code, answer.json()["code"], answer.json().get("reason")) == refusal
    assert mentee.get(f"/api/sessions/{session['id']}").json()["data"].items() <= session.items()


def test_a_version_has_to_be_sent(stack: Stack) -> None:
    coach, mentee, monday = published_coach(stack), stack.user(), next_weekday()
    session = book(mentee, coach, at(monday, "10:00")).json()["data"]
    answer = mentee.post(f"/api/sessions/{session['id']}/reschedule", {"start": iso(at(monday, "12:00"))})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/version"


def test_a_mentee_moves_twice_and_a_coach_as_often_as_he_likes(stack: Stack) -> None:
    coach, mentee, monday = published_coach(stack), stack.user(), next_weekday()
    session = book(mentee, coach, at(monday, "10:00")).json()["data"]
    for clock in ("11:00", "12:00"):
        session = move(mentee, session, at(monday, clock)).json()["data"]
    third = move(mentee, session, at(monday, "13:00"))
    assert (third.status_code, third.json()["code"]) == (409, "reschedule_limit")
    for who, clock in ((coach, "13:00"), (coach, "14:00"), (coach, "15:00"), (stack.user("ADMIN"), "09:00")):
        answer = move(who, session, at(monday, clock))
        assert answer.status_code == 200, answer.text
        session = answer.json()["data"]
    assert session["rescheduledCount"] == 6
    assert move(stack.user(), session, at(monday, "11:00")).status_code == 404


def test_notice_and_window_hold_a_mentee_and_not_the_coach(frozen: Stack) -> None:
    hours = {"minimumNotice": 60 * 72, "bookingWindowDays": 14}
    coach, mentee, monday = published_coach(frozen, schedule=hours), frozen.user(), next_weekday()
    session = book(mentee, coach, at(monday, "10:00")).json()["data"]
    frozen.clock(iso(at(monday, "10:00") - timedelta(hours=25)))  # when a mentee may still move it
    reasons = [move(mentee, session, at(monday + timedelta(days=days), "10:00")).json() for days in (1, 18)]
    assert [each.get("reason") for each in reasons] == ["notice", "window"]
    assert move(coach, session, at(monday + timedelta(days=18), "10:00")).status_code == 200


def test_another_length_costs_what_it_cost_when_the_session_was_booked(stack: Stack) -> None:
    coach, mentee, monday = published_coach(stack), stack.user(), next_weekday()
    session = book(mentee, coach, at(monday, "10:00")).json()["data"]
    profile = coach.get("/api/coach/profile").json()["data"]
    dearer = {"hourlyRate": {"amount": 20000, "currency": "USD"}, "version": profile["version"]}
    coach.patch("/api/coach/profile", dearer).raise_for_status()
    longer = move(mentee, session, at(monday, "10:00"), duration=120).json()["data"]
    assert longer["price"] == {"amount": 30000, "currency": "USD"}
    assert (longer["durationMinutes"], longer["rateAtBooking"]["amount"]) == (120, 15000)
    back = move(mentee, longer, at(monday, "10:00"), duration=60).json()["data"]
    assert back["price"] == session["price"]
    with stack.database() as database:
        row = database.execute("select fee_amount from session where id = %s", [session["id"]]).fetchone()
    assert row == {"fee_amount": 1275}
    [first, second] = events(stack, session["id"], "SessionRescheduled")
    prices = [first["previousPrice"], first["price"], second["price"]]
    assert [each["amount"] for each in prices] == [15000, 30000, 15000]


def test_the_cap_of_a_day_does_not_count_the_session_itself(stack: Stack) -> None:
    coach, mentee, monday = published_coach(stack, schedule={"maxSessionsPerDay": 1}), stack.user(), next_weekday()
    session = book(mentee, coach, at(monday, "10:00")).json()["data"]
    moved = move(mentee, session, at(monday, "12:00"))
    assert moved.status_code == 200, moved.text
    assert book(stack.user(), coach, at(monday + timedelta(days=1), "10:00")).status_code == 201
    full = move(mentee, moved.json()["data"], at(monday + timedelta(days=1), "14:00"))
    assert full.json().get("reason") == "daily_cap"


def test_the_other_lessons_of_both_stay_clear(stack: Stack) -> None:
    one, two, mentee, monday = published_coach(stack), published_coach(stack), stack.user(), next_weekday()
    session = book(mentee, one, at(monday, "10:00")).json()["data"]
    assert book(mentee, two, at(monday, "12:00")).status_code == 201
    assert move(mentee, session, at(monday, "12:30")).json()["code"] == "slot_unavailable"
    with stack.database() as database:
        database.execute("insert into user_role (user_id, role) values (%s, 'MENTEE')", [one.user_id])
    assert book(one, two, at(monday, "14:00")).status_code == 201  # the coach learns himself
    assert move(mentee, session, at(monday, "14:30")).json()["code"] == "slot_unavailable"


def test_a_key_is_answered_once_and_the_same(stack: Stack) -> None:
    coach, mentee, monday, key = published_coach(stack), stack.user(), next_weekday(), uuid4().hex
    session = book(mentee, coach, at(monday, "10:00")).json()["data"]
    first, second = (move(mentee, session, at(monday, "12:00"), key=key) for _ in range(2))
    assert (first.status_code, first.json()) == (200, second.json())
    refused = uuid4().hex
    moved = first.json()["data"]
    assert move(mentee, moved, at(monday, "07:00"), key=refused).status_code == 422
    assert move(mentee, moved, at(monday, "07:00"), key=refused).json()["code"] == "outside_availability"
    assert len(mentee.get(f"/api/sessions/{session['id']}/history").json()["data"]) == 2


def test_a_moved_session_is_listed_where_it_is_now(stack: Stack) -> None:
    coach, mentee, monday = published_coach(stack), stack.user(), next_weekday()
    session = book(mentee, coach, at(monday, "10:00")).json()["data"]
    moved = move(mentee, session, at(monday, "14:00")).json()["data"]
    open_now = {each["start"] for each in slots(mentee, coach, at(monday, "09:00"), at(monday, "17:00")).json()["data"]}
    assert session["start"] in open_now
    assert moved["start"] not in open_now
