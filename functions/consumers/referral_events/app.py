"""ReferralEventsQueue: sessions completed, payments made, given back and disputed → referrals."""

from coachline.events import DomainEvent, bus_consumer
from coachline.growth import referral_jobs
from coachline.service import as_service


def handle(event: DomainEvent) -> None:
    referral_jobs.settle(as_service(), event)


lambda_handler = bus_consumer(handle)
