"""Every minute: enqueue again the webhook events that were stored and never handled, and those that are replayed."""

from datetime import datetime

from coachline.events import scheduled_job
from coachline.operations import inbox
from coachline.service import as_service
from coachline.settings import service_settings


def run(now: datetime) -> dict[str, int]:  # noqa: ARG001 - events age by the real clock
    return {"enqueued": inbox.sweep(as_service(), service_settings().event_queue_urls)}


lambda_handler = scheduled_job(run)
