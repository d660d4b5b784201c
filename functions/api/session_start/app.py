"""GET /api/sessions/{id}/start: the coach's link, fetched from Zoom for this answer alone, in a role of its own."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path

from coachline.api import caller, create_app, doc, entrypoint, requires, unkept
from coachline.integrations import meetings, start_links
from coachline.integrations.meetings import StartLink
from coachline.models import Data

app = create_app()


@app.get(
    "/api/sessions/<id>/start",
    middlewares=[requires("meeting:start")],
    **doc("The coach's start link, fresh from Zoom", tag="Integrations", problems=[404, 409]),
)
def start(session_id: Annotated[UUID, Path(alias="id")]) -> Response[Data[StartLink]]:
    meeting_id = meetings.meeting_to_start(caller(app), session_id)
    return unkept(StartLink(start_url=start_links.start_link(meeting_id)))


lambda_handler = entrypoint(app)
