"""Every hour: events that never arrived, Stripe's objects against the mirror, deadlines, plans once more to Stripe."""

from datetime import datetime
from functools import partial
from typing import Any

from coachline.database import Database
from coachline.events import scheduled_job
from coachline.operations import inbox
from coachline.payments import plans, reconcile
from coachline.service import as_service
from coachline.settings import service_settings


def receive(database: Database, event: dict[str, Any]) -> None:
    inbox.receive(
        database,
        service_settings().event_queue_urls["stripe"],
        provider="stripe",
        external_id=event["id"],
        event_type=event["type"],
        payload=event,
    )


def run(now: datetime) -> dict[str, int]:
    database = as_service()
    events = reconcile.catch_up(database, partial(receive, database))
    counts = {"events": events, **reconcile.sweep(database), **reconcile.settle(database, now)}
    return {**counts, "plans": plans.sync_plans(database, everything=True)}


lambda_handler = scheduled_job(run)
