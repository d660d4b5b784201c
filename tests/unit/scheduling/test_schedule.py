"""The engine's own model: lenient, because rows come back as they were stored and plans come from anywhere."""

from typing import Any

import pytest
from pydantic import ValidationError

from coachline.scheduling import Schedule
from tests.unit.scheduling.build import NEW_YORK, every_day, hours, on_date, schedule

MONDAY = 1  # the ordinal of 0001-01-01, a Monday

ROW = {
    "id": "7f1f0c0e-0000-4000-8000-000000000001",
    "version": 3,
    "coachId": "7f1f0c0e-0000-4000-8000-000000000002",
    "createdAt": "2027-01-01T00:00:00Z",
    "name": "Weekdays",
    "type": "DEFAULT",
    "timezone": NEW_YORK,
    "isDefault": True,
    "weekly": [{"day": "MONDAY", "intervals": [{"from": "09:00", "to": "17:00"}]}],
    "overrides": [{"date": "2027-03-14", "intervals": [{"from": "10:00", "to": "24:00"}]}],
    "bufferBefore": 15,
    "bufferAfter": 15,
    "slotInterval": 15,
    "minimumNotice": 0,
    "bookingWindowDays": 365,
    "maxSessionsPerDay": None,
    "validFrom": None,
    "validTo": "2027-12-31",
    "minimumDuration": None,
    "maximumDuration": 120,
}


def test_a_row_goes_in_and_comes_out_with_its_own_names() -> None:
    out = Schedule.model_validate(ROW).model_dump(by_alias=True, mode="json")
    assert out == {name: ROW[name] for name in out}
    assert ROW.keys() - out.keys() == {"version", "coachId", "createdAt"}


def test_what_is_left_out_has_a_default() -> None:
    coach = Schedule.model_validate({"timezone": "UTC"})
    assert (coach.type, coach.is_default, coach.weekly, coach.overrides) == ("DEFAULT", True, (), ())
    assert (coach.buffer_before, coach.buffer_after, coach.slot_interval) == (15, 15, None)
    assert (coach.minimum_notice, coach.booking_window_days, coach.max_sessions_per_day) == (0, 365, None)


def test_can_be_made_by_python_names() -> None:
    assert Schedule(timezone="UTC", buffer_before=5).buffer_before == 5


@pytest.mark.parametrize(
    ("spans", "merged"),
    [
        ((), ()),
        (("09:00-10:00", "10:00-11:00"), ((540, 660),)),
        (("11:00-12:00", "09:00-10:00"), ((540, 600), (660, 720))),
        (("09:00-12:00", "10:00-11:00", "11:30-24:00"), ((540, 1440),)),
    ],
)
def test_intervals_are_sorted_and_merged(spans: tuple[str, ...], merged: tuple[Any, ...]) -> None:
    assert schedule(weekly=every_day(*spans)).timetable()(MONDAY) == merged
    override = schedule(weekly=every_day("01:00-02:00"), overrides=[on_date("0001-01-01", *spans)])
    assert override.timetable()(MONDAY) == merged


def test_a_weekday_or_date_given_twice_has_the_intervals_of_both() -> None:
    twice = [{"day": "MONDAY", "intervals": hours("09:00-10:00")}, {"day": "MONDAY", "intervals": hours("09:30-11:00")}]
    assert schedule(weekly=twice).timetable()(MONDAY) == ((540, 660),)
    dates = [on_date("0001-01-01", "09:00-10:00"), on_date("0001-01-01", "20:00-21:00")]
    assert schedule(overrides=dates).timetable()(MONDAY) == ((540, 600), (1200, 1260))


def test_weekdays_are_iso_weekdays() -> None:
    week = [{"day": each["day"], "intervals": hours(f"0{number}:00-12:00")} for number, each in enumerate(every_day())]
    coach = schedule(weekly=week)
    assert [coach.timetable()(MONDAY + day)[0][0] // 60 for day in range(7)] == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(("field", "value"), [("slotInterval", 1), ("bookingWindowDays", 36_500), ("bufferAfter", 600)])
def test_accepts_more_than_the_api_does(field: str, value: int) -> None:
    assert schedule(**{field: value}).model_dump(by_alias=True)[field] == value


@pytest.mark.parametrize(
    "wrong",
    [
        {"timezone": "../../etc/passwd"},
        {"timezone": "america/new_york"},
        {"type": "SOMETIMES"},
        {"slotInterval": 0},
        {"bookingWindowDays": 36_501},
        {"bufferBefore": -1},
        {"minimumNotice": -1},
        {"weekly": [{"day": "Monday", "intervals": []}]},
        {"weekly": every_day("10:00-10:00")},
        {"weekly": every_day("22:00-02:00")},
        {"weekly": every_day("9:00-10:00")},
        {"weekly": every_day("09:00-24:01")},
        {"weekly": [{"day": "MONDAY", "intervals": [{"from": 540, "to": 600}]}]},
        {"overrides": [on_date("2027-02-30")]},
        {"overrides": [on_date("2027-02-03T00:00:00")]},
        {"validFrom": 1_800_000_000},
    ],
)
def test_refuses_what_means_nothing(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        schedule(**wrong)
