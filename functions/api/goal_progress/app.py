"""GET POST /api/goals/{id}/progress: the entries that bring a goal on."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, created, doc, entrypoint, requires
from coachline.growth import goals
from coachline.growth.goal_input import ProgressInput
from coachline.growth.goals import ProgressEntry, RecordedProgress
from coachline.models import Data, Page, many
from coachline.pagination import PageQuery

app = create_app()


@app.get(
    "/api/goals/<id>/progress",
    middlewares=[requires("goal:read")],
    **doc("A goal's entries, latest first", tag="Goals", problems=[404]),
)
def list_progress(
    goal_id: Annotated[UUID, Path(alias="id")], query: Annotated[PageQuery, Query()]
) -> Page[ProgressEntry]:
    return many(goals.list_progress(caller(app), goal_id, query))


@app.post(
    "/api/goals/<id>/progress",
    middlewares=[requires("goal:manage")],
    **doc("Add an entry", tag="Goals", status=201, problems=[404, 409]),
)
def add_progress(goal_id: Annotated[UUID, Path(alias="id")], body: ProgressInput) -> Response[Data[RecordedProgress]]:
    entry = goals.add_progress(caller(app, body), goal_id, body)
    return created(entry, f"/api/goals/{goal_id}/progress")


lambda_handler = entrypoint(app)
