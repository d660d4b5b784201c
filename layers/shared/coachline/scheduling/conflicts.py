"""What stands against a schedule, stored or drafted: other schedules, sessions, busy time elsewhere, its own terms."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import model_validator

from coachline import clock
from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Input, Instant, Output, example
from coachline.scheduling.changes import BookedSession
from coachline.scheduling.coverage import Span, first_closed, stranded
from coachline.scheduling.local_time import MINUTE, MINUTES_PER_DAY, instant, local_date, to_micros
from coachline.scheduling.precedence import in_force, reigns, windows
from coachline.scheduling.schedule import PlainDate, Schedule, ScheduleType
from coachline.scheduling.schedule_input import EXAMPLE, ScheduleInput

BUSY_DAYS = 92
MOST_LISTED = 200
_CLOSING = {ScheduleType.VACATION, ScheduleType.HOLIDAY, ScheduleType.OVERRIDE}


class ConflictKind(StrEnum):
    """What two things cannot both be had, or what can never be."""

    SCHEDULE_OVERLAP = "schedule_overlap"
    SESSION_OUTSIDE = "session_outside"
    BUSY_TIME = "busy_time"
    NO_INTERVAL_LONG_ENOUGH = "no_interval_long_enough"
    DURATIONS_NOT_SOLD = "durations_not_sold"
    NOTICE_LONGER_THAN_WINDOW = "notice_longer_than_window"


class ConflictQuestion(Input):
    """A draft, a stored schedule by its id, or both: the draft as an edit of the stored one."""

    model_config = example(schedule=EXAMPLE, scheduleId=None)

    schedule_id: UUID | None = None
    schedule: ScheduleInput | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.schedule is None and self.schedule_id is None:
            raise ValueError("Send a `schedule`, a `scheduleId` or both")
        return self


class OtherSchedule(Output):
    """A schedule of the same type, which is in force on some of the same dates."""

    id: UUID
    name: str
    type: ScheduleType
    valid_from: PlainDate | None
    valid_to: PlainDate | None


class Conflict(Output):
    """One conflict. `start` and `end` bound the session, the busy time or the overlap where it has bounds."""

    model_config = example(
        kind="session_outside",
        detail="A booked session lies outside of the hours.",
        start="2027-03-08T14:00:00Z",
        end="2027-03-08T15:00:00Z",
        session={
            "id": "36f3a6f7-6b06-4742-97cb-55ba40744261",
            "status": "SCHEDULED",
            "start": "2027-03-08T14:00:00Z",
            "end": "2027-03-08T15:00:00Z",
            "menteeName": "Jordan Rivera",
        },
        schedule=None,
    )

    kind: ConflictKind
    detail: str
    start: Instant | None
    end: Instant | None
    session: BookedSession | None
    schedule: OtherSchedule | None


class Conflicts(Output):
    """All of them, at most 200 of each kind."""

    data: list[Conflict]


def find_conflicts(caller: Caller, question: ConflictQuestion) -> Conflicts:
    """What stands against the schedule if it were stored now. Changes nothing."""
    name = question.schedule_id and str(question.schedule_id)
    context = as_caller(caller).read("availability_context", schedule_id=name, busy_days=BUSY_DAYS)
    stored = [Schedule.model_validate(row) for row in context["schedules"]]
    if question.schedule:
        wanted = question.schedule.as_schedule().model_copy(update={"id": name})
    else:
        [wanted] = [each for each in stored if each.id == name]
    others = [each for each in stored if name is None or each.id != name]
    if wanted.type is ScheduleType.DEFAULT and wanted.is_default:
        others = [each.model_copy(update={"is_default": False}) for each in others]
    shortest, longest = context["minimum_duration"] or 1, context["maximum_duration"] or MINUTES_PER_DAY
    found = [
        *_overlaps(wanted, others),
        *_sessions(wanted, stored, [*others, wanted], context["sessions"]),
        *_busy(wanted, [*others, wanted], context["busy"]),
        *_impossible(wanted, clock.now(), shortest=shortest, longest=longest),
    ]
    return Conflicts(data=found)


def _conflict(kind: ConflictKind, detail: str, **more: Any) -> Conflict:
    nothing = dict.fromkeys(("start", "end", "session", "schedule"))
    return Conflict.model_validate({"kind": kind, "detail": detail, **nothing, **more})


def _overlaps(wanted: Schedule, others: Sequence[Schedule]) -> Iterator[Conflict]:
    first, last = in_force(wanted)
    for other in others:
        since, until = in_force(other)
        counts = other.type is wanted.type and wanted.type is not ScheduleType.DEFAULT
        if counts and since < last and first < until:
            detail = f"{other.name} is in force on some of the same dates and also of type {other.type}: "
            detail += "the one that begins later rules there."
            yield _conflict(ConflictKind.SCHEDULE_OVERLAP, detail, schedule=OtherSchedule.model_validate(other))


def _sessions(
    wanted: Schedule, before: Sequence[Schedule], after: Sequence[Schedule], rows: Sequence[dict[str, Any]]
) -> Iterator[Conflict]:
    """Those that the schedule itself leaves outside, and those that its change would."""
    spans = [_span(row["start"], row["end"]) for row in rows]
    lost = set(stranded(before, after, spans))
    for position, closed in enumerate(first_closed(after, spans)):
        if closed is None:
            continue
        if position in lost or any(reign.schedule is wanted for reign in reigns(after, closed, closed + 1)):
            start, end = spans[position]
            detail = "A booked session lies outside of the hours. It stays booked."
            yield _conflict(ConflictKind.SESSION_OUTSIDE, detail, start=start, end=end, session=rows[position])


def _busy(wanted: Schedule, schedules: Sequence[Schedule], busy: Sequence[Sequence[str]]) -> Iterator[Conflict]:
    """Busy time elsewhere that cuts into hours which the schedule opens."""
    for starts, ends in busy[:MOST_LISTED]:
        start, end = _span(starts, ends)
        opened = windows(schedules, to_micros(start, "start"), to_micros(end, "end"))
        if any(window.schedule is wanted for window in opened):
            detail = "Busy in another calendar while these hours are open: nothing can be booked then."
            yield _conflict(ConflictKind.BUSY_TIME, detail, start=start, end=end)


def _impossible(wanted: Schedule, now: datetime, *, shortest: int, longest: int) -> Iterator[Conflict]:
    if wanted.minimum_notice > wanted.booking_window_days * MINUTES_PER_DAY:
        detail = "The notice is longer than the booking window: nothing can ever be booked."
        yield _conflict(ConflictKind.NOTICE_LONGER_THAN_WINDOW, detail)
    if (wanted.minimum_duration or shortest) > longest or (wanted.maximum_duration or longest) < shortest:
        detail = f"Sessions last from {shortest} to {longest} minutes, and this schedule takes none of these durations."
        yield _conflict(ConflictKind.DURATIONS_NOT_SOLD, detail)
    needed = max(shortest, wanted.minimum_duration or 0)
    if (longest_opening := _longest_opening(wanted, now)) is not None and longest_opening < needed * MINUTE:
        detail = f"No interval is as long as the shortest session, {needed} minutes."
        yield _conflict(ConflictKind.NO_INTERVAL_LONG_ENOUGH, detail)


def _longest_opening(wanted: Schedule, now: datetime) -> int | None:
    """The longest time that it opens on its own in a year from its beginning; None for a closure, or if it is over."""
    since, until = in_force(wanted)
    since = max(since, to_micros(now, "now"))
    until = min(until, instant(wanted.timezone, local_date(wanted.timezone, since) + 366))
    if since >= until or wanted.type is ScheduleType.VACATION:
        return None
    longest, opened_at, open_until = 0, since, since
    for window in windows([wanted.model_copy(update={"is_default": True})], since, until):
        opened_at = opened_at if window.start == open_until else window.start
        open_until = window.end
        longest = max(longest, open_until - opened_at)
    return None if wanted.type in _CLOSING and longest == 0 else longest


def _span(start: str, end: str) -> Span:
    return datetime.fromisoformat(start), datetime.fromisoformat(end)
