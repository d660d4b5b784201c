"""What became of a charge at Stripe, read as a row of ours: refunds, disputes, and what they moved.

Pure functions over Stripe's JSON, as in `mirror`. Amounts of movements are those of balance transactions: what each
adds to the platform's balance, in the currency in which Stripe settles.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from coachline.payments.mirror import Row, identifier, instant

Object = Mapping[str, Any]
CLOSED = {"won", "lost", "warning_closed", "prevented"}


def charge_row(charge: Object, parts: Mapping[str, Iterable[Object]], top_up: str | None) -> Row:
    """Of a charge: `refunds`, `disputes`, `reversals` of its transfer, and `fee_refunds`.

    And `top_up_reversals`, those of the transfer that account credit caused (`top_up`). All with their balance
    transactions expanded.
    """
    refunds, disputes, reversals = (list(parts[name]) for name in ("refunds", "disputes", "reversals"))
    taken = {identifier(each["source_refund"]): each["amount"] for each in reversals}
    return {
        "charge": charge["id"],
        "payment_intent": identifier(charge["payment_intent"]),
        "top_up": top_up,
        "refunds": [_refund(each, taken) for each in refunds],
        "disputes": [_dispute(each) for each in disputes],
        "movements": [
            *(move for each in refunds for move in _of_refund(each)),
            *(
                move
                for each in reversals
                for move in _moved("REVERSAL", each, refund=identifier(each["source_refund"]))
            ),
            *(move for each in parts["fee_refunds"] for move in _moved("FEE_REVERSAL", each)),
            *(move for each in disputes for move in _of_dispute(each)),
            *(move for each in parts["top_up_reversals"] for move in _moved("CREDIT_REVERSAL", each)),
        ],
    }


def _refund(refund: Object, taken: Mapping[str | None, int]) -> Row:
    return {
        "id": refund["id"],
        "refund_id": (refund["metadata"] or {}).get("refund_id"),
        "status": refund["status"].upper(),
        "amount": refund["amount"],
        "currency": refund["currency"].upper(),
        "reason": refund["reason"],
        "reversed": taken.get(refund["id"], 0),
        "transfer_reversal": identifier(refund["transfer_reversal"]),
        "failure_reason": refund["failure_reason"],
        "created_at": instant(refund["created"]),
    }


def _dispute(dispute: Object) -> Row:
    """An inquiry asks, and its status says so (warning_…); a chargeback has taken the money."""
    status, details = dispute["status"], dispute["evidence_details"]
    return {
        "id": dispute["id"],
        "charge": identifier(dispute["charge"]),
        "kind": "INQUIRY" if status.startswith("warning_") else "CHARGEBACK",
        "status": status.upper(),
        "reason": dispute["reason"],
        "amount": dispute["amount"],
        "currency": dispute["currency"].upper(),
        "due_by": instant(details["due_by"] or None),
        "submitted": status not in {"needs_response", "warning_needs_response"} and details["submission_count"] > 0,
        "refundable": dispute["is_charge_refundable"],
        "closed": status in CLOSED,
        "opened_at": instant(dispute["created"]),
    }


def _of_refund(refund: Object) -> Iterator[Row]:
    yield from _moved("REFUND", refund, refund=refund["id"])
    if failure := refund["failure_balance_transaction"]:
        yield from _moved("REFUND_FAILURE", {**refund, "balance_transaction": failure}, refund=refund["id"])


def _of_dispute(dispute: Object) -> Iterator[Row]:
    """Money may be taken and given more than once (appeals), so each movement is named by its own transaction."""
    for transaction in dispute["balance_transactions"]:
        amount, fee = transaction["amount"], transaction["fee"]
        of_this = {"id": transaction["id"], "balance_transaction": transaction}
        if amount:
            yield _movement("DISPUTE" if amount < 0 else "DISPUTE_REVERSAL", of_this, amount, dispute=dispute["id"])
        if fee:
            kind = "DISPUTE_FEE" if fee > 0 else "DISPUTE_FEE_REVERSAL"
            yield _movement(kind, of_this, -fee, dispute=dispute["id"])


def _moved(kind: str, mover: Object, **of: str | None) -> Iterator[Row]:
    """What an object moved; nothing while Stripe has not booked it. Stripe's own fee for it stands apart."""
    transaction = mover["balance_transaction"]
    if transaction:
        yield _movement(kind, mover, transaction["amount"], **of)
        if transaction["fee"]:
            yield _movement("PROCESSING_FEE", mover, -transaction["fee"], **of)


def _movement(kind: str, mover: Object, amount: int, **of: str | None) -> Row:
    transaction = mover["balance_transaction"]
    return {
        "kind": kind,
        "amount": amount,
        "currency": transaction["currency"].upper(),
        "stripe_id": mover["id"],
        "balance_transaction": transaction["id"],
        "occurred_at": instant(transaction["created"]),
        **of,
    }
