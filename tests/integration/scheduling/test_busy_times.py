"""Time that a coach is busy elsewhere, as `private.busy_intervals` tells it."""

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from tests.support.stack import SignedIn, Stack
from tests.support.story import at, book, iso, next_weekday, published_coach, slots


@contextlib.contextmanager
def busy(stack: Stack, coach: SignedIn, start: datetime, end: datetime) -> Iterator[None]:
    """The coach has one appointment elsewhere, whatever imports such times."""
    with stack.database() as database:
        kept = database.execute("select pg_get_functiondef('private.busy_intervals'::regproc) as source").fetchone()
        assert kept is not None
        database.execute(
            f"""create or replace function private.busy_intervals(coach_id uuid, from_at timestamptz, to_at timestamptz)
                returns table (starts_at timestamptz, ends_at timestamptz)
                language sql stable security definer set search_path = '' as $$
                  select '{start.isoformat()}'::timestamptz, '{end.isoformat()}'::timestamptz
                  where busy_intervals.coach_id = '{coach.user_id}'
                    and tstzrange('{start.isoformat()}', '{end.isoformat()}')
                        && tstzrange(busy_intervals.from_at, busy_intervals.to_at) $$"""
        )
        try:
            yield
        finally:
            database.execute(kept["source"])


@pytest.mark.parametrize(("before", "after"), [(15, 15), (60, 0)])
def test_busy_time_is_neither_listed_nor_booked_buffers_included(stack: Stack, before: int, after: int) -> None:
    coach, mentee, monday = (
        published_coach(stack, schedule={"bufferBefore": before, "bufferAfter": after}),
        stack.user(),
        next_weekday(),
    )
    day = at(monday, "09:00"), at(monday, "17:00")
    free = [slot["start"] for slot in slots(mentee, coach, *day).json()["data"]]
    starts, ends = at(monday, "11:00"), at(monday, "12:00")
    with busy(stack, coach, starts, ends):
        left = [slot["start"] for slot in slots(mentee, coach, *day).json()["data"]]
        refused = book(mentee, coach, starts)
        # A range whose own slots are cut by an appointment that lies outside of it.
        edge = starts - timedelta(minutes=60 + after)
        assert [slot["start"] for slot in slots(mentee, coach, edge, edge + timedelta(minutes=1)).json()["data"]] == [
            iso(edge)
        ]
        late = edge + timedelta(minutes=15)
        assert slots(mentee, coach, late, late + timedelta(minutes=1)).json()["data"] == []
    gone = {start for start in free if iso(edge) < start < iso(ends + timedelta(minutes=before))}
    assert set(left) == set(free) - gone
    assert (refused.status_code, refused.json()["code"]) == (409, "slot_unavailable")
    assert book(mentee, coach, starts).status_code == 201
