"""The public directory: what finds whom, in which order, and the next free slot of each."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.support.metrics import drift, roll_up
from tests.support.stack import SignedIn, Stack
from tests.support.story import at, book, iso, next_weekday, published_coach, slots

PATH = "/api/coach"


def found(stack: Stack, **query: Any) -> list[dict[str, Any]]:
    """Every coach that a question finds, page by page."""
    seen: list[dict[str, Any]] = []
    cursor = None
    while True:
        answer = stack.http.get(PATH, params={"limit": 2, **query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        seen += answer.json()["data"]
        if not (cursor := answer.json()["nextCursor"]):
            return seen


def ids(coaches: list[dict[str, Any]]) -> list[str]:
    return [coach["coachId"] for coach in coaches]


def offer(tag: str, amount: int, currency: str = "USD", **more: Any) -> dict[str, Any]:
    return {"hourlyRate": {"amount": amount, "currency": currency}, "specialties": [tag, "Pricing"], **more}


def refresh(stack: Stack) -> None:
    roll_up(stack)
    event = {"time": "2027-03-01T09:15:00Z", "detail": {}}
    assert "result" in stack.http.post("/_dev/invoke/refresh_next_free", json=event).raise_for_status().json()


def rated(stack: Stack, coach: SignedIn, *ratings: int) -> None:
    with stack.database() as database:
        for rating in ratings:
            mentee = stack.user()
            row = database.execute(
                """insert into session (coach_id, mentee_id, status, starts_at, ends_at, duration_minutes,
                     buffer_before, buffer_after, blocked, coach_timezone, mentee_timezone, rate_amount,
                     price_amount, fee_amount, fee_bps, currency)
                   values (%s, %s, 'COMPLETED', '2026-01-05T10:00Z', '2026-01-05T11:00Z', 60, 0, 0,
                     '[2026-01-05T10:00Z,2026-01-05T11:00Z)', 'UTC', 'UTC', 0, 0, 0, 0, 'USD') returning id""",
                [coach.user_id, mentee.user_id],
            ).fetchone()
            assert row is not None
            assert mentee.post(f"/api/sessions/{row['id']}/review", {"rating": rating}).status_code == 201


@pytest.fixture(scope="module")
def market(stack: Stack) -> tuple[str, list[SignedIn]]:
    """Five coaches who share a specialty that nobody else has; prices, languages and ratings differ."""
    tag = f"Tag {uuid4().hex[:8]}"
    offers = [
        offer(tag, 9000, languages=["en"]),
        offer(tag, 15000, languages=["en", "es"], certifications=["Luxury homes"]),
        offer(tag, 15000, languages=["es"]),
        offer(tag, 12000, "EUR", languages=["de"]),
        offer(tag, 0, bio="Negotiation without tears: what to say when the other side says nothing at all."),
    ]
    coaches = [published_coach(stack, profile=each) for each in offers]
    rated(stack, coaches[0], 3)
    rated(stack, coaches[1], 5, 4)
    rated(stack, coaches[3], 5)
    return tag, coaches


def test_orders_page_by_cursor_without_gaps_or_repeats(stack: Stack, market: Any) -> None:
    tag, coaches = market
    one, two, three, four, five = (coach.user_id for coach in coaches)
    assert ids(found(stack, specialty=tag)) == [five, four, three, two, one]
    best = ids(found(stack, specialty=tag.upper(), sort="rating"))
    assert best[:3] == [four, two, one]
    assert set(best[3:]) == {three, five}
    cheapest = ids(found(stack, specialty=tag, sort="price", currency="USD"))
    assert cheapest[:2] == [five, one]
    assert set(cheapest[2:]) == {two, three}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"language": "es"}, {1, 2}),
        ({"currency": "EUR"}, {3}),
        ({"currency": "USD", "minPrice": 9000, "maxPrice": 14999}, {0}),
        ({"currency": "USD", "maxPrice": 0}, {4}),
        ({"minRating": 4.5}, {1, 3}),
        ({"minRating": 4.51}, {3}),
        ({"search": "luxury"}, {1}),
        ({"search": "Negot tear"}, {4}),
        ({"search": "casey pricing"}, {0, 1, 2, 3, 4}),
        ({"search": "morgan'); drop & | ! :* <->"}, set()),
        ({"search": "'"}, None),
        ({"specialty": "nobody says this"}, set()),
        ({"freeBefore": "2000-01-01T00:00:00Z"}, set()),
    ],
)
def test_conditions_hold_together(stack: Stack, market: Any, query: dict[str, Any], expected: set[int] | None) -> None:
    tag, coaches = market
    if expected is None:
        assert stack.http.get(PATH, params=query).json()["errors"][0]["parameter"] == "search"
        return
    assert set(ids(found(stack, **{"specialty": tag, **query}))) == {coaches[n].user_id for n in expected}


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"minPrice": 2, "maxPrice": 1, "currency": "USD"}, "maxPrice"),
        ({"minPrice": 1}, "currency"),
        ({"sort": "price"}, "currency"),
        ({"currency": "usd"}, "currency"),
        ({"currency": "XXX"}, "currency"),
        ({"language": "xx"}, "language"),
        ({"specialty": ""}, "specialty"),
        ({"specialty": "x" * 81}, "specialty"),
        ({"minRating": 6}, "minRating"),
        ({"minRating": "nan"}, "minRating"),
        ({"sort": "random"}, "sort"),
        ({"freeBefore": "tomorrow"}, "freeBefore"),
        ({"cursor": "WyJ4Il0"}, "cursor"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(stack: Stack, query: dict[str, Any], parameter: str) -> None:
    answer = stack.http.get(PATH, params=query)
    assert (answer.status_code, [error["parameter"] for error in answer.json()["errors"]]) == (422, [parameter])


def test_a_cursor_of_another_order_or_list_is_refused(stack: Stack, market: Any) -> None:
    tag, coaches = market
    reviews = stack.http.get(f"{PATH}/{coaches[1].user_id}/reviews", params={"limit": 1}).json()["nextCursor"]
    newest = stack.http.get(PATH, params={"limit": 1, "specialty": tag}).json()["nextCursor"]
    rating = stack.http.get(PATH, params={"limit": 1, "specialty": tag, "sort": "rating"}).json()["nextCursor"]
    for cursor, sort in (
        (reviews, "newest"),
        (newest, "nextFree"),
        (newest, "rating"),
        (rating, "price"),
        (rating, "newest"),
    ):
        answer = stack.http.get(PATH, params={"cursor": cursor, "sort": sort, "currency": "USD"})
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "cursor"), sort


def test_only_public_fields_are_shown(stack: Stack, market: Any) -> None:
    tag, coaches = market
    shown = found(stack, specialty=tag)[0]
    assert shown == stack.http.get(f"{PATH}/{coaches[4].user_id}").json()["data"]
    assert not {"status", "version", "email", "completeness", "hasSchedule", "diary", "sortKey"} & shown.keys()
    assert (shown["averageRating"], shown["reviewCount"], shown["completedSessions"]) == (None, 0, 0)


def test_the_next_free_slot_is_the_first_that_can_be_booked_whether_stored_or_not(stack: Stack) -> None:
    coach, mentee = published_coach(stack, profile={"specialties": [f"Tag {uuid4().hex[:8]}"]}), stack.user()
    now = datetime.fromisoformat(iso(at(next_weekday(), "00:00"))) - timedelta(days=14)

    def both() -> tuple[str | None, str]:
        shown = stack.http.get(f"{PATH}/{coach.user_id}").json()["data"]["nextFreeSlot"]
        return shown, slots(mentee, coach, now, now + timedelta(days=60)).json()["data"][0]["start"]

    def stored() -> datetime:
        with stack.database() as database:
            row = database.execute(
                "select next_free_at from private.coach_listing where coach_id = %s", [coach.user_id]
            ).fetchone()
        assert row is not None
        moment: datetime = row["next_free_at"]
        return moment

    first, expected = both()
    assert first == expected
    refresh(stack)
    assert both() == (expected, expected)
    assert iso(stored().astimezone(tz=None).astimezone(at(next_weekday(), "00:00").tzinfo)) == expected

    session = book(mentee, coach, datetime.fromisoformat(expected)).json()["data"]
    shown, after = both()
    assert shown == after > expected, "at once, before any job"
    refresh(stack)
    assert both() == (after, after)
    assert mentee.post(f"/api/sessions/{session['id']}/cancel", {}).status_code == 200
    assert both()[0] == expected
    refresh(stack)
    assert both()[0] == expected


def test_the_order_of_free_slots_is_that_of_the_stored_ones(stack: Stack) -> None:
    tag = f"Tag {uuid4().hex[:8]}"
    never = {"weekly": [], "minimumNotice": 0}
    late = {"minimumNotice": 60 * 24 * 20}
    schedules: list[dict[str, Any]] = [never, late, {}, never]
    coaches = [published_coach(stack, profile=offer(tag, 100), schedule=schedule) for schedule in schedules]
    refresh(stack)
    order = found(stack, specialty=tag, sort="nextFree")
    assert ids(order)[:2] == [coaches[2].user_id, coaches[1].user_id]
    assert [coach["nextFreeSlot"] for coach in order[2:]] == [None, None]
    soon = order[0]["nextFreeSlot"]
    until = iso(datetime.fromisoformat(soon) + timedelta(seconds=1))
    assert ids(found(stack, specialty=tag, freeBefore=until)) == [coaches[2].user_id]


def test_who_cannot_be_booked_is_not_listed(stack: Stack) -> None:
    tag = f"Tag {uuid4().hex[:8]}"
    coach = published_coach(stack, profile=offer(tag, 100))
    with stack.database() as database:
        for undo, redo in (
            (
                "update user_account set status = 'SUSPENDED' where id = %s",
                "update user_account set status = 'ACTIVE' where id = %s",
            ),
            (
                "delete from user_role where user_id = %s and role = 'COACH'",
                "insert into user_role (user_id, role) values (%s, 'COACH')",
            ),
            (
                "update coach_profile set status = 'DRAFT' where user_id = %s",
                "update coach_profile set status = 'PUBLISHED' where user_id = %s",
            ),
        ):
            assert ids(found(stack, specialty=tag)) == [coach.user_id]
            database.execute(undo, [coach.user_id])
            assert found(stack, specialty=tag) == []
            assert stack.http.get(f"{PATH}/{coach.user_id}").status_code == 404
            database.execute(redo, [coach.user_id])
        database.execute("delete from availability_schedule where coach_id = %s", [coach.user_id])
    assert found(stack, specialty=tag) == []
    assert drift(stack) == []
