"""GrowthEventsQueue: sessions, reviews, completed goals, rewarded referrals → automatic goals and achievements."""

from collections.abc import Sequence

from coachline.events import DomainEvent, bus_batch_consumer
from coachline.growth import achievements
from coachline.service import as_service


def handle(events: Sequence[DomainEvent]) -> None:
    achievements.apply_events(as_service(), events)


lambda_handler = bus_batch_consumer(handle)
