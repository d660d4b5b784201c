"""POST /api/sessions/{id}/cancel|reschedule|complete|no-show: how a session changes after it is booked."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Path

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.models import Data, one
from coachline.scheduling import rescheduling, sessions
from coachline.scheduling.rescheduling import Reschedule
from coachline.scheduling.sessions import Cancellation, Completion, NoShow, Session

app = create_app()
SessionId = Annotated[UUID, Path(alias="id")]


@app.post(
    "/api/sessions/<id>/cancel",
    middlewares=[requires("session:cancel")],
    **doc("Cancel a session", tag="Sessions", problems=[404, 409]),
)
def cancel(session_id: SessionId, body: Cancellation) -> Data[Session]:
    return one(sessions.cancel_session(caller(app, body), session_id, body))


@app.post(
    "/api/sessions/<id>/reschedule",
    middlewares=[requires("session:reschedule")],
    **doc("Move a session", tag="Sessions", problems=[404, 409]),
)
def reschedule(session_id: SessionId, body: Reschedule) -> Data[Session]:
    return one(rescheduling.reschedule(caller(app, body), session_id, body))


@app.post(
    "/api/sessions/<id>/complete",
    middlewares=[requires("session:complete")],
    **doc("Say that a session took place", tag="Sessions", problems=[404, 409]),
)
def complete(session_id: SessionId, body: Completion) -> Data[Session]:
    return one(sessions.complete_session(caller(app, body), session_id, body))


@app.post(
    "/api/sessions/<id>/no-show",
    middlewares=[requires("session:report_no_show")],
    **doc("Say that somebody did not come", tag="Sessions", problems=[404, 409]),
)
def report_no_show(session_id: SessionId, body: NoShow) -> Data[Session]:
    return one(sessions.report_no_show(caller(app, body), session_id, body))


lambda_handler = entrypoint(app)
