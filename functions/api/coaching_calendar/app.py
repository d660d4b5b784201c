"""POST /api/coaching/availability/{scheduleId}/default: what my schedules amount to."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.models import Data, one
from coachline.scheduling import changes
from coachline.scheduling.availability import AvailabilitySchedule
from coachline.scheduling.changes import Change

app = create_app()
ScheduleId = Annotated[UUID, Path(alias="scheduleId")]


@app.post(
    "/api/coaching/availability/<scheduleId>/default",
    middlewares=[requires("availability:manage")],
    **doc("Make a schedule the default in place of the one before", tag="Availability", problems=[404, 409]),
)
def make_default(schedule_id: ScheduleId, change: Annotated[Change, Query()]) -> Data[AvailabilitySchedule]:
    return one(changes.make_default(caller(app, change), schedule_id, force=change.force))


lambda_handler = entrypoint(app)
