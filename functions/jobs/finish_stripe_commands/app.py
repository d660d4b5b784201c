"""Every five minutes: what was asked of Stripe and whose end nobody told; plans and invoices it does not know yet."""

from datetime import datetime

from coachline.events import scheduled_job
from coachline.payments import commands, plans, session_invoices
from coachline.service import as_service

SECONDS = 60  # of the function's 120, for invoices


def run(now: datetime) -> dict[str, int]:  # noqa: ARG001 - commands age by the database's clock
    database = as_service()
    finished = {**commands.finish_lost(database), "plans": plans.sync_plans(database)}
    return {**finished, **session_invoices.send(database, seconds=SECONDS)}


lambda_handler = scheduled_job(run)
