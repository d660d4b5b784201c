"""POST /webhooks/zoom: answer the challenge; else verify, store, enqueue, answer."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from coachline import secrets
from coachline.api import create_app, doc, entrypoint, no_content
from coachline.database import as_webhook
from coachline.integrations.zoom_events import EVENT_TYPES, identity
from coachline.operations import deliveries
from coachline.operations.deliveries import Source
from coachline.webhooks import verify_zoom, zoom_challenge

ZOOM = Source(
    name="zoom",
    secrets_of=lambda secrets: secrets.zoom_webhook_secrets,
    verify=verify_zoom,
    type_field="event",
    types=EVENT_TYPES,
    identify=identity,
)

app = create_app()


@app.post("/webhooks/zoom", **doc("Zoom's meeting events", tag="Webhooks", status=204, problems=[401, 404]))
def receive() -> Response[Any]:
    delivery = deliveries.opened(app.current_event.raw_event, ZOOM)
    if delivery.type == "endpoint.url_validation":
        answer = zoom_challenge(delivery.payload, secrets.load().zoom_webhook_secrets)
        return Response(200, "application/json", answer)
    deliveries.keep(delivery, ZOOM, as_webhook)
    return no_content()


lambda_handler = entrypoint(app, public=True, raw=True)
