"""GET POST /api/sessions, GET /api/sessions/{id}: list mine, book a coach, look at one."""

from typing import Annotated, Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, created, doc, entrypoint, requires
from coachline.models import Data, Page, many, one
from coachline.scheduling import booking, sessions
from coachline.scheduling.booking import BookingRequest, NewSession
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
    **doc("Book a coach", tag="Sessions", status=201, problems=[402, 404, 409, 429]),
)
def book(body: BookingRequest) -> Response[Data[NewSession]]:
    session: Any = booking.book(caller(app, body), body)
    opened = {"payment_id": None, "payment_status": None, "client_secret": None}
    if session.get("payment"):
        from coachline.payments import session_payments  # noqa: PLC0415 - Stripe's SDK, which no other route here needs

        opened = session_payments.open_payment(caller(app, body), session)
    session |= opened
    return created(session, f"/api/sessions/{session['id']}")


@app.get(
    "/api/sessions/<id>",
    middlewares=[requires("session:read")],
    **doc("One of my sessions", tag="Sessions", problems=[404]),
)
def get_session(session_id: Annotated[UUID, Path(alias="id")]) -> Data[Session]:
    return one(sessions.get_session(caller(app), session_id))


lambda_handler = entrypoint(app)
