"""The API's model: strict, and all failures at once, each at its place."""

from typing import Any

import pytest
from pydantic import ValidationError

from coachline.scheduling.schedule_input import MAXIMUM_INTERVALS, MAXIMUM_OVERRIDES, ScheduleInput
from tests.unit.scheduling.build import every_day, hours, on_date

GOOD: dict[str, Any] = {
    "name": "Weekdays",
    "type": "DEFAULT",
    "timezone": "America/New_York",
    "isDefault": True,
    "weekly": [{"day": "MONDAY", "intervals": hours("09:00-12:00", "12:00-17:00")}, {"day": "SUNDAY", "intervals": []}],
    "overrides": [on_date("2027-03-14", "10:00-24:00"), on_date("2027-03-15")],
    "bufferBefore": 15,
    "bufferAfter": 15,
    "slotInterval": 15,
    "minimumNotice": 0,
    "bookingWindowDays": 365,
    "maxSessionsPerDay": None,
    "validFrom": "2027-01-01",
    "validTo": "2027-01-01",
    "minimumDuration": 30,
    "maximumDuration": 30,
}


def failures(**changes: Any) -> dict[str, str]:
    """The JSON pointer of every failure, with its message."""
    try:
        ScheduleInput.model_validate({**GOOD, **changes})
    except ValidationError as invalid:
        return {"/".join(map(str, error["loc"])): error["msg"] for error in invalid.errors()}
    return {}


def test_comes_out_as_it_went_in() -> None:
    assert ScheduleInput.model_validate(GOOD).model_dump(by_alias=True, mode="json") == GOOD


def test_only_a_name_and_a_zone_are_needed() -> None:
    made = ScheduleInput.model_validate({"name": "x", "timezone": "UTC"})
    assert (made.is_default, made.weekly, made.slot_interval, made.buffer_before) == (False, [], 15, 15)
    with pytest.raises(ValidationError) as raised:
        ScheduleInput.model_validate({})
    assert {error["loc"] for error in raised.value.errors()} == {("name",), ("timezone",)}


def test_serves_the_engine() -> None:
    engine = ScheduleInput.model_validate(GOOD).as_schedule()
    assert engine.timetable()(1) == ((540, 1020),)
    assert engine.timezone == "America/New_York"


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [
        ("bufferBefore", 0, 180),
        ("bufferAfter", 0, 180),
        ("slotInterval", 5, 720),
        ("bookingWindowDays", 1, 730),
        ("maxSessionsPerDay", 1, 288),
        ("minimumNotice", 0, 365 * 1440),
    ],
)
def test_bounds(field: str, least: int, most: int) -> None:
    assert failures(**{field: least}) == failures(**{field: most}) == {}
    for outside in (least - 1, most + 1, str(least), float(least), True, 10**30):
        assert list(failures(**{field: outside})) == [field]


def test_durations_go_in_fives_from_a_quarter_of_an_hour_to_four_hours() -> None:
    assert failures(minimumDuration=15, maximumDuration=240) == {}
    for wrong in (14, 10, 17, 241, 245, 0):
        assert list(failures(minimumDuration=wrong, maximumDuration=None)) == ["minimumDuration"]
    assert list(failures(minimumDuration=60, maximumDuration=55)) == ["maximumDuration"]


@pytest.mark.parametrize(
    "zone",
    [
        "../../etc/passwd",
        "america/new_york",
        "/etc/localtime",
        "",
        ".",
        "America",
        "New York",
        "a" * 5000,
        "UTC\0",
        "é",
        5,
        None,
    ],
)
def test_a_zone_is_a_name_in_the_tz_database(zone: Any) -> None:
    assert list(failures(timezone=zone)) == ["timezone"]


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\0b", None, 7])
def test_a_name_is_some_text(name: Any) -> None:
    assert list(failures(name=name)) == ["name"]


@pytest.mark.parametrize(
    ("spans", "place"),
    [
        (["12:00-13:00", "09:00-10:00"], "1/from"),
        (["09:00-10:30", "10:00-11:00"], "1/from"),
        (["09:00-17:00", "10:00-11:00", "16:59-18:00"], "2/from"),
        (["10:00-10:00"], "0/to"),
        (["22:00-02:00"], "0/to"),
        (["24:00-24:00"], "0/to"),
        (["9:00-10:00"], "0/from"),
        (["09:00-24:30"], "0/to"),
    ],
)
def test_intervals_are_sorted_disjoint_and_within_a_date(spans: list[str], place: str) -> None:
    for field, entry in (("weekly", {"day": "MONDAY"}), ("overrides", {"date": "2027-03-14"})):
        found = failures(**{field: [{**entry, "intervals": hours(*spans)}]})
        assert f"{field}/0/intervals/{place}" in found


def test_a_weekday_or_date_appears_once() -> None:
    assert list(failures(weekly=every_day()[:3] + every_day()[1:2])) == ["weekly/3/day"]
    assert list(failures(overrides=[on_date("2027-03-14"), on_date("2027-03-14", "09:00-10:00")])) == [
        "overrides/1/date"
    ]


def test_there_is_a_most_of_everything() -> None:
    spans = [
        f"{minute // 60:02}:{minute % 60:02}-{minute // 60:02}:{minute % 60 + 1:02}" for minute in range(0, 1440, 30)
    ]
    assert failures(weekly=every_day(*spans[:MAXIMUM_INTERVALS])) == {}
    assert "weekly/0/intervals" in failures(weekly=every_day(*spans[: MAXIMUM_INTERVALS + 1]))
    dates = [on_date(f"{2000 + number}-01-01") for number in range(MAXIMUM_OVERRIDES + 1)]
    assert failures(overrides=dates[:-1]) == {}
    assert list(failures(overrides=dates)) == ["overrides"]


@pytest.mark.parametrize("wrong", ["2027-02-29", "2027-2-1", "20270201", "2027-02-01T00:00:00", 0, "", "today"])
def test_dates_are_plain_dates(wrong: Any) -> None:
    assert failures(validFrom=wrong) == {"validFrom": "Value error, must be a date as YYYY-MM-DD"}
    assert list(failures(overrides=[on_date(wrong)])) == ["overrides/0/date"]


def test_notice_fits_in_the_window_and_the_last_date_follows_the_first() -> None:
    assert failures(bookingWindowDays=1, minimumNotice=1440) == {}
    assert list(failures(bookingWindowDays=1, minimumNotice=1441)) == ["minimumNotice"]
    assert list(failures(validFrom="2027-01-02")) == ["validTo"]
    assert failures(validFrom=None) == failures(validTo=None) == {}


def test_only_a_schedule_of_type_default_is_the_default() -> None:
    assert set(failures(type="HOLIDAY")) == {"isDefault"}
    assert failures(type="HOLIDAY", isDefault=False) == {}


@pytest.mark.parametrize("kind", ["VACATION", "HOLIDAY", "OVERRIDE"])
def test_what_outranks_the_everyday_hours_says_from_when_to_when(kind: str) -> None:
    """A vacation without dates would close the calendar for good."""
    assert set(failures(type=kind, isDefault=False, validFrom=None, validTo=None)) == {"validFrom", "validTo"}
    assert set(failures(type=kind, isDefault=False, validFrom=None)) == {"validFrom"}
    assert set(failures(type=kind, isDefault=False, validTo=None)) == {"validTo"}
    with pytest.raises(ValidationError) as raised:
        ScheduleInput.model_validate({"name": "Beach", "type": kind, "timezone": "UTC"})
    assert {error["loc"] for error in raised.value.errors()} == {("validFrom",), ("validTo",)}
    for other in ("DEFAULT", "TEMPORARY"):
        assert failures(type=other, isDefault=False, validFrom=None, validTo=None) == {}


def test_unknown_fields_are_refused_wherever_they_are() -> None:
    interval = {"from": "09:00", "to": "10:00", "note": "x"}
    found = failures(
        id="1",
        weekly=[{"day": "MONDAY", "intervals": [interval], "open": True}],
        overrides=[{**on_date("2027-01-01"), "x": 1}],
    )
    assert set(found) == {"id", "weekly/0/open", "weekly/0/intervals/0/note", "overrides/0/x"}
    assert set(failures(valid_from="2027-01-01")) == {"valid_from"}


@pytest.mark.parametrize("wrong", [None, {}, "x", [None], [[]], [{}], [{"day": [], "intervals": {}}]])
def test_other_shapes_are_failures_and_not_crashes(wrong: Any) -> None:
    assert failures(weekly=wrong)
    assert failures(weekly=[{"day": "MONDAY", "intervals": wrong}])


def test_all_failures_are_told_at_once() -> None:
    found = failures(
        name=" ",
        timezone="Mars/Olympus",
        weekly=[
            {"day": "MONDAY", "intervals": hours("12:00-13:00", "09:00-25:00", "08:00-07:00")},
            {"day": "MONDAY", "intervals": []},
        ],
        overrides=[on_date("2027-13-01")],
        bookingWindowDays=1,
        minimumNotice=5000,
        bufferBefore=181,
        validTo="2026-01-01",
        maximumDuration=20,
        extra=1,
    )
    assert set(found) == {
        "name",
        "timezone",
        "weekly/0/intervals/1/from",
        "weekly/0/intervals/1/to",
        "weekly/0/intervals/2/from",
        "weekly/0/intervals/2/to",
        "weekly/1/day",
        "overrides/0/date",
        "minimumNotice",
        "bufferBefore",
        "validTo",
        "maximumDuration",
        "extra",
    }
