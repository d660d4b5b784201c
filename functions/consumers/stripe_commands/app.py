"""StripeCommandsQueue: what rules of the database ask of Stripe, such as a refund for a session that was called off."""

from coachline.events import DomainEvent, bus_consumer
from coachline.payments import commands
from coachline.service import as_service


def handle(event: DomainEvent) -> None:
    commands.run_waiting(as_service(), event.payload["commandId"])


lambda_handler = bus_consumer(handle)
