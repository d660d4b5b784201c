"""A coach's schedule as the slot engine reads it: lenient, because stored rows are already validated."""

import re
from collections.abc import Callable, Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic.alias_generators import to_camel

from coachline.models import TimeZoneName

Hours = tuple[tuple[int, int], ...]
"""Half-open intervals of one date in minutes past midnight, ascending, neither overlapping nor touching."""

_WALL_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class ScheduleType(StrEnum):
    """One applies on a date: VACATION closes it, else OVERRIDE, HOLIDAY, TEMPORARY, DEFAULT in that order."""

    DEFAULT = "DEFAULT"
    HOLIDAY = "HOLIDAY"
    VACATION = "VACATION"
    OVERRIDE = "OVERRIDE"
    TEMPORARY = "TEMPORARY"


class Weekday(StrEnum):
    """ISO weekdays, Monday first."""

    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


def parse_wall_time(value: Any) -> int:
    """Minutes past midnight of "HH:MM", 00:00 to 24:00. Raises ValueError for anything else."""
    if not isinstance(value, str) or not _WALL_TIME.fullmatch(value):
        raise ValueError("must be a time as HH:MM, 00:00 to 24:00")
    return int(value[:2]) * 60 + int(value[3:])


def format_wall_time(minute: int) -> str:
    """The minutes past midnight as "HH:MM"."""
    return f"{minute // 60:02}:{minute % 60:02}"


def is_date(text: str) -> bool:
    """Whether the text is a date of the calendar as YYYY-MM-DD."""
    try:
        return bool(_DATE.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False


def _parse_date(value: Any) -> date:
    # pydantic alone would also take a timestamp, or a datetime at midnight.
    if type(value) is date:
        return value
    if isinstance(value, str) and is_date(value):
        return date.fromisoformat(value)
    raise ValueError("must be a date as YYYY-MM-DD")


WallTime = Annotated[
    int,
    BeforeValidator(parse_wall_time),
    PlainSerializer(format_wall_time, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", "examples": ["09:00"]}),
]
"""A reading of a wall clock, "HH:MM" outside, minutes past midnight inside. 24:00 is the next date's 00:00."""

PlainDate = Annotated[date, BeforeValidator(_parse_date)]
"""A calendar date of the schedule's own zone: YYYY-MM-DD and nothing else."""


class _Lenient(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True, defer_build=True
    )


class Interval(_Lenient):
    """Open from `from` until just before `to`, on one date."""

    from_: WallTime = Field(alias="from")
    to: WallTime

    @field_validator("to")
    @classmethod
    def _after_from(cls, to: int, info: ValidationInfo) -> int:
        return end_after_start(to, info)


def end_after_start(to: int, info: ValidationInfo) -> int:
    """For the field after `from_`: `to` itself. Raises ValueError unless it is the later one."""
    if to <= info.data.get("from_", -1):
        raise ValueError("must be later than `from`; an interval cannot cross midnight, use two")
    return to


class DayHours(_Lenient):
    """The intervals of one weekday."""

    day: Weekday
    intervals: tuple[Interval, ...] = ()


class DateHours(_Lenient):
    """The intervals of one date, in place of its weekday's. None: closed."""

    date: PlainDate
    intervals: tuple[Interval, ...] = ()


class Schedule(_Lenient):
    """Weekly hours with overrides in the schedule's own zone, and what every booking in them must keep to.

    Minutes for buffers, step and notice; `valid_from` and `valid_to` are inclusive dates of `timezone`, open where
    absent. Without `slot_interval` a slot starts every session length. `id` only settles ties. Other fields that a row
    has are ignored. Raises pydantic's ValidationError.
    """

    id: str | int | None = None
    name: str = ""
    type: ScheduleType = ScheduleType.DEFAULT
    timezone: TimeZoneName
    is_default: bool = True
    weekly: tuple[DayHours, ...] = ()
    overrides: tuple[DateHours, ...] = ()
    buffer_before: int = Field(15, ge=0)
    buffer_after: int = Field(15, ge=0)
    slot_interval: int | None = Field(None, ge=1)
    minimum_notice: int = Field(0, ge=0)
    booking_window_days: int = Field(365, ge=0, le=36_500)
    max_sessions_per_day: int | None = Field(None, ge=0)
    valid_from: PlainDate | None = None
    valid_to: PlainDate | None = None
    minimum_duration: int | None = Field(None, ge=1)
    maximum_duration: int | None = Field(None, ge=1)

    def timetable(self) -> Callable[[int], Hours]:
        """The hours of a date, by ordinal: its override's if it has one, even an empty one, else its weekday's."""
        week: dict[Weekday, list[Interval]] = {day: [] for day in Weekday}
        for entry in self.weekly:
            week[entry.day].extend(entry.intervals)
        dates: dict[int, list[Interval]] = {}
        for override in self.overrides:
            dates.setdefault(override.date.toordinal(), []).extend(override.intervals)

        by_weekday = [_merged(intervals) for intervals in week.values()]
        by_date = {ordinal: _merged(intervals) for ordinal, intervals in dates.items()}
        return lambda ordinal: by_date[ordinal] if ordinal in by_date else by_weekday[(ordinal - 1) % 7]


def _merged(intervals: Iterable[Interval]) -> Hours:
    """The intervals in order: those that overlap or touch become one, and so share one grid of starts."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted((interval.from_, interval.to) for interval in intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
