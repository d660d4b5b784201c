"""MeetingEventsQueue: sessions that were booked, moved or called off → their meetings at Zoom."""

from coachline.events import DomainEvent, bus_consumer
from coachline.integrations import zoom
from coachline.integrations.meeting_sync import sync
from coachline.service import as_service


def handle(event: DomainEvent) -> None:
    sync(as_service(), zoom.account(), event.payload["sessionId"], hurried=True)


lambda_handler = bus_consumer(handle)
