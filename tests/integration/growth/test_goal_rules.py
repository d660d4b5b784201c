"""The rules of goals in SQL, held to slow references in Python: where a day ends, what state follows, what is due."""

import os
import sysconfig
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import DictRow

from tests.support.stack import Stack

MINUTE = timedelta(minutes=1)
ZONES = [
    *("America/New_York", "Europe/London", "Australia/Lord_Howe", "America/Havana", "Africa/Cairo", "Asia/Beirut"),
    *("America/Santiago", "Pacific/Chatham", "Pacific/Apia", "Asia/Kathmandu", "Africa/Casablanca", "UTC"),
]
many = settings(
    max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def database(stack: Stack) -> Iterator[psycopg.Connection[DictRow]]:
    with stack.database() as connection:
        yield connection


def machines(zone: str) -> ZoneInfo:
    """The rules that Postgres reads: the machine's, also where tests of the pinned ones run in this process."""
    for directory in str(sysconfig.get_config_var("TZPATH")).split(os.pathsep):
        if (path := Path(directory, zone)).is_file():
            with path.open("rb") as file:
                return ZoneInfo.from_file(file, key=zone)
    return ZoneInfo(zone)


def ask(database: psycopg.Connection[DictRow], call: str, *values: Any) -> Any:
    row = database.execute(f"select {call} as answer".encode(), values).fetchone()
    assert row is not None
    return row["answer"]


def slow_end(day: date, zone: ZoneInfo) -> datetime:
    """Walk through 60 hours minute by minute: the instant after the last that is still of that date, or before it."""
    moment = datetime.combine(day, time(), UTC) - timedelta(hours=14)
    end = moment
    for _ in range(60 * 60):
        moment += MINUTE
        if moment.astimezone(zone).date() <= day:
            end = moment + MINUTE
    return end


@pytest.mark.parametrize(
    ("zone", "day", "end"),
    [
        ("America/New_York", "2027-03-14", "2027-03-15T04:00:00+00:00"),  # forward that morning
        ("America/New_York", "2027-03-13", "2027-03-14T05:00:00+00:00"),
        ("America/New_York", "2027-11-07", "2027-11-08T05:00:00+00:00"),  # back that morning
        ("Africa/Cairo", "2027-04-29", "2027-04-29T22:00:00+00:00"),  # the next midnight is left out
        ("Africa/Cairo", "2027-04-30", "2027-04-30T21:00:00+00:00"),
        ("America/Havana", "2027-11-06", "2027-11-07T04:00:00+00:00"),  # the next midnight comes twice
        ("America/Havana", "2027-11-07", "2027-11-08T05:00:00+00:00"),
        ("America/Santiago", "2027-04-03", "2027-04-04T04:00:00+00:00"),  # its last hour comes twice
        ("Australia/Lord_Howe", "2027-04-04", "2027-04-04T13:30:00+00:00"),  # by half an hour
    ],
)
def test_a_day_ends_where_the_clocks_of_its_zone_say(
    database: psycopg.Connection[DictRow], zone: str, day: str, end: str
) -> None:
    assert slow_end(date.fromisoformat(day), machines(zone)) == datetime.fromisoformat(end)
    assert ask(database, "private.end_of_day(%s::date, %s)", day, zone) == datetime.fromisoformat(end)


@many
@given(day=st.dates(date(2026, 1, 1), date(2036, 12, 31)), zone=st.sampled_from(ZONES))
def test_every_day_ends_where_a_walk_through_it_ends(
    database: psycopg.Connection[DictRow], day: date, zone: str
) -> None:
    assert ask(database, "private.end_of_day(%s, %s)", day, zone) == slow_end(day, machines(zone))


@pytest.mark.parametrize("zone", ZONES)
def test_days_that_change_the_clocks_end_there_too(database: psycopg.Connection[DictRow], zone: str) -> None:
    """Dates are dense around changes only by luck: so every day of three years whose length is not a day's."""
    rows = database.execute(
        """select d::date as day, private.end_of_day(d::date, %(zone)s) as until
           from generate_series(date '2026-01-01', date '2029-01-01', interval '1 day') d
           where interval '24 hours' <> any (array[
             private.end_of_day(d::date, %(zone)s) - private.end_of_day(d::date - 1, %(zone)s),
             private.end_of_day(d::date + 1, %(zone)s) - private.end_of_day(d::date, %(zone)s)])""",
        {"zone": zone},
    ).fetchall()
    assert rows or zone in ("UTC", "Asia/Kathmandu", "Pacific/Apia")
    assert [row["until"] for row in rows] == [slow_end(row["day"], machines(zone)) for row in rows]


amounts = st.decimals(-1000, 1000, places=2)


@many
@given(
    direction=st.sampled_from(["UP", "DOWN"]),
    start=amounts,
    way=st.decimals(Decimal("0.01"), 1000, places=2),
    value=amounts,
    until=st.integers(-2, 2),
)
def test_state_follows_from_value_and_time(  # noqa: PLR0917 - what hypothesis draws
    database: psycopg.Connection[DictRow], direction: str, start: Decimal, way: Decimal, value: Decimal, until: int
) -> None:
    target = start + way if direction == "UP" else start - way
    now = datetime(2027, 3, 1, tzinfo=UTC)
    status = ask(
        database,
        "private.goal_status(%s::goal_direction, %s, %s, %s, %s)::text",
        *(direction, value, target, now + timedelta(microseconds=until), now),
    )
    gone, whole = (value - start, target - start) if direction == "UP" else (start - value, start - target)
    assert status == ("COMPLETED" if gone >= whole else "OVERDUE" if until <= 0 else "ACTIVE")
    percent = ask(database, "private.goal_percent(%s, %s, %s)", start, value, target)
    steps = [each for each in range(101) if gone * 100 >= whole * each]
    assert percent == (max(steps) if steps else 0)
    assert (percent == 100) == (status == "COMPLETED")


def slow_reminder(deadline: date, zone: ZoneInfo, end: datetime, set_at: datetime, now: datetime) -> int | None:
    mornings = {n: datetime.combine(deadline - timedelta(days=n), time(9), zone).astimezone(UTC) for n in (7, 3, 1)}
    begun = [days for days, morning in mornings.items() if morning <= now]
    if not begun or now >= end or set_at > mornings[min(begun)]:
        return None
    return min(begun)


@many
@given(
    zone=st.sampled_from(ZONES),
    deadline=st.dates(date(2027, 1, 1), date(2029, 12, 31)),
    before=st.integers(-60, 60 * 24 * 9),
    ahead=st.integers(0, 60 * 24 * 9),
)
def test_a_reminder_belongs_to_the_last_morning_that_has_come(
    database: psycopg.Connection[DictRow], zone: str, deadline: date, before: int, ahead: int
) -> None:
    where = machines(zone)
    end = slow_end(deadline, where)
    now, set_at = end - before * MINUTE, end - (before + ahead) * MINUTE
    found = ask(database, "private.goal_reminder(%s, %s, %s, %s, %s)", deadline, zone, end, set_at, now)
    assert found == slow_reminder(deadline, where, end, set_at, now)
