"""Which schedule rules: by type, then the latest start, then the highest id; one set of rules per instant."""

from datetime import datetime

import pytest

from coachline.scheduling.precedence import winning_schedule
from tests.unit.scheduling.build import every_day, on_date, schedule, slots, times, utc

DAY = "2027-06-02"
ON_DAY = {"validFrom": DAY, "validTo": DAY}
DEFAULT = schedule(weekly=every_day("09:00-10:00"))


STRONGER = ["TEMPORARY", "HOLIDAY", "OVERRIDE"]


@pytest.mark.parametrize("kind", STRONGER)
def test_each_type_takes_its_dates_from_the_default_and_no_others(kind: str) -> None:
    special = schedule(type=kind, weekly=every_day("20:00-21:00"), **ON_DAY)
    assert slots(DEFAULT, special, start="2027-06-01 12:00", end="2027-06-04 12:00") == [
        "2027-06-01 13:00",
        "2027-06-03 00:00",
        "2027-06-03 13:00",
    ]


@pytest.mark.parametrize("reverse", [False, True])
def test_vacation_closes_then_override_holiday_temporary_default_win_in_that_order(reverse: bool) -> None:
    kinds = ["DEFAULT", *STRONGER]
    found = {}
    for number, strongest in enumerate(kinds):
        several = [schedule(type=kind, weekly=every_day(f"{10 + at}:00-{11 + at}:00")) for at, kind in enumerate(kinds)]
        several = several[: number + 1]
        found[strongest] = times(*(several[::-1] if reverse else several), day=DAY)
    assert found == {"DEFAULT": "14:00", "TEMPORARY": "15:00", "HOLIDAY": "16:00", "OVERRIDE": "17:00"}
    closed = schedule(
        type="VACATION", weekly=every_day("00:00-24:00"), overrides=[on_date(DAY, "09:00-10:00")], **ON_DAY
    )
    assert times(*several, closed, day=DAY) == ""


def test_the_overrides_of_a_losing_schedule_are_ignored() -> None:
    losing = schedule(weekly=every_day("09:00-10:00"), overrides=[on_date(DAY, "15:00-16:00")])
    holiday = schedule(type="HOLIDAY", **ON_DAY)
    assert times(losing, holiday, day=DAY) == ""


def test_the_winner_brings_its_own_override_buffers_step_notice_window_and_cap() -> None:
    winner = schedule(
        type="TEMPORARY",
        weekly=every_day("09:00-12:00"),
        overrides=[on_date(DAY, "10:00-13:00")],
        slotInterval=30,
        bufferBefore=30,
        maxSessionsPerDay=1,
        **ON_DAY,
    )
    busy = [(utc(f"{DAY} 13:00"), utc(f"{DAY} 14:01"))]
    assert times(DEFAULT, winner, day=DAY, busy=busy) == "15:00 15:30 16:00"
    assert times(DEFAULT, winner, day=DAY, session_starts=[utc(f"{DAY} 20:00")]) == ""
    assert times(DEFAULT, winner, day="2027-06-03", session_starts=[utc("2027-06-03 20:00")]) == "13:00"
    short = schedule(type="TEMPORARY", weekly=every_day("09:00-12:00"), bookingWindowDays=1, **ON_DAY)
    assert times(DEFAULT, short, day=DAY, now="2027-05-31 12:00") == ""
    assert times(DEFAULT, short, day="2027-06-03", now="2027-05-31 12:00") == "13:00"
    late = schedule(type="TEMPORARY", weekly=every_day("09:00-12:00"), minimumNotice=1440, **ON_DAY)
    assert times(DEFAULT, late, day=DAY, now="2027-06-01 14:00") == "14:00 15:00"


def test_among_equals_the_latest_start_wins_then_the_highest_id() -> None:
    early = schedule(type="HOLIDAY", id="ff", weekly=every_day("10:00-11:00"), validFrom="2027-05-01")
    late = schedule(type="HOLIDAY", id="aa", weekly=every_day("11:00-12:00"), validFrom="2027-06-01")
    later_id = schedule(type="HOLIDAY", id="AB", weekly=every_day("12:00-13:00"), validFrom="2027-06-01")
    always = schedule(type="HOLIDAY", id="zz", weekly=every_day("13:00-14:00"))
    for several in ([early, late, later_id, always], [always, later_id, late, early]):
        assert times(*several, day=DAY) == "16:00"
        assert times(*several, day="2027-05-15") == "14:00"
        assert times(*several, day="2027-04-15") == "17:00"


def test_numbers_as_ids_compare_as_numbers() -> None:
    nine, ten = (schedule(id=number, weekly=every_day(f"{number:02}:00-{number + 1}:00")) for number in (9, 10))
    assert times(ten, nine, day=DAY) == times(nine, ten, day=DAY) == "14:00"


def test_of_the_default_type_only_the_default_one_counts() -> None:
    spare = schedule(id="zz", isDefault=False, weekly=every_day("20:00-21:00"))
    assert times(DEFAULT, spare, day=DAY) == "13:00"
    assert times(spare, day=DAY) == ""


def test_the_default_too_can_have_a_first_and_a_last_date() -> None:
    coach = schedule(weekly=every_day("09:00-10:00"), validFrom=DAY, validTo="2027-06-03")
    assert slots(coach, start="2027-05-01", end="2027-08-01") == ["2027-06-02 13:00", "2027-06-03 13:00"]


def test_across_zones_a_schedule_rules_its_own_dates() -> None:
    home = schedule(weekly=every_day("09:00-17:00"))
    # 2 June in Tokyo is 15:00 UTC on the 1st to 15:00 UTC on the 2nd.
    tokyo = schedule(type="TEMPORARY", timezone="Asia/Tokyo", weekly=every_day("09:00-11:00"), **ON_DAY)
    found = slots(home, tokyo, start="2027-06-01 12:00", end="2027-06-02 23:00")
    assert [each[8:] for each in found] == [
        "01 13:00",
        "01 14:00",
        "02 00:00",
        "02 01:00",
        *(f"02 {hour}:00" for hour in range(15, 21)),
    ]


def test_the_grid_of_a_date_is_kept_when_another_schedule_covers_its_beginning() -> None:
    home = schedule(weekly=every_day("10:40-17:00"))
    tokyo = schedule(type="VACATION", timezone="Asia/Tokyo", **ON_DAY)
    found = slots(home, tokyo, start="2027-06-02", end="2027-06-02 17:00")
    assert found == ["2027-06-02 15:40", "2027-06-02 16:40"]


def test_a_session_may_run_from_one_schedule_into_the_next() -> None:
    home = schedule(weekly=every_day("22:00-24:00"))
    trip = schedule(type="TEMPORARY", weekly=every_day("00:00-01:00"), slotInterval=30, **ON_DAY)
    found = slots(home, trip, start="2027-06-02", end="2027-06-03", duration=120)
    assert found == ["2027-06-02 02:00", "2027-06-02 03:00"]


def test_the_winning_schedule_of_an_instant() -> None:
    trip = schedule(type="TEMPORARY", **ON_DAY)
    away = schedule(type="VACATION", validFrom="2027-06-03", validTo="2027-06-03")
    several = [DEFAULT, trip, away]
    assert winning_schedule(several, utc("2027-06-02 03:59")) is DEFAULT
    assert winning_schedule(several, utc("2027-06-02 04:00")) is trip
    assert winning_schedule(several, utc("2027-06-03 03:59")) is trip
    assert winning_schedule(several, utc("2027-06-03 04:00")) is None
    assert winning_schedule(several, utc("2027-06-04 04:00")) is DEFAULT
    assert winning_schedule([trip], utc("2027-06-01 12:00")) is None
    assert winning_schedule([], utc("2027-06-01 12:00")) is None
    with pytest.raises(ValueError, match="at must be an aware"):
        winning_schedule(several, datetime(2027, 6, 2))  # noqa: DTZ001 - the fault
