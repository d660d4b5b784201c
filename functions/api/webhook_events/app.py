"""GET /api/admin/webhook-events, GET …/{id}, POST …/{id}/replay: what providers sent, and trying it again."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import accepted, caller, create_app, doc, entrypoint, requires
from coachline.models import Data, Page, many, one
from coachline.operations import webhook_events
from coachline.operations.webhook_events import WebhookEvent, WebhookEventDetail, WebhookEventQuery

app = create_app()


@app.get(
    "/api/admin/webhook-events",
    middlewares=[requires("webhook_event:read")],
    **doc("Events that providers sent, latest first", tag="Operations"),
)
def list_events(query: Annotated[WebhookEventQuery, Query()]) -> Page[WebhookEvent]:
    return many(webhook_events.list_events(caller(app), query))


@app.get(
    "/api/admin/webhook-events/<id>",
    middlewares=[requires("webhook_event:read")],
    **doc("One event, with its payload redacted", tag="Operations", problems=[404]),
)
def get_event(event_id: Annotated[UUID, Path(alias="id")]) -> Data[WebhookEventDetail]:
    return one(webhook_events.get_event(caller(app), event_id))


@app.post(
    "/api/admin/webhook-events/<id>/replay",
    middlewares=[requires("webhook_event:replay")],
    **doc("Try a failed event again, within a minute", tag="Operations", status=202, problems=[404]),
)
def replay(event_id: Annotated[UUID, Path(alias="id")]) -> Response[Data[WebhookEvent]]:
    return accepted(webhook_events.replay(caller(app), event_id))


lambda_handler = entrypoint(app)
