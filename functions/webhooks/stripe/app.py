"""POST /webhooks/stripe: verify, store, enqueue, answer."""

from aws_lambda_powertools.event_handler import Response

from coachline.api import create_app, doc, entrypoint, no_content
from coachline.database import as_webhook
from coachline.operations import deliveries
from coachline.operations.deliveries import Source
from coachline.payments.stripe_event_types import EVENT_TYPES
from coachline.webhooks import verify_stripe

STRIPE = Source(
    name="stripe",
    secrets_of=lambda secrets: secrets.stripe_webhook_secrets,
    verify=verify_stripe,
    type_field="type",
    types=EVENT_TYPES,
    identify=lambda _, payload: str(payload.get("id")),
)
LARGEST_EVENT = 1024 * 1024

app = create_app()


@app.post("/webhooks/stripe", **doc("Stripe's events", tag="Webhooks", status=204, problems=[401, 404]))
def receive() -> Response[None]:
    deliveries.keep(deliveries.opened(app.current_event.raw_event, STRIPE), STRIPE, as_webhook)
    return no_content()


lambda_handler = entrypoint(app, public=True, raw=True, largest_body=LARGEST_EVENT)
