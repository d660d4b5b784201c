"""Every minute: let go of the holds that ran out."""

from datetime import datetime

from coachline.events import scheduled_job
from coachline.scheduling import session_jobs
from coachline.service import as_service


def run(now: datetime) -> dict[str, int]:
    return session_jobs.expire_holds(as_service(), now)


lambda_handler = scheduled_job(run)
