"""Every five minutes: what was asked of Stripe and whose end nobody told; plans that Stripe does not know yet."""

from datetime import datetime

from coachline.events import scheduled_job
from coachline.payments import commands, plans
from coachline.service import as_service


def run(now: datetime) -> dict[str, int]:  # noqa: ARG001 - commands age by the database's clock
    database = as_service()
    return {**commands.finish_lost(database), "plans": plans.sync_plans(database)}


lambda_handler = scheduled_job(run)
