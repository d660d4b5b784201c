"""The slot rules once more, slow and obvious: walk through time minute by minute and look at each schedule's clock.

It shares no code with the engine, reads the schedules' plain JSON, and never converts a wall time to an instant: it
only asks what a clock shows. Such a clock is read as one that is never turned back: it keeps showing the latest reading
until time catches up. So a skipped reading is passed at the change, and a repeated one counts the first time. Exact
where every offset is a whole number of minutes, which holds everywhere since 1972.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

Json = dict[str, Any]
Range = tuple[datetime, datetime]

MINUTE = timedelta(minutes=1)
DAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
STRENGTH = ["DEFAULT", "TEMPORARY", "HOLIDAY", "OVERRIDE", "VACATION"]


@cache
def _day_of_readings(zone: str, day: date) -> list[tuple[datetime, datetime]]:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    minutes = _minutes(midnight, midnight + timedelta(days=1))
    return [(at, at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)) for at in minutes]


class Clock:
    """What a wall clock that is never turned back shows in a zone, for each minute of the UTC dates [first, last]."""

    def __init__(self, zone: str, first: date, last: date) -> None:
        self.readings: dict[datetime, datetime] = {}
        self.first_shows = cache(self._first_shows)
        latest = datetime.min  # noqa: DTZ901 - a wall reading has no zone
        for days in range((last - first).days + 1):
            for at, reading in _day_of_readings(zone, first + timedelta(days=days)):
                latest = max(latest, reading)
                self.readings[at] = latest

    def _first_shows(self, wall: datetime) -> datetime:
        """The minute at which it shows `wall`, or has just skipped it."""
        return next(at for at, reading in self.readings.items() if reading >= wall)


class _Coach:
    """The schedules with their clocks, asked about one minute at a time."""

    def __init__(self, schedules: Sequence[Json], first: date, last: date) -> None:
        self.schedules = schedules
        by_zone = {zone: Clock(zone, first, last) for zone in {each["timezone"] for each in schedules}}
        self.clocks = [by_zone[each["timezone"]] for each in schedules]
        self._ruling_on = cache(self._find_ruling)
        self._hours_on = cache(self._find_hours)

    def ruling(self, at: datetime) -> int | None:
        return self._ruling_on(*(clock.readings[at].date() for clock in self.clocks))

    def _find_ruling(self, *todays: date) -> int | None:
        in_force = []
        for number, (schedule, today) in enumerate(zip(self.schedules, todays, strict=True)):
            begins, ends = schedule.get("validFrom") or "0001-01-01", schedule.get("validTo") or "9999-12-31"
            if begins <= today.isoformat() <= ends and (schedule["type"] != "DEFAULT" or schedule["isDefault"]):
                in_force.append((STRENGTH.index(schedule["type"]), begins, schedule["id"], number))
        return max(in_force)[-1] if in_force else None

    def _find_hours(self, number: int, day: date) -> tuple[set[int], list[int]]:
        """The minutes of the date that are open on the wall clock, and those of them before which it was closed."""
        schedule = self.schedules[number]
        own = [entry for entry in schedule["overrides"] if entry["date"] == day.isoformat()]
        entries = own or [entry for entry in schedule["weekly"] if entry["day"] == DAYS[day.weekday()]]
        given = [each for entry in entries for each in entry["intervals"]]
        minutes = {minute for each in given for minute in range(_minute(each["from"]), _minute(each["to"]))}
        return minutes, [minute for minute in minutes if minute - 1 not in minutes]

    def open(self, at: datetime) -> bool:
        number = self.ruling(at)
        if number is None or self.schedules[number]["type"] == "VACATION":
            return False
        reading = self.clocks[number].readings[at]
        minutes, _ = self._hours_on(number, reading.date())
        return reading.hour * 60 + reading.minute in minutes

    def on_grid(self, number: int, at: datetime, duration: int) -> bool:
        reading = self.clocks[number].readings[at]
        _, openings = self._hours_on(number, reading.date())
        opening = max(minute for minute in openings if minute <= reading.hour * 60 + reading.minute)
        wall = datetime.combine(reading.date(), datetime.min.time()) + timedelta(minutes=opening)
        step = (self.schedules[number].get("slotInterval") or duration) * MINUTE
        return (at - self.clocks[number].first_shows(wall)) % step == timedelta(0)


def reference_slots(
    schedules: Sequence[Json],
    *,
    duration: int,
    start: datetime,
    end: datetime,
    now: datetime,
    busy: Sequence[Range] = (),
    blocked: Sequence[Range] = (),
    session_starts: Sequence[datetime] = (),
) -> list[datetime]:
    """As `open_slots`, for schedules given as JSON."""
    first, last = _whole_minute(start), _whole_minute(end) + MINUTE
    length = duration * MINUTE
    coach = _Coach(schedules, first.date() - timedelta(days=2), (last + length).date())
    open_minutes = {at for at in _minutes(first, last + length) if coach.open(at)}
    slots = []
    for at in _minutes(first, last):
        number = coach.ruling(at)
        if (
            number is not None
            and start <= at < end
            and at in open_minutes
            and coach.on_grid(number, at, duration)
            and all(minute in open_minutes for minute in _minutes(at, at + length))
            and _bookable(schedules[number], at, now)
            and _below_cap(schedules[number], at, session_starts)
            and _free(schedules[number], at, length, [*busy, *blocked])
        ):
            slots.append(at)
    return slots


def _bookable(schedule: Json, at: datetime, now: datetime) -> bool:
    last_date = _date(schedule, now) + timedelta(days=schedule["bookingWindowDays"])
    return at >= now + schedule["minimumNotice"] * MINUTE and _date(schedule, at) <= last_date


def _minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _date(schedule: Json, at: datetime) -> date:
    return at.astimezone(ZoneInfo(schedule["timezone"])).date()


def _below_cap(schedule: Json, at: datetime, session_starts: Sequence[datetime]) -> bool:
    cap = schedule.get("maxSessionsPerDay")
    same_date = [each for each in session_starts if _date(schedule, each) == _date(schedule, at)]
    return cap is None or len(same_date) < cap


def _free(schedule: Json, at: datetime, length: timedelta, taken: Sequence[Range]) -> bool:
    begins = at - schedule["bufferBefore"] * MINUTE
    ends = at + length + schedule["bufferAfter"] * MINUTE
    return not any(begins < until and since < ends and since < until for since, until in taken)


def _whole_minute(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def _minutes(first: datetime, last: datetime) -> Iterator[datetime]:
    while first < last:
        yield first
        first += MINUTE
