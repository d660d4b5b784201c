"""Every minute: remind of sessions 24 hours and 1 hour ahead."""

from datetime import datetime

from coachline.events import scheduled_job
from coachline.scheduling import session_jobs
from coachline.service import as_service


def run(now: datetime) -> dict[str, int]:
    return session_jobs.send_reminders(as_service(), now)


lambda_handler = scheduled_job(run)
