"""POST /webhooks/clerk: verify, store, enqueue, answer."""

import time

from aws_lambda_powertools.event_handler import Response

from coachline import secrets
from coachline.api import create_app, doc, entrypoint, no_content
from coachline.database import as_webhook
from coachline.identity.clerk_events import EVENT_TYPES
from coachline.incoming import parsed
from coachline.models import unstorable
from coachline.operations import inbox
from coachline.problems import BadRequest
from coachline.settings import service_settings
from coachline.webhooks import raw_body, verify_svix

app = create_app()


@app.post("/webhooks/clerk", **doc("Clerk's user events", tag="Webhooks", status=204, problems=[401, 404]))
def receive() -> Response[None]:
    event = app.current_event.raw_event
    raw = raw_body(event)
    message_id = verify_svix(event["headers"], raw, secrets.load().clerk_webhook_secrets, time.time())
    payload = parsed(raw)
    if not isinstance(payload, dict) or any(unstorable(payload)):
        raise BadRequest("The delivery is not an event.")
    event_type = payload.get("type")
    if event_type in EVENT_TYPES:
        inbox.receive(
            as_webhook(),
            service_settings().clerk_events_queue_url,
            provider="clerk",
            external_id=message_id,
            event_type=event_type,
            payload=payload,
        )
    return no_content()


lambda_handler = entrypoint(app, public=True, raw=True)
