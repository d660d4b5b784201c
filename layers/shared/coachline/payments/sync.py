"""One way from Stripe to the mirror, for events, jobs and repairs alike: fetch the object, write what it says.

The count of writes is read before the fetch and said with the write, which is refused when another was faster. Then the
object is fetched again: what is written was fetched after everything that was written before.
"""

from collections.abc import Callable
from typing import Any

from coachline.database import Database
from coachline.events import RetryLater
from coachline.payments import mirror
from coachline.payments.stripe_api import asking, client, plain

TRIES = 5

Row = dict[str, Any]


def subscription(database: Database, name: str) -> Row:
    """Mirror a subscription: {"state": "written" or "unknown" (not one of ours), "changed": …}."""

    def fetch() -> Row:
        return {"row_": mirror.subscription_row(plain(client().v1.subscriptions.retrieve(name)))}

    return _written(database, name, fetch, lambda found: database.write("mirror_subscription", **found))


def invoice(database: Database, name: str) -> Row:
    """Mirror an invoice with all of its lines, of which the object itself carries the first ten."""

    def fetch() -> Row:
        found = plain(client().v1.invoices.retrieve(name))
        lines = found["lines"]["data"]
        if found["lines"]["has_more"]:
            listed = client().v1.invoices.line_items.list(name, {"limit": 100})
            lines = [plain(line) for line in listed.auto_paging_iter()]
        return {"row_": mirror.invoice_row(found, lines)}

    return _written(database, name, fetch, lambda found: database.write("mirror_invoice", **found))


def coach_account(database: Database, name: str) -> Row:
    """Mirror a coach's connected account."""

    def fetch() -> Row:
        return {"row_": mirror.account_row(plain(client().v1.accounts.retrieve(name)))}

    return _written(database, name, fetch, lambda found: database.write("mirror_coach_account", **found))


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

    return _written(database, customer, fetch, lambda found: database.write("mirror_payment_methods", **found))


def _written(database: Database, name: str, fetch: Callable[[], Row], write: Callable[[Row], Row]) -> Row:
    for _ in range(TRIES):
        seen = database.read("stripe_writes", ids=[name])[name]
        with asking():
            found = fetch()
        answer = write({**found, "seen": seen})
        if answer["state"] != "stale":
            return answer
    raise RetryLater(5, f"{name} changes all the time")
