"""Why a start is not offered, in the words of a calendar: which rule refuses it, and of which schedule. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from coachline.scheduling.coverage import first_closed
from coachline.scheduling.local_time import to_micros
from coachline.scheduling.precedence import Source, reigns, source_at
from coachline.scheduling.schedule import Schedule, ScheduleType
from coachline.scheduling.slots import Reason, refusal_reason

Explanation = Reason | Literal["duration", "vacation", "holiday", "override"]


def takes(schedule: Schedule, minutes: int) -> bool:
    """Whether a schedule takes sessions of this length."""
    return (schedule.minimum_duration or 0) <= minutes <= (schedule.maximum_duration or minutes)


def for_length(schedule: Schedule, minutes: int) -> Schedule:
    """A schedule that does not take sessions of this length still rules its dates, but opens nothing on them."""
    return schedule if takes(schedule, minutes) else schedule.model_copy(update={"weekly": (), "overrides": ()})


def explain(
    schedules: Sequence[Schedule], *, start: datetime, duration: int, **diary: Any
) -> tuple[Explanation | None, Schedule | None]:
    """Why `open_slots` does not offer `start`, None when it does; and the schedule that ruled, None when none did.

    `schedules` as stored, whatever lengths they take; the other arguments and errors are those of `refusal_reason`.
    """
    usable = [for_length(each, duration) for each in schedules]
    reason: Explanation | None = refusal_reason(usable, start=start, duration=duration, **diary)
    [closed] = first_closed(schedules, [(start, start + timedelta(minutes=duration))])
    at = to_micros(start, "start") if closed is None else closed
    ruling = next((reign.schedule for reign in reigns(schedules, at, at + 1)), None)
    if reason != "outside_hours" or ruling is None:
        return reason, ruling
    if closed is None:  # open, but not for this length: then a part of it is ruled by a schedule that does not take it
        return "duration", next(
            (each for each in _ruling(schedules, start, duration) if not takes(each, duration)), ruling
        )
    by_type: dict[ScheduleType, Explanation] = {
        ScheduleType.VACATION: "vacation",
        ScheduleType.HOLIDAY: "holiday",
        ScheduleType.OVERRIDE: "override",
    }
    return by_type.get(ruling.type, "override" if source_at(ruling, at) is Source.OVERRIDE else reason), ruling


def _ruling(schedules: Sequence[Schedule], start: datetime, duration: int) -> list[Schedule]:
    first = to_micros(start, "start")
    last = to_micros(start + timedelta(minutes=duration), "end")
    return [reign.schedule for reign in reigns(schedules, first, last)]
