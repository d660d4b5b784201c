"""Readings that a change of the clocks skips or repeats, case by case, and the conversion over every zone."""

from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachline.scheduling import local_time
from tests.unit.scheduling.build import NEW_YORK, on_date, schedule, slots, times
from tests.unit.scheduling.reference import Clock
from tests.unit.scheduling.strategies import CLOCK_CHANGES, examples

ALL_ZONES = files("tzdata").joinpath("zones").read_text().split()


def shown(zone: str, day: str, time: str) -> str:
    hour, minute = time.split(":")
    at = local_time.instant(zone, date.fromisoformat(day).toordinal(), int(hour) * 60 + int(minute))
    return f"{local_time.to_datetime(at):%d %H:%M}"


@pytest.mark.parametrize(
    ("zone", "day", "time", "expected"),
    [
        (NEW_YORK, "2027-03-08", "09:00", "08 14:00"),
        (NEW_YORK, "2027-03-14", "01:59", "14 06:59"),
        (NEW_YORK, "2027-03-14", "02:00", "14 07:00"),
        (NEW_YORK, "2027-03-14", "02:30", "14 07:00"),
        (NEW_YORK, "2027-03-14", "03:00", "14 07:00"),
        (NEW_YORK, "2027-03-14", "04:00", "14 08:00"),
        (NEW_YORK, "2027-03-14", "24:00", "15 04:00"),
        (NEW_YORK, "2027-11-07", "01:00", "07 05:00"),
        (NEW_YORK, "2027-11-07", "01:59", "07 05:59"),
        (NEW_YORK, "2027-11-07", "02:00", "07 07:00"),
        ("Australia/Lord_Howe", "2027-10-03", "02:15", "02 15:30"),
        ("Africa/Cairo", "2027-04-30", "00:00", "29 22:00"),
        ("Africa/Cairo", "2027-04-30", "00:59", "29 22:00"),
        ("America/Santiago", "2027-09-05", "00:30", "05 04:00"),
        ("Asia/Beirut", "2027-03-28", "00:00", "27 22:00"),
        ("Antarctica/Troll", "2027-03-28", "02:30", "28 01:00"),
        ("Pacific/Apia", "2011-12-30", "00:00", "30 10:00"),
        ("Pacific/Apia", "2011-12-30", "12:00", "30 10:00"),
        ("Pacific/Apia", "2011-12-30", "24:00", "30 10:00"),
        ("Africa/Monrovia", "1972-01-07", "00:30", "07 00:44"),
    ],
)
def test_readings_become_instants(zone: str, day: str, time: str, expected: str) -> None:
    assert shown(zone, day, time) == expected


@pytest.mark.parametrize(
    ("day", "span", "expected"),
    [
        ("2027-03-14", "02:30-04:00", "07:00 07:30"),
        ("2027-03-14", "01:00-02:30", "06:00 06:30"),
        ("2027-03-14", "02:00-03:00", ""),
        ("2027-03-14", "02:15-02:45", ""),
        ("2027-11-07", "00:00-04:00", "04:00 04:30 05:00 05:30 06:00 06:30 07:00 07:30 08:00 08:30"),
        ("2027-11-07", "01:00-02:00", "05:00 05:30 06:00 06:30"),
        ("2027-11-07", "00:30-01:30", "04:30 05:00"),
        ("2027-11-07", "01:30-02:30", "05:30 06:00 06:30 07:00"),
    ],
)
def test_windows_at_the_new_york_changes(day: str, span: str, expected: str) -> None:
    coach = schedule(overrides=[on_date(day, span)], slotInterval=30)
    assert times(coach, day=day, duration=30) == expected


def test_a_session_runs_through_the_gap_in_elapsed_minutes() -> None:
    coach = schedule(overrides=[on_date("2027-03-14", "01:30-03:30")])
    assert times(coach, day="2027-03-14") == "06:30"
    assert times(coach, day="2027-03-14", duration=61) == ""


def test_a_date_that_the_zone_skipped_has_no_slots() -> None:
    coach = schedule(
        timezone="Pacific/Apia",
        overrides=[
            on_date("2011-12-29", "22:00-24:00"),
            on_date("2011-12-30", "00:00-24:00"),
            on_date("2011-12-31", "00:00-01:00"),
        ],
    )
    assert slots(coach, start="2011-12-29 00:00", end="2012-01-01 00:00", duration=60) == [
        "2011-12-30 08:00",
        "2011-12-30 09:00",
        "2011-12-30 10:00",
    ]


@pytest.mark.parametrize(
    ("zone", "day", "first", "last"),
    [
        ("Africa/Cairo", "2027-04-30", "2027-04-29 22:00", "2027-04-30 20:00"),
        ("Asia/Beirut", "2027-03-28", "2027-03-27 22:00", "2027-03-28 20:00"),
        ("America/Santiago", "2027-09-05", "2027-09-05 04:00", "2027-09-06 02:00"),
    ],
)
def test_a_date_that_begins_in_a_gap_has_the_rest_of_its_hours(zone: str, day: str, first: str, last: str) -> None:
    coach = schedule(timezone=zone, overrides=[on_date(day, "00:00-24:00")])
    found = slots(coach, start="2027-01-01", end="2028-01-01")
    assert (found[0], found[-1], len(found)) == (first, last, 23)


@examples(40)
@given(st.sampled_from(sorted(CLOCK_CHANGES)), st.data())
def test_an_instant_is_the_first_minute_that_shows_the_reading_or_has_skipped_it(
    zone: str, data: st.DataObject
) -> None:
    day = date.fromisoformat(data.draw(st.sampled_from(CLOCK_CHANGES[zone])))
    minute = data.draw(st.integers(0, 1440))
    clock = Clock(zone, day - timedelta(days=2), day + timedelta(days=2))
    expected = clock.first_shows(datetime.combine(day, datetime.min.time()) + timedelta(minutes=minute))
    assert local_time.to_datetime(local_time.instant(zone, day.toordinal(), minute)) == expected


@examples(150)
@given(st.sampled_from(ALL_ZONES), st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 1439))
def test_in_every_zone_later_readings_are_never_earlier_and_dates_come_back(zone: str, day: date, minute: int) -> None:
    ordinal = day.toordinal()
    midnight, at, next_minute, next_midnight = (
        local_time.instant(zone, ordinal, each) for each in (0, minute, minute + 1, 1440)
    )
    assert midnight <= at <= next_minute <= next_midnight == local_time.instant(zone, ordinal + 1)
    reading = local_time.to_datetime(at).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    wall = datetime.combine(day, datetime.min.time()) + timedelta(minutes=minute)
    assert reading >= wall
    if reading == wall:
        assert local_time.local_date(zone, at) == ordinal


def test_microseconds_are_kept_both_ways() -> None:
    at = datetime(2027, 3, 8, 14, 0, 0, 1, tzinfo=UTC)
    assert local_time.to_datetime(local_time.to_micros(at, "at")) == at


def test_the_ends_of_the_calendar_are_no_error() -> None:
    first = local_time.instant("Pacific/Kiritimati", 1)
    last = local_time.instant("Pacific/Pago_Pago", date.max.toordinal() + 40_000, 1440)
    assert first < 0 < last
    assert local_time.local_date("Pacific/Pago_Pago", -(10**18)) < local_time.local_date("Pacific/Kiritimati", 10**18)
