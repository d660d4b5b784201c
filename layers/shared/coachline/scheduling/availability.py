"""A coach's schedules as he edits them."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Instant, Output, Version, example
from coachline.pagination import Keyset, PageQuery
from coachline.patches import partial
from coachline.scheduling.schedule import DateHours, DayHours, PlainDate, ScheduleType
from coachline.scheduling.schedule_input import EXAMPLE, ScheduleInput

_ORDER = Keyset(after_created_at=("created_at", datetime), after_id=("id", UUID))


class AvailabilitySchedule(Output):
    """A stored schedule: wall-clock hours of `timezone`, minutes for buffers, step and notice."""

    model_config = example(
        **EXAMPLE,
        id="71687c25-a67c-48e0-8c55-bd51844d9034",
        coachId="0f08551d-9a54-47e4-b942-7a387eda5385",
        minimumDuration=None,
        maximumDuration=None,
        validFrom=None,
        validTo=None,
        version=1,
        createdAt="2027-01-04T09:10:00Z",
        updatedAt="2027-01-04T09:10:00Z",
    )

    id: UUID
    coach_id: UUID
    name: str
    type: ScheduleType
    timezone: str
    is_default: bool
    weekly: list[DayHours]
    overrides: list[DateHours]
    buffer_before: int
    buffer_after: int
    slot_interval: int
    minimum_notice: int
    booking_window_days: int
    max_sessions_per_day: int | None
    minimum_duration: int | None
    maximum_duration: int | None
    valid_from: PlainDate | None
    valid_to: PlainDate | None
    version: int
    created_at: Instant
    updated_at: Instant


@partial
class SchedulePatch(ScheduleInput):
    """What changes, and the version it was read at. `weekly` and `overrides` are replaced as a whole."""

    model_config = example(bufferAfter=30, version=1)
    whole: ClassVar[bool] = False

    version: Version


def list_schedules(caller: Caller, query: PageQuery, coach_id: UUID | None) -> tuple[list[Any], str | None]:
    """A page of the caller's schedules, or for an ADMIN of a coach's, oldest first; and the next cursor."""
    rows = as_caller(caller).read(
        "list_schedules",
        wanted_coach_id=coach_id and str(coach_id),
        **_ORDER.arguments(query),
    )
    return _ORDER.page(rows, query)


def get_schedule(caller: Caller, schedule_id: UUID) -> Any:
    """One `AvailabilitySchedule` of the caller's, or of any coach for an ADMIN."""
    return as_caller(caller).read("get_schedule", schedule_id=str(schedule_id))
