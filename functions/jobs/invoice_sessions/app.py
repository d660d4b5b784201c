"""At the beginning of each month: sessions on account that were held in the last one, gathered, invoiced and sent."""

from datetime import datetime

from coachline.events import scheduled_job
from coachline.payments import session_invoices
from coachline.service import as_service

SECONDS = 780  # of the function's 900; what is left is finish_stripe_commands'


def run(now: datetime) -> dict[str, int]:
    database = as_service()
    gathered = session_invoices.gather(database, session_invoices.month_before(now))
    return {**gathered, **session_invoices.send(database, seconds=SECONDS)}


lambda_handler = scheduled_job(run)
