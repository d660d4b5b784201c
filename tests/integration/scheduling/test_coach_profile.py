"""What a coach offers: prices and their history, how complete a profile is, publishing."""

from typing import Any

import pytest

from coachline.scheduling.completeness import PARTS
from tests.support.stack import SignedIn, Stack
from tests.support.story import PROFILE, SCHEDULE, at, book, next_weekday, published_coach, slots

PATH = "/api/coach/profile"


def profile(coach: SignedIn) -> Any:
    return coach.get(PATH).json()["data"]


def change(coach: SignedIn, **fields: Any) -> Any:
    answer = coach.patch(PATH, {**fields, "version": profile(coach)["version"]})
    return answer.json()["data"] if answer.status_code == 200 else answer


def usd(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


def price_of(duration: int, amount: int, currency: str = "USD") -> dict[str, Any]:
    return {"duration": duration, "price": {"amount": amount, "currency": currency}}


def test_a_profile_says_what_it_lacks_until_nothing_is_missing(stack: Stack) -> None:
    coach = stack.user("COACH")
    made = coach.post(PATH, {}).json()["data"]
    assert (made["completeness"], [each["field"] for each in made["missing"]]) == (0, [part.field for part in PARTS])
    offered = change(coach, bio=PROFILE["bio"], specialties=["Listings"], hourlyRate=usd(0))
    assert (offered["completeness"], [each["field"] for each in offered["missing"] if each["required"]]) == (
        55,
        ["schedule"],
    )
    coach.post("/api/coaching/availability", SCHEDULE).raise_for_status()
    whole = change(coach, languages=["en", "es"], yearsCoaching=8, certifications=["CRS"])
    assert (whole["completeness"], whole["missing"], whole["languages"]) == (100, [], ["en", "es"])


@pytest.mark.parametrize("field", ["bio", "specialties", "hourlyRate"])
def test_what_the_rule_calls_required_is_what_publishing_asks_for(stack: Stack, field: str) -> None:
    lacking: dict[str, Any] = {"bio": "x" * 49 + " " * 9, "specialties": [], "hourlyRate": None}
    coach = stack.user("COACH")
    coach.post(PATH, {**PROFILE, field: lacking[field]}).raise_for_status()
    assert [each["field"] for each in profile(coach)["missing"] if each["required"]] == [field, "schedule"]
    refused = change(coach, status="PUBLISHED")
    assert (refused.status_code, refused.json()["code"]) == (422, "profile_incomplete")
    assert [error["pointer"] for error in refused.json()["errors"]] == [f"#/{field}"]
    assert change(coach, status="PUBLISHED", **{field: PROFILE[field]})["status"] == "PUBLISHED"
    assert change(coach, **{field: lacking[field]}).status_code == 422, "nor is it taken away afterwards"


def test_a_profile_is_archived_and_comes_back_and_says_so_to_others(stack: Stack) -> None:
    coach, anyone = published_coach(stack), stack.client()
    assert anyone.get(f"/api/coach/{coach.user_id}").status_code == 200
    assert change(coach, status="ARCHIVED")["status"] == "ARCHIVED"
    assert anyone.get(f"/api/coach/{coach.user_id}").status_code == 404
    assert change(coach, status="PUBLISHED")["status"] == "PUBLISHED"
    assert anyone.get(f"/api/coach/{coach.user_id}").status_code == 200
    with stack.database() as database:
        rows = database.execute(
            "select type from private.outbox_event where payload ->> 'coachId' = %s order by sequence", [coach.user_id]
        ).fetchall()
    assert [row["type"] for row in rows] == [f"CoachProfile{name}" for name in ("Published", "Archived", "Published")]


def test_a_price_of_its_own_counts_for_its_duration_alone(stack: Stack) -> None:
    coach = published_coach(stack, profile={"durationPrices": [price_of(45, 9900)]})
    mentee, day = stack.user(), next_weekday()
    asked = {minutes: slots(mentee, coach, at(day, "09:00"), at(day, "17:00"), minutes) for minutes in (30, 45, 50, 60)}
    assert {minutes: answer.json()["price"]["amount"] for minutes, answer in asked.items() if minutes != 50} == {
        30: 7500,
        45: 9900,
        60: 15000,
    }
    assert asked[50].status_code == 422, "neither custom nor priced"
    assert change(coach, durationPrices=[])["durationPrices"] == []
    assert slots(mentee, coach, at(day, "09:00"), at(day, "17:00"), 45).status_code == 422


def test_every_rate_is_kept_with_its_time(stack: Stack) -> None:
    coach, mentee = published_coach(stack, profile={"durationPrices": [price_of(30, 9000)]}), stack.user()
    session = book(mentee, coach, at(next_weekday(), "10:00")).json()["data"]
    change(coach, hourlyRate=usd(20000))
    now = change(coach, durationPrices=[price_of(30, 9000), price_of(90, 28000)])
    assert now["hourlyRate"] == usd(20000)
    assert now["durationPrices"] == [price_of(30, 9000), price_of(90, 28000)]

    first = coach.get("/api/coach/profile/rates", params={"limit": 2}).json()
    second = coach.get("/api/coach/profile/rates", params={"limit": 2, "cursor": first["nextCursor"]}).json()
    history = first["data"] + second["data"]
    assert second["nextCursor"] is None
    assert [rate["validFrom"] for rate in history] == sorted((rate["validFrom"] for rate in history), reverse=True)
    hourly = [rate for rate in history if rate["duration"] is None]
    assert [rate["price"]["amount"] for rate in hourly] == [20000, 15000]
    assert hourly[0]["validTo"] is None
    assert hourly[1]["validTo"] == hourly[0]["validFrom"]
    assert {rate["duration"]: rate["validTo"] for rate in history if rate["duration"]} == {30: None, 90: None}
    assert mentee.get(f"/api/sessions/{session['id']}").json()["data"]["price"] == usd(15000)
    assert mentee.get("/api/coach/profile/rates").status_code == 403


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"durationPrices": [price_of(30, 9000, "EUR")]}, "#/durationPrices"),
        ({"durationPrices": [price_of(150, 9000)]}, "#/durationPrices"),
        ({"durationPrices": [price_of(30, 9000), price_of(30, 9100)]}, "#/durationPrices"),
        ({"durationPrices": [price_of(31, 9000)]}, "#/durationPrices/0/duration"),
        ({"durationPrices": [price_of(30, -1)]}, "#/durationPrices/0/price/amount"),
        ({"languages": ["en", "xx"]}, "#/languages/1"),
        ({"languages": ["EN"]}, "#/languages/0"),
        ({"yearsCoaching": 81}, "#/yearsCoaching"),
    ],
)
def test_what_does_not_fit_is_refused_in_its_place(stack: Stack, fields: dict[str, Any], pointer: str) -> None:
    coach = published_coach(stack)
    before = profile(coach)
    refused = change(coach, **fields)
    assert (refused.status_code, [error["pointer"] for error in refused.json()["errors"]]) == (422, [pointer])
    assert profile(coach) == before


def test_the_currency_changes_for_all_prices_at_once(stack: Stack) -> None:
    coach = published_coach(stack, profile={"durationPrices": [price_of(30, 9000)]})
    euros = {"amount": 14000, "currency": "EUR"}
    refused = change(coach, hourlyRate=euros)
    assert refused.status_code == 422
    assert "one currency" in refused.json()["errors"][0]["detail"]
    moved = change(coach, hourlyRate=euros, durationPrices=[price_of(30, 8000, "EUR")])
    assert (moved["hourlyRate"], moved["durationPrices"]) == (euros, [price_of(30, 8000, "EUR")])
