"""ZoomEventsQueue: apply stored Zoom events."""

from typing import Any

from coachline.events import queue_consumer
from coachline.integrations import zoom_events
from coachline.operations import inbox
from coachline.service import as_service


def handle(message: dict[str, Any]) -> None:
    inbox.process(as_service(), message, zoom_events.apply)


lambda_handler = queue_consumer(handle)
