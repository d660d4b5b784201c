"""GET /api/coach, GET /api/coach/{coachId}: the public directory."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import Field

from coachline.api import caller, create_app, doc, entrypoint
from coachline.models import Data, Page, many, one
from coachline.pagination import PageQuery
from coachline.scheduling import directory
from coachline.scheduling.profiles import Coach

app = create_app()


class DirectoryQuery(PageQuery):
    """Which coaches: all, or those with a specialty (any case)."""

    specialty: Annotated[str, Field(min_length=1, max_length=80)] | None = None


@app.get("/api/coach", **doc("Coaches who can be booked, newest first", tag="Coaching"))
def list_coaches(query: Annotated[DirectoryQuery, Query()]) -> Page[Coach]:
    return many(directory.list_coaches(caller(app), query, query.specialty))


@app.get("/api/coach/<coachId>", **doc("One coach", tag="Coaching", problems=[404]))
def get_coach(coach_id: Annotated[UUID, Path(alias="coachId")]) -> Data[Coach]:
    return one(directory.get_coach(caller(app), coach_id))


lambda_handler = entrypoint(app, public=True)
