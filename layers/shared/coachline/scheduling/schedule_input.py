"""What the API accepts as a schedule: strict where `Schedule` is lenient, and every failure is listed at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import Annotated, Any, ClassVar, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from coachline import clock
from coachline.models import Input, TimeZoneName, example
from coachline.scheduling.local_time import MINUTES_PER_DAY
from coachline.scheduling.schedule import (
    PlainDate,
    Schedule,
    ScheduleType,
    WallTime,
    Weekday,
    end_after_start,
    is_date,
    parse_wall_time,
)

MAXIMUM_INTERVALS = 24
MAXIMUM_OVERRIDES = 366

EXAMPLE = {
    "name": "Office hours",
    "type": "DEFAULT",
    "timezone": "America/New_York",
    "isDefault": True,
    "weekly": [{"day": "MONDAY", "intervals": [{"from": "09:00", "to": "12:00"}, {"from": "13:00", "to": "17:00"}]}],
    "overrides": [{"date": "2027-03-14", "intervals": [{"from": "10:00", "to": "12:00"}]}],
    "bufferBefore": 15,
    "bufferAfter": 15,
    "slotInterval": 15,
    "minimumNotice": 120,
    "bookingWindowDays": 365,
    "maxSessionsPerDay": 5,
}

_BOUNDED = ("VACATION", "HOLIDAY", "OVERRIDE")

Fault = tuple[tuple[int | str, ...], str]


def _also(find_faults: Callable[[Sequence[Any], ValidationInfo], Iterator[Fault]]) -> WrapValidator:
    """Checks between the items of a list as sent, so that one bad item does not hide what is wrong with the others."""

    def validate(value: Any, handler: Callable[[Any], Any], info: ValidationInfo) -> Any:
        faults = find_faults(value[:MAXIMUM_OVERRIDES], info) if isinstance(value, list) else ()
        return together(value, handler, faults, "schedule")

    return WrapValidator(validate)


def together(value: Any, handler: Callable[[Any], Any], faults: Iterable[Fault], kind: str = "missing") -> Any:
    """What the handler makes of the value, unless there are faults: then those and the handler's own, all at once."""
    problems = [
        InitErrorDetails(type=PydanticCustomError(kind, "{detail}", {"detail": detail}), loc=at, input=None)
        for at, detail in faults
    ]
    try:
        result = handler(value)
    except ValidationError as invalid:
        problems += [
            InitErrorDetails(
                type=PydanticCustomError(error["type"], "{detail}", {"detail": error["msg"]}),
                loc=error["loc"],
                input=error["input"],
            )
            for error in invalid.errors(include_url=False, include_context=False)
        ]
    else:
        if not problems:
            return result
    raise ValidationError.from_exception_data("schedule", problems)


def _out_of_order(intervals: Sequence[Any], _: ValidationInfo) -> Iterator[Fault]:
    previous_end = 0
    for index, interval in enumerate(intervals):
        if isinstance(interval, dict):
            start, end = _minute(interval.get("from")), _minute(interval.get("to"))
            if start is not None and start < previous_end:
                yield (
                    (index, "from"),
                    "must not be before the end of the one before it: sort them, join overlaps",
                )
            previous_end = max(previous_end, end or 0)


def _minute(value: Any) -> int | None:
    try:
        return parse_wall_time(value)
    except ValueError:
        return None


def _repeated(key: str) -> Callable[[Sequence[Any], ValidationInfo], Iterator[Fault]]:
    def find(entries: Sequence[Any], _: ValidationInfo) -> Iterator[Fault]:
        seen: set[str] = set()
        for index, entry in enumerate(entries):
            value = entry.get(key) if isinstance(entry, dict) else None
            if isinstance(value, str):
                if value in seen:
                    yield (index, key), f"appears twice: put all intervals of one {key} together"
                seen.add(value)

    return find


def past_dates(entries: Sequence[Any], zone: str) -> Iterator[Fault]:
    """Overrides, as sent, of dates that are over where the schedule is."""
    today = clock.now().astimezone(ZoneInfo(zone)).date().isoformat()
    for index, entry in enumerate(entries):
        day = entry.get("date") if isinstance(entry, dict) else None
        if isinstance(day, str) and is_date(day) and day < today:
            yield (index, "date"), f"is over: it is {today} in {zone}"


def _already_past(entries: Sequence[Any], info: ValidationInfo) -> Iterator[Fault]:
    zone = info.data.get("timezone")
    return past_dates(entries, zone) if zone else iter(())


class IntervalInput(Input):
    """Open from `from` until just before `to`."""

    from_: Annotated[WallTime, Field(alias="from")]
    to: WallTime

    @field_validator("to")
    @classmethod
    def _after_from(cls, to: int, info: ValidationInfo) -> int:
        return end_after_start(to, info)


Intervals = Annotated[list[IntervalInput], Field(max_length=MAXIMUM_INTERVALS), _also(_out_of_order)]


class DayHoursInput(Input):
    """The intervals of one weekday, sorted and disjoint."""

    day: Weekday
    intervals: Intervals


class DateHoursInput(Input):
    """The intervals of one date in place of its weekday's; none close it."""

    date: PlainDate
    intervals: Intervals


def _in_fives(minutes: int) -> int:
    if minutes % 5:
        raise ValueError("must be a multiple of 5 minutes")
    return minutes


def _not_blank(name: str) -> str:
    if not name.strip():
        raise ValueError("must not be blank")
    return name


Week = Annotated[list[DayHoursInput], Field(max_length=7), _also(_repeated("day"))]
Overrides = Annotated[list[DateHoursInput], Field(max_length=MAXIMUM_OVERRIDES), _also(_repeated("date"))]
SessionMinutes = Annotated[int, Field(ge=15, le=240), AfterValidator(_in_fives)]


class ScheduleInput(Input):
    """Weekly hours and date overrides on the wall clock of one zone, and what every booking in them must keep to."""

    model_config = example(**EXAMPLE)

    name: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_not_blank)]
    type: ScheduleType = ScheduleType.DEFAULT
    timezone: TimeZoneName
    is_default: bool = False
    weekly: Week = Field(default_factory=list)
    overrides: Overrides = Field(default_factory=list)
    buffer_before: Annotated[int, Field(ge=0, le=180)] = 15
    buffer_after: Annotated[int, Field(ge=0, le=180)] = 15
    slot_interval: Annotated[int, Field(ge=5, le=720)] = 15
    booking_window_days: Annotated[int, Field(ge=1, le=730)] = 365
    minimum_notice: Annotated[int, Field(ge=0)] = 0
    max_sessions_per_day: Annotated[int, Field(ge=1, le=288)] | None = None
    valid_from: PlainDate | None = None
    valid_to: PlainDate | None = None
    minimum_duration: SessionMinutes | None = None
    maximum_duration: SessionMinutes | None = None

    whole: ClassVar[bool] = True  # a patch is looked at together with what it is applied to

    @model_validator(mode="wrap")
    @classmethod
    def _bounded(cls, document: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        kind = document.get("type") if cls.whole and isinstance(document, dict) else None
        absent = (
            [bound for bound in ("validFrom", "validTo") if document.get(bound) is None] if kind in _BOUNDED else []
        )
        reason = f"is needed: without it, {kind} would replace the everyday hours for good"
        made: Self = together(document, handler, [((bound,), reason) for bound in absent])
        return made

    # Each compares with fields before its own, so these failures are found together with all others.
    @field_validator("is_default")
    @classmethod
    def _default_of_type_default(cls, is_default: bool, info: ValidationInfo) -> bool:
        if is_default and info.data.get("type", ScheduleType.DEFAULT) is not ScheduleType.DEFAULT:
            raise ValueError("only a schedule of type DEFAULT can be the default")
        return is_default

    @field_validator("minimum_notice")
    @classmethod
    def _within_window(cls, notice: int, info: ValidationInfo) -> int:
        days = info.data.get("booking_window_days")
        if days is not None and notice > days * MINUTES_PER_DAY:
            raise ValueError("must not be longer than the booking window, or nothing could be booked")
        return notice

    @field_validator("valid_to")
    @classmethod
    def _not_before_valid_from(cls, valid_to: date | None, info: ValidationInfo) -> date | None:
        valid_from = info.data.get("valid_from")
        if valid_to and valid_from and valid_to < valid_from:
            raise ValueError("must not be before `validFrom`")
        return valid_to

    @field_validator("maximum_duration")
    @classmethod
    def _not_below_minimum(cls, maximum: int | None, info: ValidationInfo) -> int | None:
        minimum = info.data.get("minimum_duration")
        if maximum and minimum and maximum < minimum:
            raise ValueError("must not be less than `minimumDuration`")
        return maximum

    def as_schedule(self) -> Schedule:
        """The same schedule for the slot engine, to preview it or to find its conflicts."""
        return Schedule.model_validate(self.model_dump(by_alias=True))


class NewSchedule(ScheduleInput):
    """A schedule to store: as above, and with no override for a date that is over."""

    overrides: Annotated[Overrides, _also(_already_past)] = Field(default_factory=list)
