"""Many clients at the same moment: exactly one wins, everyone else is told so, nobody sees a deadlock."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from tests.support.stack import SignedIn, Stack
from tests.support.story import at, iso, next_weekday, published_coach

CLIENTS = 100
Attempt = tuple[SignedIn, SignedIn, datetime]  # mentee, coach, start


def book_all_at_once(stack: Stack, attempts: Sequence[Attempt], *, key: str | None = None) -> list[httpx.Response]:
    async def one(client: httpx.AsyncClient, mentee: SignedIn, coach: SignedIn, start: datetime) -> httpx.Response:
        body = {"coachId": coach.user_id, "start": iso(start), "duration": 60}
        headers = {"Authorization": f"Bearer {mentee.token}", "Idempotency-Key": key or uuid4().hex}
        return await client.post("/api/sessions", json=body, headers=headers)

    async def every() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=len(attempts))
        async with httpx.AsyncClient(base_url=stack.base_url, timeout=60, limits=limits) as client:
            return await asyncio.gather(*(one(client, *attempt) for attempt in attempts))

    return asyncio.run(every())


def outcomes(answers: Sequence[httpx.Response]) -> Counter[Any]:
    return Counter((each.status_code, each.json().get("code")) for each in answers)


def live_overlaps(stack: Stack) -> int:
    """Pairs of live sessions that share a coach with their buffers, or a mentee: what the constraints forbid."""
    query = """
        select count(*) as pairs from session a join session b on a.id < b.id
        where a.status in ('PENDING_PAYMENT', 'SCHEDULED', 'IN_PROGRESS')
          and b.status in ('PENDING_PAYMENT', 'SCHEDULED', 'IN_PROGRESS')
          and ((a.coach_id = b.coach_id and a.blocked && b.blocked)
            or (a.mentee_id = b.mentee_id
                and tstzrange(a.starts_at, a.ends_at) && tstzrange(b.starts_at, b.ends_at)))"""
    with stack.database() as database:
        row = database.execute(query).fetchone()
    assert row is not None
    pairs: int = row["pairs"]
    return pairs


def test_a_hundred_bookings_of_one_slot_make_one_session(stack: Stack) -> None:
    coach, start = published_coach(stack), at(next_weekday(), "10:00")
    mentees = [stack.user() for _ in range(25)]
    answers = book_all_at_once(stack, [(mentees[n % 25], coach, start) for n in range(CLIENTS)])
    assert outcomes(answers) == {(201, None): 1, (409, "slot_unavailable"): CLIENTS - 1}
    assert live_overlaps(stack) == 0


def test_a_hundred_overlapping_bookings_show_no_client_a_deadlock(stack: Stack) -> None:
    coach, start = published_coach(stack), at(next_weekday(), "09:00")
    mentees = [stack.user() for _ in range(20)]
    starts = [start + timedelta(minutes=15 * (n % 29)) for n in range(CLIENTS)]
    answers = book_all_at_once(stack, [(mentees[n % 20], coach, each) for n, each in enumerate(starts)])
    counted = outcomes(answers)
    assert counted[(201, None)] >= 3
    assert set(counted) == {(201, None), (409, "slot_unavailable")}, counted
    assert live_overlaps(stack) == 0


def test_two_mentees_booking_across_two_coaches_are_never_double_booked(stack: Stack) -> None:
    coaches, mentees = [published_coach(stack) for _ in range(2)], [stack.user() for _ in range(2)]
    start = at(next_weekday(), "10:00")
    attempts = [
        (mentees[n % 2], coaches[(n // 2) % 2], start + timedelta(minutes=30 * ((n // 4) % 3))) for n in range(48)
    ]
    counted = outcomes(book_all_at_once(stack, attempts))
    assert set(counted) == {(201, None), (409, "slot_unavailable")}, counted
    assert live_overlaps(stack) == 0


def test_coaches_who_book_each_other_at_once_do_not_deadlock(stack: Stack) -> None:
    pair = [published_coach(stack) for _ in range(2)]
    with stack.database() as database:
        for each in pair:
            database.execute("insert into user_role (user_id, role) values (%s, 'MENTEE')", [each.user_id])
    start = at(next_weekday(), "10:00")
    counted = outcomes(book_all_at_once(stack, [(pair[n % 2], pair[1 - n % 2], start) for n in range(40)]))
    assert counted == {(201, None): 1, (409, "slot_unavailable"): 39}


def test_one_key_sent_many_times_at_once_books_once(stack: Stack) -> None:
    coach, mentee, start = published_coach(stack), stack.user(), at(next_weekday(), "10:00")
    answers = book_all_at_once(stack, [(mentee, coach, start)] * 30, key=uuid4().hex)
    counted = outcomes(answers)
    assert set(counted) <= {(201, None), (409, "request_in_progress")}, counted
    assert len({each.json()["data"]["id"] for each in answers if each.status_code == 201}) == 1
    assert len(mentee.get("/api/sessions").json()["data"]) == 1


def test_a_schedule_edited_under_a_booking_storm_never_lets_a_stale_decision_in(stack: Stack) -> None:
    coach, mentees, start = published_coach(stack), [stack.user() for _ in range(10)], at(next_weekday(), "09:00")
    schedule = coach.get("/api/coaching/availability").json()["data"][0]
    path = f"/api/coaching/availability/{schedule['id']}"

    async def storm() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=stack.base_url, timeout=60) as client:

            async def one(n: int) -> httpx.Response:
                body = {"coachId": coach.user_id, "start": iso(start + timedelta(minutes=90 * (n % 5))), "duration": 60}
                headers = {"Authorization": f"Bearer {mentees[n % 10].token}", "Idempotency-Key": uuid4().hex}
                return await client.post("/api/sessions", json=body, headers=headers)

            async def close() -> httpx.Response:
                patch = {"weekly": [], "version": schedule["version"]}
                return await client.patch(
                    f"{path}?force=true", json=patch, headers={"Authorization": f"Bearer {coach.token}"}
                )

            *booked, closed = await asyncio.gather(*(one(n) for n in range(40)), close())
            assert closed.status_code == 200, closed.text
            return booked

    answers = asyncio.run(storm())
    assert {each.status_code for each in answers} <= {201, 409, 422}, outcomes(answers)
    # Both sides write their audit row while they hold the coach, so its ids are the order in which they happened.
    with stack.database() as database:
        late = database.execute(
            """select count(*) as sessions from private.audit_log a join session s on s.id::text = a.row_id
               where a.table_name = 'session' and a.action = 'INSERT' and s.coach_id = %s
                 and a.id > (select max(id) from private.audit_log
                             where table_name = 'availability_schedule' and action = 'UPDATE' and row_id = %s)""",
            [coach.user_id, schedule["id"]],
        ).fetchone()
    assert late == {"sessions": 0}
