"""Booking, moving and cancelling all at once, by people who are coach and mentee of each other. STORMS of them (1)."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.sessions import broken_histories, overlaps
from tests.support.stack import SignedIn, Stack
from tests.support.story import SCHEDULE, WEEKDAYS, at, book, iso, next_weekday, published_coach

OPERATIONS = 200
STORMS = int(os.environ.get("STORMS", "1"))
Call = tuple[SignedIn, str, dict[str, Any]]


def send_all(stack: Stack, calls: list[Call]) -> list[httpx.Response]:
    async def every() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=len(calls))
        async with httpx.AsyncClient(base_url=stack.base_url, timeout=60, limits=limits) as client:

            def one(call: Call) -> Awaitable[httpx.Response]:
                who, path, body = call
                headers = {"Authorization": f"Bearer {who.token}", "Idempotency-Key": uuid4().hex}
                return client.post(path, json=body, headers=headers)

            return await asyncio.gather(*map(one, calls))

    return asyncio.run(every())


@pytest.mark.parametrize("seed", range(20, 20 + STORMS))
def test_two_hundred_changes_at_once_show_nobody_a_deadlock_and_overlap_nothing(stack: Stack, seed: int) -> None:
    dice, day = random.Random(seed), next_weekday(weeks=3)  # noqa: S311 - the same storms each time
    always = [{"day": name, "intervals": [{"from": "00:00", "to": "24:00"}]} for name in WEEKDAYS]
    people = [published_coach(stack, schedule={**SCHEDULE, "timezone": "UTC", "weekly": always}) for _ in range(5)]
    with stack.database() as database:
        for each in people:
            database.execute("insert into user_role (user_id, role) values (%s, 'MENTEE')", [each.user_id])

    # Each is taught by each other one, two days before the storm's own.
    sessions = []
    for n, (coach, mentee) in enumerate((a, b) for a in people for b in people if a is not b):
        start = at(day, "00:00", "UTC") - timedelta(days=1 + n // 10) + timedelta(hours=2 * (n % 10))
        sessions.append((book(mentee, coach, start).raise_for_status().json()["data"], coach, mentee))

    def anywhere() -> str:
        return iso(at(day, "06:00", "UTC") + timedelta(minutes=30 * dice.randrange(12)))

    calls: list[Call] = []
    for n in range(OPERATIONS):
        session, *pair = dice.choice(sessions)
        if n % 5 < 2:
            coach, mentee = dice.sample(people, 2)
            calls.append((mentee, "/api/sessions", {"coachId": coach.user_id, "start": anywhere(), "duration": 60}))
        elif n % 5 < 4:
            body = {"start": anywhere(), "version": session["version"]}
            calls.append((dice.choice(pair), f"/api/sessions/{session['id']}/reschedule", body))
        else:
            calls.append((dice.choice(pair), f"/api/sessions/{session['id']}/cancel", {}))

    answers = send_all(stack, calls)
    counted = Counter((each.status_code, each.json().get("code")) for each in answers)
    print(f"storm {seed}, {len(calls)} at once: {dict(counted)}")
    assert {status for status, _ in counted} <= {200, 201, 409, 422}, counted
    assert (409, "conflict") not in counted, "a deadlock reached a client"
    assert counted[201, None] > 0
    assert counted[200, None] > 0
    booked = [session["id"] for session, *_ in sessions]
    booked += [each.json()["data"]["id"] for each in answers if each.status_code == 201]
    with stack.database() as database:
        assert overlaps(database) == []
        assert broken_histories(database, booked) == []
