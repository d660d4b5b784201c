"""GET POST /api/sessions, GET /api/sessions/{id}: list mine, book a coach, look at one."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, created, doc, entrypoint, requires
from coachline.models import Data, Page, many, one
from coachline.scheduling import booking, sessions
from coachline.scheduling.booking import BookingRequest
from coachline.scheduling.sessions import Session, SessionQuery

app = create_app()


@app.get(
    "/api/sessions",
    middlewares=[requires("session:read")],
    **doc("My sessions, latest start first", tag="Sessions"),
)
def list_sessions(query: Annotated[SessionQuery, Query()]) -> Page[Session]:
    return many(sessions.list_sessions(caller(app), query))


@app.post(
    "/api/sessions",
    middlewares=[requires("session:book", idempotency_key="required")],
    **doc("Book a coach", tag="Sessions", status=201, problems=[404, 409, 429]),
)
def book(body: BookingRequest) -> Response[Data[Session]]:
    session = booking.book(caller(app, body), body)
    return created(session, f"/api/sessions/{session['id']}")


@app.get(
    "/api/sessions/<id>",
    middlewares=[requires("session:read")],
    **doc("One of my sessions", tag="Sessions", problems=[404]),
)
def get_session(session_id: Annotated[UUID, Path(alias="id")]) -> Data[Session]:
    return one(sessions.get_session(caller(app), session_id))


lambda_handler = entrypoint(app)
