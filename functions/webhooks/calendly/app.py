"""POST /webhooks/calendly: verify, store, enqueue, answer. GET /api/calendly/callback: what its consent page sends.

Both come from Calendly and without a session token; the callback is verified by its state.
"""

from typing import Annotated, Any
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from coachline.api import create_app, doc, entrypoint, no_content
from coachline.database import as_webhook
from coachline.integrations import calendly, calendly_bookings, calendly_identity
from coachline.integrations.calendly import CalendlyStatus, ConsentAnswer
from coachline.models import Data
from coachline.operations import deliveries
from coachline.operations.deliveries import Source
from coachline.problems import Problem
from coachline.settings import calendly_settings
from coachline.webhooks import verify_calendly

CALENDLY = Source(
    name="calendly",
    secrets_of=lambda secrets: secrets.calendly_webhook_keys,
    verify=verify_calendly,
    type_field="event",
    types=calendly_bookings.EVENT_TYPES,
    identify=calendly_identity.identify,
)

app = create_app()


@app.post("/webhooks/calendly", **doc("Calendly's events", tag="Webhooks", status=204, problems=[401, 404]))
def receive() -> Response[None]:
    deliveries.keep(deliveries.opened(app.current_event.raw_event, CALENDLY), CALENDLY, as_webhook)
    return no_content()


@app.get(
    "/api/calendly/callback",
    **doc("Where Calendly's consent page sends a coach back to", tag="Calendly", problems=[400, 409, 503]),
)
def callback(answer: Annotated[ConsentAnswer, Query()]) -> Response[Data[CalendlyStatus]]:
    try:
        return _told(200, calendly.complete(as_webhook(), answer), "connected")
    except Problem as problem:
        if "text/html" not in (app.current_event.headers.get("accept") or ""):
            raise
        return _told(400, {"status": "NOT_CONNECTED"}, problem.code)


def _told(status: int, connection: Any, outcome: str) -> Response[Data[CalendlyStatus]]:
    """The answer for a program; a browser is sent on to the front end, which is told the outcome."""
    headers = {}
    if "text/html" in (app.current_event.headers.get("accept") or ""):
        status, headers = 303, {"Location": f"{calendly_settings().web_url}/?{urlencode({'calendly': outcome})}"}
    return Response(status, "application/json", {"data": connection}, headers)  # type: ignore[arg-type]  # made JSON later


lambda_handler = entrypoint(app, public=True, raw=True)
