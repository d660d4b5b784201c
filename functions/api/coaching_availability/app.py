"""GET POST /api/coaching/availability, GET PATCH DELETE …/{scheduleId}: my schedules."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, created, doc, entrypoint, no_content, requires
from coachline.models import Data, Page, many, one
from coachline.pagination import PageQuery
from coachline.scheduling import availability, changes
from coachline.scheduling.availability import AvailabilitySchedule, SchedulePatch
from coachline.scheduling.changes import Change
from coachline.scheduling.schedule_input import NewSchedule

app = create_app()
ScheduleId = Annotated[UUID, Path(alias="scheduleId")]


class ScheduleQuery(PageQuery):
    """Mine; for an ADMIN, those of `coachId`."""

    coach_id: UUID | None = None


@app.get(
    "/api/coaching/availability",
    middlewares=[requires("availability:read")],
    **doc("My schedules, oldest first", tag="Availability", problems=[404]),
)
def list_schedules(query: Annotated[ScheduleQuery, Query()]) -> Page[AvailabilitySchedule]:
    return many(availability.list_schedules(caller(app), query, query.coach_id))


@app.post(
    "/api/coaching/availability",
    middlewares=[requires("availability:manage")],
    **doc("Make a schedule", tag="Availability", status=201, problems=[409]),
)
def create_schedule(body: NewSchedule, change: Annotated[Change, Query()]) -> Response[Data[AvailabilitySchedule]]:
    schedule = changes.create_schedule(caller(app, body, change), body, force=change.force)
    return created(schedule, f"/api/coaching/availability/{schedule['id']}")


@app.get(
    "/api/coaching/availability/<scheduleId>",
    middlewares=[requires("availability:read")],
    **doc("One schedule", tag="Availability", problems=[404]),
)
def get_schedule(schedule_id: ScheduleId) -> Data[AvailabilitySchedule]:
    return one(availability.get_schedule(caller(app), schedule_id))


@app.patch(
    "/api/coaching/availability/<scheduleId>",
    middlewares=[requires("availability:manage")],
    **doc("Change a schedule", tag="Availability", problems=[404, 409]),
)
def update_schedule(
    schedule_id: ScheduleId, body: SchedulePatch, change: Annotated[Change, Query()]
) -> Data[AvailabilitySchedule]:
    return one(changes.update_schedule(caller(app), schedule_id, body, force=change.force))


@app.delete(
    "/api/coaching/availability/<scheduleId>",
    middlewares=[requires("availability:manage")],
    **doc("Delete a schedule", tag="Availability", status=204, problems=[404, 409]),
)
def delete_schedule(schedule_id: ScheduleId, change: Annotated[Change, Query()]) -> Response[None]:
    changes.delete_schedule(caller(app), schedule_id, force=change.force)
    return no_content()


lambda_handler = entrypoint(app)
