"""One way from Stripe to the mirror, for events, jobs and repairs alike: fetch objects, write what they say.

Every write of the mirror has a number. How far they are is read before the fetch and said with the write, which leaves
out what was written meanwhile. That is fetched again: what is written was fetched after all that was written before.
"""

from collections.abc import Callable
from typing import Any

from coachline.database import Database
from coachline.events import RetryLater
from coachline.logs import logger
from coachline.payments import mirror
from coachline.payments.stripe_api import asking, client, plain

TRIES = 5

Row = dict[str, Any]
Write = Callable[[Database, list[Row], int], Row]


def subscription(database: Database, name: str) -> Row:
    """Mirror a subscription: how many were "written" and "changed", or "unknown" (not one of ours)."""

    def fetch() -> list[Row]:
        return [mirror.subscription_row(plain(client().v1.subscriptions.retrieve(name)))]

    return fresh(lambda: written(database, write_subscriptions, fetch), name)


def invoice(database: Database, name: str) -> Row:
    """Mirror an invoice with all of its lines."""

    def fetch() -> list[Row]:
        return [invoice_row(plain(client().v1.invoices.retrieve(name, {"expand": ["payments"]})))]

    return fresh(lambda: written(database, write_invoices, fetch), name)


def invoice_of(database: Database, payment_intent: str) -> bool:
    """Mirror the invoice that a payment intent pays; whether there is one."""
    with asking():
        wanted: Any = {"payment": {"type": "payment_intent", "payment_intent": payment_intent}, "limit": 1}
        found = client().v1.invoice_payments.list(wanted).data
    for each in found:
        invoice(database, str(mirror.identifier(plain(each)["invoice"])))
    return bool(found)


def coach_account(database: Database, name: str) -> Row:
    """Mirror a coach's connected account."""

    def fetch() -> Row:
        return {"row_": mirror.account_row(plain(client().v1.accounts.retrieve(name)))}

    def write(found: Row) -> Row:
        answer: Row = database.write("mirror_coach_account", **found)
        return answer

    return fresh(lambda: _written_alone(database, write, fetch), name)


def payment(database: Database, name: str) -> Row:
    """Mirror the payment of a session, and what it has moved."""
    found: Row = {}

    def fetch() -> list[Row]:
        asked: Any = {"expand": ["latest_charge.balance_transaction", *_MOVED]}
        found.update(plain(client().v1.payment_intents.retrieve(name, asked)))
        return [mirror.payment_row(found)]

    answer = fresh(lambda: written(database, write_payments, fetch), name)
    # Also of what is paid for subscriptions and invoices: the platform's balance is one.
    rows = _moved(found["latest_charge"])
    if write_movements(database, rows)["unowned"] and invoice_of(database, name):
        write_movements(database, rows)
    return answer


_MOVED = ["latest_charge.transfer.balance_transaction", "latest_charge.application_fee.balance_transaction"]


def _moved(charge: Row | None) -> list[Row]:
    """The movements of a charge: its own, of the transfer to the coach, and of the application fee."""
    sources = [charge, charge.get("transfer"), charge.get("application_fee")] if charge else []
    booked = [(each, each["balance_transaction"]) for each in sources if each and each["balance_transaction"]]
    rows = [row for source, entry in booked for row in mirror.movement_rows({**entry, "source": source})]
    return [row | {"payment_intent": charge["payment_intent"]} for row in rows] if charge else []


def transfer(database: Database, name: str) -> None:
    """The movement of a transfer."""
    with asking():
        asked: Any = {"expand": ["balance_transaction"]}
        found = plain(client().v1.transfers.retrieve(name, asked))
    write_movements(database, mirror.movement_rows({**found["balance_transaction"], "source": found}))


def payment_methods(database: Database, customer: str) -> Row:
    """Mirror a customer's methods and which of them is the default."""

    def fetch() -> Row:
        found = plain(client().v1.customers.retrieve(customer))
        if found.get("deleted"):
            return {"customer": customer, "methods": [], "default_method": None}
        listed = client().v1.payment_methods.list({"customer": customer, "limit": 100})
        methods = [mirror.payment_method_row(plain(method)) for method in listed.auto_paging_iter()]
        default = (found.get("invoice_settings") or {}).get("default_payment_method")
        return {"customer": customer, "methods": methods, "default_method": default}

    def write(found: Row) -> Row:
        answer: Row = database.write("mirror_payment_methods", **found)
        return answer

    return fresh(lambda: _written_alone(database, write, fetch), customer)


def invoice_row(found: Row) -> Row:
    """The row of an invoice; beyond ten lines, which the object itself carries, they are fetched."""
    lines = found["lines"]["data"]
    if found["lines"]["has_more"]:
        listed = client().v1.invoices.line_items.list(found["id"], {"limit": 100})
        lines = [plain(line) for line in listed.auto_paging_iter()]
    return mirror.invoice_row(found, lines)


def write_subscriptions(database: Database, rows: list[Row], seen: int) -> Row:
    """What became of the rows, fetched after `seen` was read."""
    answer: Row = database.write("mirror_subscriptions", rows=rows, seen=seen)
    return answer


def write_invoices(database: Database, rows: list[Row], seen: int) -> Row:
    """What became of the rows, fetched after `seen` was read. An invoice is its lines: one that is not is told of."""
    answer: Row = database.write("mirror_invoices", rows=rows, seen=seen)
    for name in answer["unbalanced"]:
        logger.error("invoice.unbalanced", invoice_id=name)
    return answer


def write_payments(database: Database, rows: list[Row], seen: int) -> Row:
    """What became of the rows, fetched after `seen` was read."""
    answer: Row = database.write("mirror_payments", rows=rows, seen=seen)
    return answer


def write_movements(database: Database, rows: list[Row], _seen: int = 0) -> Row:
    """How many of the rows were new ("changed"): what has moved stays, so none is ever stale."""
    answer: Row = database.write("record_movements", rows=rows)
    return answer


def written(database: Database, write: Write, fetch: Callable[[], list[Row]]) -> Row:
    """Mirror what `fetch` answers, in one write: the counts, and the ids of what was written meanwhile ("stale")."""
    seen = database.read("stripe_write_position")
    with asking():
        rows = fetch()
    return write(database, rows, seen)


def _written_alone(database: Database, write: Callable[[Row], Row], fetch: Callable[[], Row]) -> Row:
    """As `written`, for what is never mirrored by pages."""
    seen = database.read("stripe_write_position")
    with asking():
        found = fetch()
    answer = write({**found, "seen": seen})
    return answer | {"stale": answer["state"] == "stale"}


def fresh(write: Callable[[], Row], name: str) -> Row:
    """Mirror an object again until nobody else has written it meanwhile."""
    for _ in range(TRIES):
        answer = write()
        if not answer["stale"]:
            return answer
    raise RetryLater(5, f"{name} changes all the time")
