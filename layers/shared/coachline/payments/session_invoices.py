"""Sessions on account: gathered once a month into one invoice of Stripe's per mentee, coach and currency.

Each invoice is a row first, committed with its sessions; then it is made at Stripe, step by step with keys derived from
the row's id; then what came of it is recorded. Whoever dies anywhere leaves a row that the next run takes on.
"""

import time
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import stripe

from coachline import clock
from coachline.batches import in_batches
from coachline.database import Database
from coachline.logs import logger
from coachline.payments.commands import ATTEMPTS_WITH_KEY, KEY_KEPT, customer_of
from coachline.payments.stripe_api import Refused, asking, client
from coachline.problems import Problem, Unavailable

MENTEES = 100  # whose sessions are gathered in one transaction
CLAIMED = 10
LEASE_SECONDS = 1000  # more than any function lives
_MORE = {"CANCELLED": ", cancelled late", "NO_SHOW": ", missed"}
Row = Mapping[str, Any]


def month_before(now: datetime) -> date:
    """The first day of the month that was over last, in UTC."""
    return (now.date().replace(day=1) - timedelta(days=1)).replace(day=1)


def gather(database: Database, month: date, *, batch: int = MENTEES) -> dict[str, int]:
    """Put what was held in a month, and before it, on invoices: how many of them, of how many sessions.

    `failed` are those that a coach would get whom Stripe cannot pay yet.
    """

    def run(after: str | None) -> Any:
        return database.write("gather_session_invoices", month=month.isoformat(), batch=batch, after_id=after)

    return in_batches(run, failed="session_invoice.unpayable")


def send(
    database: Database, *, seconds: float, batch: int = CLAIMED, lease_seconds: int = LEASE_SECONDS
) -> dict[str, int]:
    """Make and send at Stripe what is not there yet, for about so many seconds: how many were sent, and how many not.

    When Stripe cannot be reached, the rest waits for the next run.
    """
    counts: Counter[str] = Counter(sent=0, not_sent=0)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        claimed = database.write("claim_session_invoices", batch=batch, lease_seconds=lease_seconds)["invoices"]
        for invoice in claimed:
            try:
                made = _at_stripe(database, invoice)
            except Problem as problem:
                logger.warning("session_invoice.not_sent", invoice_id=invoice["id"], reason=problem.detail)
                failure = f"{problem.code}: {problem.detail}"
                database.write("finish_session_invoice", invoice_id=invoice["id"], failure=failure)
                counts["not_sent"] += 1
                if isinstance(problem, Unavailable):
                    return dict(counts)
            else:
                database.write("finish_session_invoice", invoice_id=invoice["id"], stripe_id=made)
                counts["sent"] += 1
        if len(claimed) < batch:
            break
    return dict(counts)


def _at_stripe(database: Database, row: Row) -> str:
    """The invoice at Stripe, sent, whatever of it was there already: its id."""
    first = datetime.fromisoformat(row["first_tried_at"])
    # Stripe forgets keys after a day, and keeps a failure with its key: then only a look tells what has happened.
    forgotten = row["attempts"] > ATTEMPTS_WITH_KEY or clock.now() - first > KEY_KEPT
    again = f":{row['attempts']}" if forgotten else ""

    def key(step: str) -> Any:
        return {"idempotency_key": f"session_invoice:{row['id']}:{step}{again}"}

    with asking():
        customer = customer_of(database, row["customer"])
        invoice = _made_before(row, customer) if forgotten else None
        if invoice is None:
            invoice = client().v1.invoices.create(_empty(row, customer), key("create"))
        if not invoice.lines.data:
            lines: Any = {"lines": [_line(line) for line in row["lines"]]}
            invoice = client().v1.invoices.add_lines(invoice.id, lines, key("lines"))
        if invoice.total != row["total"]:
            raise Refused(f"{invoice.id} comes to {invoice.total} and not to {row['total']}. It was not sent.")
        if invoice.status == "draft":
            invoice = client().v1.invoices.finalize_invoice(invoice.id, None, key("finalize"))
        if invoice.status == "open":
            client().v1.invoices.send_invoice(invoice.id, None, key("send"))
    return str(invoice.id)


def _made_before(row: Row, customer: str) -> stripe.Invoice | None:
    """By our id in its metadata, among the customer's since the first try."""
    since = int(datetime.fromisoformat(row["first_tried_at"]).timestamp()) - 300
    wanted: Any = {"customer": customer, "created": {"gte": since}, "limit": 100}
    for invoice in client().v1.invoices.list(wanted).auto_paging_iter():
        if invoice.metadata and invoice.metadata.to_dict().get("session_invoice_id") == row["id"]:
            return invoice
    return None


def _empty(row: Row, customer: str) -> Any:
    """What an invoice is made of besides its lines. Nothing that waits for a subscription's gets onto it."""
    month = date.fromisoformat(row["month"])
    asked = {
        "customer": customer,
        "currency": row["currency"].lower(),
        "collection_method": "send_invoice",
        "days_until_due": row["days_until_due"],
        "auto_advance": False,
        "pending_invoice_items_behavior": "exclude",
        "description": f"Sessions with {row['coach_name'] or 'your coach'}, {month:%B %Y}",
        "transfer_data": {"destination": row["account"]},
        "metadata": {"session_invoice_id": row["id"], "coach_id": row["coach_id"], "month": f"{month:%Y-%m}"},
    }
    return asked | ({"application_fee_amount": row["fee"]} if row["fee"] else {})


def _line(line: Row) -> Any:
    """One session."""
    start, end = datetime.fromisoformat(line["start"]), datetime.fromisoformat(line["end"])
    local = start.astimezone(ZoneInfo(line["timezone"]))
    more = _MORE.get(line["status"], "")
    return {
        "amount": line["amount"],
        "description": f"{line['minutes']} minutes, {local:%Y-%m-%d %H:%M} {line['timezone']}{more}",
        "period": {"start": int(start.timestamp()), "end": int(end.timestamp())},
        "metadata": {"session_id": line["session_id"]},
    }
