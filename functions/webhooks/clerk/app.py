"""POST /webhooks/clerk: verify, store, enqueue, answer."""

from aws_lambda_powertools.event_handler import Response

from coachline.api import create_app, doc, entrypoint, no_content
from coachline.database import as_webhook
from coachline.identity.clerk_events import EVENT_TYPES
from coachline.operations import deliveries
from coachline.operations.deliveries import Source
from coachline.webhooks import verify_svix

CLERK = Source(
    name="clerk",
    secrets_of=lambda secrets: secrets.clerk_webhook_secrets,
    verify=verify_svix,
    type_field="type",
    types=EVENT_TYPES,
    identify=lambda delivery_id, _: delivery_id,
)

app = create_app()


@app.post("/webhooks/clerk", **doc("Clerk's user events", tag="Webhooks", status=204, problems=[401, 404]))
def receive() -> Response[None]:
    deliveries.keep(deliveries.opened(app.current_event.raw_event, CLERK), CLERK, as_webhook)
    return no_content()


lambda_handler = entrypoint(app, public=True, raw=True)
