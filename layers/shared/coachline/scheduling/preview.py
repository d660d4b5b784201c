"""What schedules amount to, date by date: who rules, and what is open on the wall clock and in UTC. Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationInfo, field_validator

from coachline import clock
from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Instant, Output, Query, example
from coachline.scheduling.local_time import instant, to_datetime
from coachline.scheduling.precedence import Reign, Source, Window, reigns, source_at, windows
from coachline.scheduling.schedule import PlainDate, Schedule, ScheduleType

MOST_DAYS = 92


class PreviewQuery(Query):
    """Dates of the schedule's zone, both included: at most 92. Without them, the seven from today on."""

    from_: Annotated[PlainDate | None, Field(alias="from", examples=["2027-03-08"])] = None
    to: Annotated[PlainDate | None, Field(examples=["2027-03-14"])] = None

    @field_validator("to")
    @classmethod
    def _range(cls, to: date | None, info: ValidationInfo) -> date | None:
        start = info.data.get("from_")
        if to and start and to < start:
            raise ValueError("must not be before `from`")
        if to and start and (to - start).days >= MOST_DAYS:
            raise ValueError("must be at most 91 days after `from`, which makes 92 dates")
        if to and "from_" in info.data and not start:
            raise ValueError("needs a `from`")
        return to


class Ruler(Output):
    """A schedule that rules a date or a part of it; `closed` when it opens nothing in that part."""

    schedule_id: UUID
    name: str
    type: ScheduleType
    source: Source
    start: Instant
    end: Instant
    closed: bool


class OpenInterval(Output):
    """An unbroken interval of one schedule, as instants and as a clock in the previewed schedule's zone shows them."""

    schedule_id: UUID
    start: Instant
    end: Instant
    local_start: str
    local_end: str


class PreviewDay(Output):
    """A date: who rules it, what is open in effect, and what the previewed schedule alone would open."""

    date: PlainDate
    rulers: list[Ruler]
    open: list[OpenInterval]
    own: list[OpenInterval]


_HOURS = {
    "scheduleId": "71687c25-a67c-48e0-8c55-bd51844d9034",
    "start": "2027-03-14T14:00:00Z",
    "end": "2027-03-14T16:00:00Z",
    "localStart": "2027-03-14T10:00:00-04:00",
    "localEnd": "2027-03-14T12:00:00-04:00",
}


class Preview(Output):
    """Every date of the range, in order."""

    model_config = example(
        data=[
            {
                "date": "2027-03-14",
                "rulers": [
                    {
                        "scheduleId": "71687c25-a67c-48e0-8c55-bd51844d9034",
                        "name": "Office hours",
                        "type": "DEFAULT",
                        "source": "OVERRIDE",
                        "start": "2027-03-14T05:00:00Z",
                        "end": "2027-03-15T04:00:00Z",
                        "closed": False,
                    }
                ],
                "open": [_HOURS],
                "own": [_HOURS],
            }
        ],
        timezone="America/New_York",
    )

    data: list[PreviewDay]
    timezone: str


def preview_schedule(caller: Caller, schedule_id: UUID, query: PreviewQuery) -> Preview:
    """The schedule among its coach's others. 404 to everyone but the coach and ADMINs."""
    rows = as_caller(caller).read("list_schedules_beside", schedule_id=str(schedule_id))
    schedules = [Schedule.model_validate(row) for row in rows]
    [wanted] = [each for each in schedules if each.id == str(schedule_id)]
    first = query.from_ or clock.now().astimezone(ZoneInfo(wanted.timezone)).date()
    last = query.to or min(first, date.max - timedelta(days=6)) + timedelta(days=6)
    return Preview(data=list(preview(schedules, wanted, first, last)), timezone=wanted.timezone)


def preview(schedules: Sequence[Schedule], wanted: Schedule, first: date, last: date) -> Iterator[PreviewDay]:
    """The dates from `first` to `last` of the zone of `wanted`, which is one of the schedules; all have ids.

    A date that the zone's calendar skipped (Apia, 2011-12-30) is ruled by nobody and holds nothing.
    """
    zone = wanted.timezone
    alone = [wanted.model_copy(update={"is_default": True})]
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        start, end = instant(zone, ordinal), instant(zone, ordinal + 1)
        opened = windows(schedules, start, end)
        yield PreviewDay(
            date=date.fromordinal(ordinal),
            rulers=[_ruler(reign, opened) for reign in reigns(schedules, start, end)],
            open=[_interval(window, zone) for window in opened],
            own=[_interval(window, zone) for window in windows(alone, start, end)],
        )


def _ruler(reign: Reign, opened: list[Window]) -> Ruler:
    schedule = reign.schedule
    return Ruler.model_construct(
        schedule_id=UUID(str(schedule.id)),
        name=schedule.name,
        type=schedule.type,
        source=source_at(schedule, reign.start),
        start=to_datetime(reign.start),
        end=to_datetime(reign.end),
        closed=not any(reign.start <= window.start < reign.end for window in opened),
    )


def _interval(window: Window, zone: str) -> OpenInterval:
    start, end = to_datetime(window.start), to_datetime(window.end)

    def shown(at: datetime) -> str:
        return at.astimezone(UTC).astimezone(ZoneInfo(zone)).isoformat()

    return OpenInterval.model_construct(
        schedule_id=UUID(str(window.schedule.id)), start=start, end=end, local_start=shown(start), local_end=shown(end)
    )
