"""What webhooks missed: Stripe's own list of events since the last run, then its objects against the mirror.

An event that never arrived goes the way of one that did: into the inbox, and from there to the consumer.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from coachline.database import Database
from coachline.logs import logger
from coachline.payments import mirror, sync
from coachline.payments.stripe_api import asking, client, plain
from coachline.payments.stripe_event_types import EVENT_TYPES
from coachline.problems import NotFound

CURSOR = "stripe.events"
PAGE = 100


def catch_up(database: Database, receive: Callable[[dict[str, Any]], None]) -> int:
    """Give `receive` (the inbox) what Stripe's list of events holds since the cursor: how many were listed.

    The cursor moves after each page, when what it holds is stored. Without one, from the oldest that Stripe still has.
    """
    listed = 0
    while True:
        position = database.read("get_cursor", name=CURSOR)
        events = _page(position)
        for event in events:
            if event["type"] in EVENT_TYPES:
                receive(event)
        if events:
            database.write("set_cursor", name=CURSOR, reached=events[-1]["id"])
            listed += len(events)
        if len(events) < PAGE:
            return listed


def _page(position: str | None) -> list[dict[str, Any]]:
    """The next page of events after one, oldest first; from the oldest that Stripe has, when it has forgotten that."""
    if position:
        try:
            with asking():
                found = client().v1.events.list({"limit": PAGE, "ending_before": position}).data
            return [plain(event) for event in found][::-1]
        except NotFound:
            logger.warning("reconcile.cursor_forgotten", event_id=position)
    oldest: list[dict[str, Any]] = []
    with asking():
        for event in client().v1.events.list({"limit": PAGE}).auto_paging_iter():
            oldest = [plain(event), *oldest[: PAGE - 1]]
    return oldest


def sweep(database: Database, *, batch: int = 2000) -> dict[str, int]:
    """Mirror subscriptions and invoices once more, a page of a hundred at a time: how many, and how many had drifted.

    Each list is walked in runs of about `batch` objects: one goes on where the last one stopped, after the end anew.
    """
    subscriptions, drifted = _walk(database, "subscriptions", batch)
    invoices, wrong = _walk(database, "invoices", batch)
    payments, late = _walk(database, "payment_intents", batch)
    movements, missed = _walk(database, "balance_transactions", batch)
    counts = {"subscriptions": subscriptions, "invoices": invoices, "payments": payments, "movements": movements}
    return {**counts, "drifted": drifted + wrong + late + missed}


def settle(database: Database, now: datetime, *, batch: int = 100) -> dict[str, int]:
    """What time and refusals have left open.

    Reversals and transfers that Stripe refused, payments that nobody let go of, disputes whose deadline is near.
    `failed`: coaches whom the platform's balance has not paid for a day.
    """
    reversals = database.write("retry_reversals", batch=batch)["retried"]
    deadlines = database.write("notice_dispute_deadlines", now_at=now.isoformat())["given"]
    top_ups = database.write("retry_top_ups", batch=batch)
    let_go = database.write("let_go_of_payments", batch=batch)["let_go"]
    counts = {"reversals": reversals, "top_ups": top_ups["retried"], "let_go": let_go, "deadlines": deadlines}
    return {**counts, "failed": top_ups["overdue"]}


def _walk(database: Database, kind: str, batch: int) -> tuple[int, int]:
    cursor = f"stripe.{kind}"
    position, seen, drifted = database.read("get_cursor", name=cursor), 0, 0
    while seen < batch:
        found: list[dict[str, Any]] = []
        try:
            answer = sync.written(database, _WRITE[kind], partial(_page_of, kind, position, found))
        except NotFound:
            if position is None:
                raise
            position = None  # Stripe has forgotten the object where the last run stopped
            continue
        answers = [answer, *(_AGAIN[kind](database, name) for name in answer["stale"])]
        seen += len(found)
        drifted += sum(each["changed"] for each in answers)
        position = found[-1]["id"] if len(found) == PAGE else None
        database.write("set_cursor", name=cursor, reached=position)
        if position is None:
            break
    return seen, drifted


def _page_of(kind: str, after: str | None, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a page of objects, which are added to `found`."""
    asked: Any = {"limit": PAGE} | ({"starting_after": after} if after else {})
    if kind == "subscriptions":
        asked["status"] = "all"
        found += [plain(each) for each in client().v1.subscriptions.list(asked).data]
        return [mirror.subscription_row(each) for each in found]
    if kind == "payment_intents":
        asked["expand"] = ["data.latest_charge"]
        found += [plain(each) for each in client().v1.payment_intents.list(asked).data]
        return [mirror.payment_row(each) for each in found]
    if kind == "balance_transactions":
        asked["expand"] = ["data.source"]
        found += [plain(each) for each in client().v1.balance_transactions.list(asked).data]
        return [row for each in found for row in mirror.movement_rows(each)]
    asked["expand"] = ["data.payments"]
    found += [plain(each) for each in client().v1.invoices.list(asked).data]
    return [sync.invoice_row(each) for each in found]


_WRITE: dict[str, sync.Write] = {
    "subscriptions": sync.write_subscriptions,
    "invoices": sync.write_invoices,
    "payment_intents": sync.write_payments,
    "balance_transactions": sync.write_movements,
}
_AGAIN = {"subscriptions": sync.subscription, "invoices": sync.invoice, "payment_intents": sync.payment}
