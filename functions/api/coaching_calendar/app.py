"""POST …/availability/{scheduleId}/default, GET …/{scheduleId}/preview, POST …/conflicts: what schedules amount to."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.models import Data, one
from coachline.scheduling import changes, conflicts, preview
from coachline.scheduling.availability import AvailabilitySchedule
from coachline.scheduling.changes import Change
from coachline.scheduling.conflicts import ConflictQuestion, Conflicts
from coachline.scheduling.preview import Preview, PreviewQuery

app = create_app()
ScheduleId = Annotated[UUID, Path(alias="scheduleId")]


@app.post(
    "/api/coaching/availability/<scheduleId>/default",
    middlewares=[requires("availability:manage")],
    **doc("Make a schedule the default in place of the one before", tag="Availability", problems=[404, 409]),
)
def make_default(schedule_id: ScheduleId, change: Annotated[Change, Query()]) -> Data[AvailabilitySchedule]:
    return one(changes.make_default(caller(app, change), schedule_id, force=change.force))


@app.get(
    "/api/coaching/availability/<scheduleId>/preview",
    middlewares=[requires("availability:read")],
    **doc("Date by date, what a schedule opens and which one rules", tag="Availability", problems=[404]),
)
def preview_schedule(schedule_id: ScheduleId, query: Annotated[PreviewQuery, Query()]) -> Preview:
    return preview.preview_schedule(caller(app), schedule_id, query)


@app.post(
    "/api/coaching/availability/conflicts",
    middlewares=[requires("availability:read")],
    **doc("What stands against a schedule, drafted or stored", tag="Availability", problems=[404]),
)
def find_conflicts(body: ConflictQuestion) -> Conflicts:
    return conflicts.find_conflicts(caller(app, body), body)


lambda_handler = entrypoint(app)
