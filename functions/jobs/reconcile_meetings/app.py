"""Every five minutes: meetings that Zoom should have heard of, and what webhooks missed of those that are over."""

from datetime import datetime

from coachline.events import scheduled_job
from coachline.integrations import meeting_jobs, zoom
from coachline.service import as_service


def run(now: datetime) -> dict[str, int]:  # noqa: ARG001 - the database compares with its own clock
    database, account = as_service(), zoom.account()
    return {**meeting_jobs.sync_due(database, account), **meeting_jobs.reconcile_ended(database, account)}


lambda_handler = scheduled_job(run)
