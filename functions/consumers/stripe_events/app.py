"""StripeEventsQueue: apply stored Stripe events."""

from typing import Any

from coachline.events import queue_consumer
from coachline.operations import inbox
from coachline.payments import stripe_events
from coachline.service import as_service


def handle(message: dict[str, Any]) -> None:
    inbox.process(as_service(), message, stripe_events.apply)


lambda_handler = queue_consumer(handle)
