"""EventBridge, every five minutes: reminders of goals, and deadlines that were missed."""

from datetime import datetime

from coachline.events import scheduled_job
from coachline.growth import goal_jobs
from coachline.service import as_service


def run(now: datetime) -> dict[str, int]:
    return goal_jobs.advance_goals(as_service(), now)


lambda_handler = scheduled_job(run)
