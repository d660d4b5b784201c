"""POST /api/sessions/{id}/cancel: how a session changes after it is booked."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Path

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.models import Data, one
from coachline.scheduling import sessions
from coachline.scheduling.sessions import Cancellation, Session

app = create_app()


@app.post(
    "/api/sessions/<id>/cancel",
    middlewares=[requires("session:cancel")],
    **doc("Cancel a session", tag="Sessions", problems=[404, 409]),
)
def cancel(session_id: Annotated[UUID, Path(alias="id")], body: Cancellation) -> Data[Session]:
    return one(sessions.cancel_session(caller(app, body), session_id, body))


lambda_handler = entrypoint(app)
