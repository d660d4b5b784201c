"""From windows to slots, rule by rule. 2027-03-08 is a Monday, and 09:00 in New York is 14:00 UTC on it."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from coachline.scheduling import open_slots
from tests.unit.scheduling.build import every_day, hours, on_date, schedule, slots, times, utc

MONDAY = "2027-03-08"


def test_the_booking_story() -> None:
    coach = schedule(
        weekly=[{"day": "MONDAY", "intervals": hours("09:00-17:00")}],
        overrides=[on_date("2027-03-14", "10:00-12:00")],
        bufferBefore=15,
        bufferAfter=15,
        slotInterval=15,
    )
    found = slots(coach, start="2027-03-08", end="2027-03-15 12:00")
    assert len(found) == 29 + 5
    assert (found[0], found[28]) == ("2027-03-08 14:00", "2027-03-08 21:00")
    assert found[29:] == [f"2027-03-14 {time}" for time in ("14:00", "14:15", "14:30", "14:45", "15:00")]


class TestGrid:
    def test_starts_at_the_interval_and_not_on_the_hour(self) -> None:
        coach = schedule(overrides=[on_date(MONDAY, "09:10-11:00", "12:25-13:00")], slotInterval=30)
        assert times(coach, day=MONDAY, duration=30) == "14:10 14:40 15:10 17:25"

    def test_without_a_step_a_slot_starts_every_session_length(self) -> None:
        coach = schedule(overrides=[on_date(MONDAY, "09:00-11:00")], slotInterval=None)
        assert times(coach, day=MONDAY, duration=40) == "14:00 14:40 15:20"

    def test_is_not_moved_by_now_notice_range_or_bookings(self) -> None:
        coach = schedule(overrides=[on_date(MONDAY, "09:00-13:00")], slotInterval=30, minimumNotice=7)
        busy = [(utc(f"{MONDAY} 15:03"), utc(f"{MONDAY} 15:10"))]
        found = slots(
            coach, start=f"{MONDAY} 14:05", end=f"{MONDAY} 17:01", duration=30, now=f"{MONDAY} 14:10", busy=busy
        )
        assert [each[-5:] for each in found] == ["14:30", "15:30", "16:00", "16:30", "17:00"]

    def test_touching_and_overlapping_intervals_share_one_grid(self) -> None:
        coach = schedule(overrides=[on_date(MONDAY, "10:30-11:00", "09:00-10:10", "10:10-10:40")], slotInterval=45)
        assert times(coach, day=MONDAY, duration=45) == "14:00 14:45"
        assert times(coach, day=MONDAY, duration=30) == "14:00 14:45 15:30"

    def test_each_date_begins_its_own(self) -> None:
        coach = schedule(weekly=every_day("00:00-24:00"), slotInterval=700)
        assert times(coach, day="2027-06-01", duration=5) == "03:20 04:00 15:40"

    def test_steps_are_elapsed_minutes_through_a_change_of_the_clocks(self) -> None:
        coach = schedule(overrides=[on_date("2027-11-07", "00:30-02:30")], slotInterval=45)
        assert times(coach, day="2027-11-07", duration=15) == "04:30 05:15 06:00 06:45"


class TestAvailability:
    def test_a_session_may_run_through_midnight_when_the_next_date_goes_on(self) -> None:
        coach = schedule(overrides=[on_date("2027-06-01", "22:00-24:00"), on_date("2027-06-02", "00:00-01:00")])
        assert slots(coach, start="2027-06-01", end="2027-06-04", duration=90) == [
            "2027-06-02 02:00",
            "2027-06-02 03:00",
        ]

    def test_but_not_when_there_is_a_minute_between(self) -> None:
        coach = schedule(overrides=[on_date("2027-06-01", "22:00-24:00"), on_date("2027-06-02", "00:01-01:00")])
        assert slots(coach, start="2027-06-01", end="2027-06-04", duration=90) == ["2027-06-02 02:00"]

    def test_a_session_longer_than_a_day_needs_every_date_open(self) -> None:
        coach = schedule(weekly=every_day("00:00-24:00"), overrides=[on_date("2027-06-05")], slotInterval=720)
        found = slots(coach, start="2027-06-03", end="2027-06-07", duration=1440)
        assert found == [
            "2027-06-03 04:00",
            "2027-06-03 16:00",
            "2027-06-04 04:00",
            "2027-06-06 04:00",
            "2027-06-06 16:00",
        ]

    def test_the_last_slot_ends_with_the_interval(self) -> None:
        coach = schedule(overrides=[on_date(MONDAY, "09:00-11:59")])
        assert times(coach, day=MONDAY) == "14:00 15:00"

    def test_an_override_replaces_the_weekday_and_an_empty_one_closes_it(self) -> None:
        coach = schedule(
            weekly=every_day("09:00-10:00"), overrides=[on_date(MONDAY, "20:00-21:00"), on_date("2027-03-09")]
        )
        found = slots(coach, start="2027-03-08", end="2027-03-11")
        assert found == ["2027-03-09 01:00", "2027-03-10 14:00"]

    def test_lists_starts_from_the_first_instant_until_before_the_last(self) -> None:
        coach = schedule(overrides=[on_date(MONDAY, "09:00-17:00")])
        assert slots(coach, start=f"{MONDAY} 14:00", end=f"{MONDAY} 16:00") == [f"{MONDAY} 14:00", f"{MONDAY} 15:00"]
        assert slots(coach, start=f"{MONDAY} 14:00", end=f"{MONDAY} 14:00") == []
        assert slots(coach, start=f"{MONDAY} 14:00:00.000001", end=f"{MONDAY} 15:00:00.000001") == [f"{MONDAY} 15:00"]

    def test_no_schedule_no_slots(self) -> None:
        assert slots(start="2027-01-01", end="2028-01-01") == []
        assert slots(schedule(), start="2027-01-01", end="2028-01-01") == []


class TestDiary:
    coach = schedule(overrides=[on_date(MONDAY, "09:00-13:00")], slotInterval=30)
    buffered = schedule(overrides=[on_date(MONDAY, "09:00-13:00")], slotInterval=30, bufferBefore=10, bufferAfter=20)

    def taken(self, start: str, end: str) -> Any:
        return [(utc(f"{MONDAY} {start}"), utc(f"{MONDAY} {end}"))]

    @pytest.mark.parametrize("kind", ["busy", "blocked"])
    def test_touching_is_free_and_a_microsecond_more_is_not(self, kind: str) -> None:
        assert times(self.coach, day=MONDAY, **{kind: self.taken("15:00", "16:00")}) == "14:00 16:00 16:30 17:00"
        found = times(self.coach, day=MONDAY, **{kind: self.taken("14:59:59.999999", "16:00:00.000001")})
        assert found == "16:30 17:00"

    @pytest.mark.parametrize("kind", ["busy", "blocked"])
    def test_buffers_keep_their_distance_on_both_sides(self, kind: str) -> None:
        assert times(self.buffered, day=MONDAY, **{kind: self.taken("15:20", "15:50")}) == "14:00 16:00 16:30 17:00"
        assert times(self.buffered, day=MONDAY, **{kind: self.taken("15:19", "15:51")}) == "16:30 17:00"

    def test_buffers_are_not_required_inside_the_hours(self) -> None:
        assert times(self.buffered, day=MONDAY) == "14:00 14:30 15:00 15:30 16:00 16:30 17:00"

    def test_what_lies_outside_the_range_or_the_hours_still_blocks(self) -> None:
        found = slots(self.buffered, start=f"{MONDAY} 14:00", end=f"{MONDAY} 14:30", busy=self.taken("13:00", "13:51"))
        assert found == []
        found = slots(self.buffered, start=f"{MONDAY} 17:00", end=f"{MONDAY} 17:30", busy=self.taken("18:19", "19:00"))
        assert found == []

    def test_intervals_in_any_order_overlapping_nested_or_empty(self) -> None:
        busy = self.taken("16:00", "16:10") + self.taken("14:30", "15:30") + self.taken("14:40", "14:50")
        busy += self.taken("17:10", "17:10")
        assert times(self.coach, day=MONDAY, busy=busy, duration=30) == "14:00 15:30 16:30 17:00 17:30"

    def test_intervals_of_other_zones_mean_their_instants(self) -> None:
        fold = datetime(2027, 11, 7, 1, 0, fold=1, tzinfo=ZoneInfo("America/New_York"))
        coach = schedule(overrides=[on_date("2027-11-07", "00:00-03:00")])
        busy = [(fold, (fold.astimezone(UTC) + timedelta(hours=1)).astimezone(timezone(timedelta(hours=9))))]
        assert times(coach, day="2027-11-07", busy=busy) == "04:00 05:00 07:00"


class TestLimits:
    coach = schedule(weekly=every_day("09:00-12:00"), minimumNotice=90, bookingWindowDays=2)

    def test_notice_is_elapsed_and_exactly_enough_is_enough(self) -> None:
        assert times(self.coach, day=MONDAY, now=f"{MONDAY} 12:30") == "14:00 15:00 16:00"
        assert times(self.coach, day=MONDAY, now=f"{MONDAY} 12:30:00.000001") == "15:00 16:00"
        coach = schedule(overrides=[on_date("2027-03-14", "03:00-04:00")], minimumNotice=60)
        assert times(coach, day="2027-03-14", now="2027-03-14 06:00") == "07:00"

    def test_what_has_begun_cannot_be_booked_even_without_notice(self) -> None:
        coach = schedule(weekly=every_day("09:00-12:00"))
        assert times(coach, day=MONDAY, now=f"{MONDAY} 15:00") == "15:00 16:00"
        assert times(coach, day=MONDAY, now=f"{MONDAY} 15:01") == "16:00"

    def test_the_window_includes_all_of_its_last_local_date(self) -> None:
        coach = schedule(weekly=every_day("00:00-24:00"), slotInterval=720, bookingWindowDays=2)
        # 23:30 on the 7th in New York, though it is the 8th in UTC.
        found = slots(coach, start="2027-03-01", end="2027-04-01", now="2027-03-08 04:30")
        assert found == ["2027-03-08 05:00", "2027-03-08 17:00", "2027-03-09 05:00", "2027-03-09 17:00"]

    def test_a_window_of_no_days_is_today(self) -> None:
        coach = schedule(weekly=every_day("09:00-11:00"), bookingWindowDays=0)
        assert slots(coach, start="2027-03-01", end="2027-04-01", now="2027-03-08 06:00") == [
            "2027-03-08 14:00",
            "2027-03-08 15:00",
        ]

    def test_a_window_of_a_hundred_years(self) -> None:
        coach = schedule(weekly=every_day("09:00-10:00"), bookingWindowDays=36_500)
        assert times(coach, day="2099-07-01", now="2027-03-08") == "13:00"

    def test_the_cap_counts_starts_by_local_date(self) -> None:
        coach = schedule(weekly=every_day("22:00-24:00"), maxSessionsPerDay=2)
        # Both on the 8th in New York, one of them on the 9th in UTC.
        booked = [utc("2027-03-08 15:00"), utc("2027-03-09 03:30")]
        assert slots(coach, start="2027-03-08 12:00", end="2027-03-10 12:00", session_starts=booked) == [
            "2027-03-10 03:00",
            "2027-03-10 04:00",
        ]
        assert len(slots(coach, start="2027-03-08 12:00", end="2027-03-10 12:00", session_starts=booked[1:])) == 4

    def test_a_cap_of_none_is_no_cap_and_of_nothing_is_closed(self) -> None:
        booked = [utc(f"{MONDAY} 09:00")] * 50
        assert times(schedule(weekly=every_day("09:00-10:00")), day=MONDAY, session_starts=booked) == "14:00"
        assert times(schedule(weekly=every_day("09:00-10:00"), maxSessionsPerDay=0), day=MONDAY) == ""


class TestRefusedArguments:
    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"duration": 0}, "duration must be"),
            ({"duration": -15}, "duration must be"),
            ({"start": datetime(2027, 3, 8)}, "start must be an aware"),  # noqa: DTZ001 - the fault
            ({"end": datetime(2027, 3, 9)}, "end must be an aware"),  # noqa: DTZ001 - the fault
            ({"now": datetime(2027, 3, 1)}, "now must be an aware"),  # noqa: DTZ001 - the fault
            ({"start": utc("2027-03-09 00:00:01")}, "start must not be later than end"),
            ({"busy": [(utc(MONDAY), datetime(2027, 3, 9))]}, "its end must be an aware"),  # noqa: DTZ001 - the fault
            ({"blocked": [(utc("2027-03-09"), utc(MONDAY))]}, "the start of a blocked interval must not be later"),
            ({"session_starts": [datetime(2027, 3, 9)]}, "a session start must be an aware"),  # noqa: DTZ001 - the fault
        ],
    )
    def test_are_value_errors(self, wrong: dict[str, Any], message: str) -> None:
        good = {"duration": 60, "start": utc(MONDAY), "end": utc("2027-03-09"), "now": utc("2027-03-01")}
        with pytest.raises(ValueError, match=message):
            open_slots([schedule()], **{**good, **wrong})

    def test_the_whole_calendar_is_a_range(self) -> None:
        first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        coach = schedule(weekly=every_day("09:00-10:00"), bookingWindowDays=3)
        asked: dict[str, Any] = {"duration": 60, "start": first, "end": last}
        assert len(open_slots([coach], **asked, now=utc(MONDAY), busy=[(first, first), (last, last)])) == 3
        assert open_slots([coach], **asked, now=last) == []
        assert len(open_slots([coach], **asked, now=first)) <= 5
