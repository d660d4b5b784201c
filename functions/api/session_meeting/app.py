"""GET POST PATCH /api/sessions/{id}/meeting, GET …/meeting/metrics, GET …/join: a session's meeting, and joining it."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path

from coachline.api import accepted, caller, create_app, doc, entrypoint, requires, unkept
from coachline.integrations import meetings
from coachline.integrations.meetings import JoinLink, Meeting, MeetingMetrics, MeetingPatch
from coachline.models import Data, one

SessionId = Annotated[UUID, Path(alias="id")]

app = create_app()


@app.get(
    "/api/sessions/<id>/meeting",
    middlewares=[requires("meeting:read")],
    **doc("A session's meeting", tag="Integrations", problems=[404]),
)
def get_meeting(session_id: SessionId) -> Data[Meeting]:
    return one(meetings.get_meeting(caller(app), session_id))


@app.post(
    "/api/sessions/<id>/meeting",
    middlewares=[requires("meeting:manage")],
    **doc("Have a missing or refused meeting made", tag="Integrations", status=202, problems=[404, 409]),
)
def request_meeting(session_id: SessionId) -> Response[Data[Meeting]]:
    return accepted(meetings.request_meeting(caller(app), session_id))


@app.patch(
    "/api/sessions/<id>/meeting",
    middlewares=[requires("meeting:manage")],
    **doc("Change topic or waiting room", tag="Integrations", problems=[404, 409]),
)
def update_meeting(session_id: SessionId, body: MeetingPatch) -> Data[Meeting]:
    return one(meetings.update_meeting(caller(app, body), session_id, body))


@app.get(
    "/api/sessions/<id>/meeting/metrics",
    middlewares=[requires("meeting:read")],
    **doc("When it took place and who attended", tag="Integrations", problems=[404]),
)
def get_metrics(session_id: SessionId) -> Data[MeetingMetrics]:
    return one(meetings.meeting_metrics(caller(app), session_id))


@app.get(
    "/api/sessions/<id>/join",
    middlewares=[requires("meeting:join")],
    **doc("The join link, from 15 minutes before to 30 after", tag="Integrations", problems=[404, 409]),
)
def join(session_id: SessionId) -> Response[Data[JoinLink]]:
    return unkept(meetings.join_link(caller(app), session_id))


lambda_handler = entrypoint(app)
