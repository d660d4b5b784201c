"""Every five minutes: enqueue again the webhook events that were stored and never handled."""

from datetime import datetime

from coachline.events import scheduled_job
from coachline.operations import inbox
from coachline.service import as_service
from coachline.settings import service_settings


def run(now: datetime) -> dict[str, int]:  # noqa: ARG001 - events age by the real clock
    return {"enqueued": inbox.sweep(as_service(), {"clerk": service_settings().clerk_events_queue_url})}


lambda_handler = scheduled_job(run)
