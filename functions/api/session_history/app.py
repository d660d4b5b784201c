"""GET /api/sessions/{id}/history, GET /api/sessions/{id}/invite.ics: a session for the record, and for a calendar."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.models import Page, many
from coachline.pagination import PageQuery
from coachline.scheduling import invites, session_history, sessions
from coachline.scheduling.session_history import SessionTransition

app = create_app()
SessionId = Annotated[UUID, Path(alias="id")]


@app.get(
    "/api/sessions/<id>/history",
    middlewares=[requires("session:read")],
    **doc("What happened to a session", tag="Sessions", problems=[404]),
)
def get_history(session_id: SessionId, query: Annotated[PageQuery, Query()]) -> Page[SessionTransition]:
    return many(session_history.get_history(caller(app), session_id, query))


@app.get(
    "/api/sessions/<id>/invite.ics",
    middlewares=[requires("session:read")],
    **doc(
        "A session for a calendar",
        tag="Sessions",
        problems=[404],
        description=invites.STANDARDS,
        content=invites.CONTENT,
    ),
)
def get_invite(session_id: SessionId) -> Response[str]:
    session = sessions.get_session(caller(app), session_id)
    return Response(
        200,
        f"text/calendar; charset=utf-8; method={invites.calendar_method(session)}",
        invites.calendar_invite(session),
        {"Content-Disposition": 'attachment; filename="session.ics"'},
    )


lambda_handler = entrypoint(app)
