"""GET /api/coach, GET /api/coach/{coachId}: the public directory."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, doc, entrypoint
from coachline.models import Data, Page, many, one
from coachline.scheduling import directory
from coachline.scheduling.directory import DirectoryCoach, DirectoryQuery

app = create_app()


@app.get("/api/coach", **doc("Coaches who can be booked: search, filter, sort", tag="Coaching"))
def list_coaches(query: Annotated[DirectoryQuery, Query()]) -> Page[DirectoryCoach]:
    return many(directory.list_coaches(caller(app), query))


@app.get("/api/coach/<coachId>", **doc("One coach", tag="Coaching", problems=[404]))
def get_coach(coach_id: Annotated[UUID, Path(alias="coachId")]) -> Data[DirectoryCoach]:
    return one(directory.get_coach(caller(app), coach_id))


lambda_handler = entrypoint(app, public=True)
