"""Which schedule rules at an instant, and the windows of time that the ruling schedules open.

A schedule is in force from the first instant of `valid_from` to the last of `valid_to`, dates of its own zone; without
them, always. Of the schedules in force one rules: VACATION, which closes, then OVERRIDE, HOLIDAY, TEMPORARY, DEFAULT;
among equals the one with the latest `valid_from`, then the highest id, then the last
in the sequence. Of type DEFAULT only the default one counts.

Within one zone this is one ruling schedule per local date. Across zones each schedule rules its own dates, so a week
in Tokyo begins and ends at midnight there, and no instant ever has two sets of rules.
"""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from operator import itemgetter
from typing import NamedTuple

from coachline.scheduling.local_time import EARLIEST, LATEST, instant, local_date, to_micros
from coachline.scheduling.schedule import Schedule, ScheduleType

_RANK = {
    ScheduleType.DEFAULT: 0,
    ScheduleType.TEMPORARY: 1,
    ScheduleType.HOLIDAY: 2,
    ScheduleType.OVERRIDE: 3,
    ScheduleType.VACATION: 4,
}


class Source(StrEnum):
    """Where a ruling schedule's hours of a date come from."""

    WEEKLY = "WEEKLY"
    OVERRIDE = "OVERRIDE"
    VACATION = "VACATION"


class Reign(NamedTuple):
    """The instants [start, end) in which `schedule` rules."""

    start: int
    end: int
    schedule: Schedule


class Window(NamedTuple):
    """The instants [start, end) of one interval of one local date; its grid of starts counts from `anchor`."""

    start: int
    end: int
    anchor: int
    ordinal: int
    schedule: Schedule


def winning_schedule(schedules: Sequence[Schedule], at: datetime) -> Schedule | None:
    """The schedule whose buffers, step, notice, window and cap apply at `at`, whether open then or not.

    None when a vacation closes that instant or no schedule is in force. Raises ValueError for a naive `at`.
    """
    micros = to_micros(at, "at")
    for reign in reigns(schedules, micros, micros + 1):
        if reign.schedule.type is not ScheduleType.VACATION:
            return reign.schedule
    return None


def source_at(schedule: Schedule, at: int) -> Source:
    """Where a schedule's hours at an instant come from."""
    if schedule.type is ScheduleType.VACATION:
        return Source.VACATION
    today = date.fromordinal(local_date(schedule.timezone, at))
    return Source.OVERRIDE if any(each.date == today for each in schedule.overrides) else Source.WEEKLY


def reigns(schedules: Sequence[Schedule], first: int, last: int) -> list[Reign]:
    """Who rules when between the instants `first` and `last`, in order and disjoint."""
    found: list[Reign] = []
    free = [(first, last)]
    for schedule in _by_precedence(schedules):
        begin, end = in_force(schedule)
        left: list[tuple[int, int]] = []
        for start, stop in free:
            taken_from, taken_to = max(start, begin), min(stop, end)
            if taken_from >= taken_to:
                left.append((start, stop))
                continue
            found.append(Reign(taken_from, taken_to, schedule))
            left.extend(rest for rest in ((start, taken_from), (taken_to, stop)) if rest[0] < rest[1])
        free = left
    return sorted(found, key=itemgetter(0))


def windows(schedules: Sequence[Schedule], first: int, last: int) -> list[Window]:
    """What the ruling schedules open between the instants `first` and `last`, in order and disjoint."""
    found: list[Window] = []
    for start, end, schedule in reigns(schedules, first, last):
        if schedule.type is ScheduleType.VACATION:
            continue
        zone, hours = schedule.timezone, schedule.timetable()
        for ordinal in range(local_date(zone, start) - 1, local_date(zone, end) + 2):
            for opens, closes in hours(ordinal):
                anchor, until = instant(zone, ordinal, opens), instant(zone, ordinal, closes)
                since, until = max(anchor, start), min(until, end)
                if since < until:
                    found.append(Window(since, until, anchor, ordinal, schedule))
    return found


def _by_precedence(schedules: Sequence[Schedule]) -> list[Schedule]:
    """Highest first. Numbers among the ids sort as numbers, UUIDs as Postgres sorts them."""

    def key(entry: tuple[int, Schedule]) -> tuple[int, int, str, int]:
        position, schedule = entry
        begins = schedule.valid_from.toordinal() if schedule.valid_from else 0
        name = "" if schedule.id is None else str(schedule.id).lower()
        return _RANK[schedule.type], begins, name.rjust(36), position

    counting = [each for each in schedules if each.type is not ScheduleType.DEFAULT or each.is_default]
    return [schedule for _, schedule in sorted(enumerate(counting), key=key, reverse=True)]


def in_force(schedule: Schedule) -> tuple[int, int]:
    """The instants [first, last) in which its dates let it apply."""
    zone = schedule.timezone
    begin = instant(zone, schedule.valid_from.toordinal()) if schedule.valid_from else EARLIEST
    end = instant(zone, schedule.valid_to.toordinal() + 1) if schedule.valid_to else LATEST
    return begin, end
