"""ClerkMetadataQueue: roles that changed → the public metadata of the user at Clerk."""

from coachline.events import DomainEvent, bus_consumer
from coachline.identity import clerk_metadata
from coachline.service import as_service


def handle(event: DomainEvent) -> None:
    clerk_metadata.publish_roles(as_service(), clerk_metadata.clerk(), event.payload["userId"])


lambda_handler = bus_consumer(handle)
