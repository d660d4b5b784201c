"""From a charge at Stripe to our mirror of what became of it: refunds, disputes, reversals, and their movements."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import stripe

from coachline.database import Database
from coachline.payments import sync
from coachline.payments.charges import charge_row
from coachline.payments.mirror import Row
from coachline.payments.stripe_api import asking, client, plain

PAGE = 100
_PARTS = ("refunds", "disputes", "reversals", "fee_refunds")
_REFUNDS_BOOKED = ["data.balance_transaction", "data.failure_balance_transaction"]
# One call for what nearly every charge has: an object carries the first ten of its parts.
_EXPANDED = [
    "refunds.data.balance_transaction",
    "refunds.data.failure_balance_transaction",
    "transfer.reversals.data.balance_transaction",
    "application_fee.refunds.data.balance_transaction",
]


def mirror_charge(database: Database, name: str) -> Row:
    """Mirror what became of a charge: whether it is "written" or "early" (its payment is not known to be paid)."""

    def once() -> Row:
        position = database.read("charge_position", charge=name)
        with asking():
            row = _fetched(name, position["top_up"])
        answer: Row = database.write("mirror_charge", row_=row, seen=position["seen"])
        return answer | {"stale": answer["state"] == "stale"}

    return sync.fresh(once, name)


def _fetched(name: str, top_up: str | None) -> Row:
    """`name` is that of a charge, or of the transfer with which the platform pays what credit has covered alone."""
    if name == top_up:
        alone = {"id": name, "payment_intent": None}
        return charge_row(alone, {**dict.fromkeys(_PARTS, ()), "top_up_reversals": _reversals(name)}, top_up)
    api = client().v1
    charge = plain(api.charges.retrieve(name, {"expand": _EXPANDED}))
    transfer, fee = charge["transfer"], charge["application_fee"]
    refunds: Any = {"charge": name, "limit": PAGE, "expand": _REFUNDS_BOOKED}
    booked: Any = {"limit": PAGE, "expand": ["data.balance_transaction"]}
    parts: dict[str, Iterable[Row]] = {
        "refunds": _all(charge["refunds"], lambda: api.refunds.list(refunds)),
        "disputes": _listed(api.disputes.list({"charge": name, "limit": PAGE})) if charge["disputed"] else (),
        "reversals": _all(
            transfer and transfer["reversals"], lambda: api.transfers.reversals.list(transfer["id"], booked)
        ),
        "fee_refunds": _all(fee and fee["refunds"], lambda: api.application_fees.refunds.list(fee["id"], booked)),
        "top_up_reversals": _reversals(top_up) if top_up else (),
    }
    return charge_row(charge, parts, top_up)


def _reversals(transfer: str) -> list[Row]:
    booked: Any = {"limit": PAGE, "expand": ["data.balance_transaction"]}
    return _listed(client().v1.transfers.reversals.list(transfer, booked))


def _all(embedded: Mapping[str, Any] | None, more: Callable[[], stripe.ListObject[Any]]) -> list[Row]:
    """The parts that an object carries; when those are not all of them, the list."""
    if not embedded:
        return []
    return _listed(more()) if embedded["has_more"] else list(embedded["data"])


def _listed(found: stripe.ListObject[Any]) -> list[Row]:
    return [plain(each) for each in found.auto_paging_iter()]
