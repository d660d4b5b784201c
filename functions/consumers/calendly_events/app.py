"""CalendlyEventsQueue: apply stored Calendly events, and what we ask of Calendly."""

from typing import Any

from coachline.events import queue_consumer
from coachline.integrations import calendly_events
from coachline.operations import inbox
from coachline.service import as_service


def handle(message: dict[str, Any]) -> None:
    inbox.process(as_service(), message, calendly_events.apply)


lambda_handler = queue_consumer(handle)
