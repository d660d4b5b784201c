"""Every quarter of an hour: what Calendly's webhooks missed, whether they still come, and when coaches are busy."""

from datetime import datetime

from coachline.events import scheduled_job
from coachline.integrations import calendly_sync
from coachline.service import as_service

SECONDS = 240  # of the function's five minutes; what is left over is the next run's


def run(now: datetime) -> dict[str, int]:
    return calendly_sync.run(as_service(), now, seconds=SECONDS)


lambda_handler = scheduled_job(run)
