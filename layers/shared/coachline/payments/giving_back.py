"""The calls of Stripe that give money back and answer disputes, each so that it happens once.

`forgotten`: Stripe may not know the idempotency key any more, so first comes a look whether it has been done. What the
rules are, the database decides before a command is committed (prisma/sql/functions/payments/refund.sql).
"""

from collections.abc import Mapping
from typing import Any

import stripe

from coachline.payments.stripe_api import Refused, client

Parameters = Mapping[str, Any]


def refund(ours: str, given: Parameters, key: Any, *, forgotten: bool) -> stripe.StripeObject:
    """Give money back; with it, in the same call, what the coach and the platform had of it."""
    intent = given["payment_intent"]
    if forgotten:
        listed = client().v1.refunds.list({"payment_intent": intent, "limit": 100})
        for made in listed.auto_paging_iter():
            if made.metadata and made.metadata.to_dict().get("refund_id") == ours:
                return made
    asked: Any = {
        "payment_intent": intent,
        "amount": given["amount"],
        "reason": given["reason"],
        "metadata": {"refund_id": ours},
    }
    asked |= {name: True for name in ("reverse_transfer", "refund_application_fee") if given[name]}
    return client().v1.refunds.create(asked, key)


def reverse_transfer(ours: str, given: Parameters, key: Any, *, forgotten: bool) -> stripe.StripeObject:
    """Take back of a transfer what no refund takes back by itself, as far as nobody has taken it in the Dashboard."""
    transfer = client().v1.transfers.retrieve(given["transfer"])
    if forgotten or transfer.amount_reversed:
        for made in client().v1.transfers.reversals.list(transfer.id, {"limit": 100}).auto_paging_iter():
            if made.metadata and made.metadata.to_dict().get("reversal_id") == ours:
                return made
    left = transfer.amount - transfer.amount_reversed
    if not left:
        raise Refused("Nothing is left of the transfer to take back.", code="nothing_left")
    asked: Any = {"amount": min(given["amount"], left), "metadata": {"reversal_id": ours}}
    asked |= {"refund_application_fee": True} if given["refund_application_fee"] else {}
    return client().v1.transfers.reversals.create(given["transfer"], asked, key)


def submit_evidence(_ours: str, given: Parameters, key: Any, *, forgotten: bool) -> stripe.StripeObject:
    """Answer a dispute, once and for all."""
    if forgotten:
        dispute = client().v1.disputes.retrieve(given["dispute"])
        if dispute.evidence_details.submission_count:
            return dispute
    asked: Any = {"evidence": given["evidence"], "submit": True}
    return client().v1.disputes.update(given["dispute"], asked, key)
