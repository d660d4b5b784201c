"""Refunds: an ADMIN's by hand; those of the policy make themselves (prisma/sql/functions/payments/refund.sql)."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import StringConstraints

from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Input, Instant, Money, Output, PartOfPrice, example
from coachline.pagination import Keyset, PageQuery
from coachline.payments import commands
from coachline.payments.stripe_api import plain
from coachline.problems import Conflict

_ORDER = Keyset(after_at=("created_at", datetime), after_id=("id", UUID))


class RefundStatus(StrEnum):
    """Stripe's own, upper-cased. One that SUCCEEDED may still turn out FAILED: the bank has sent it back."""

    PENDING = "PENDING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class RefundReason(StrEnum):
    """Why: the first three and the last an ADMIN's, the others rules of ours."""

    GOODWILL = "GOODWILL"
    DUPLICATE = "DUPLICATE"
    FRAUDULENT = "FRAUDULENT"
    CANCELLATION = "CANCELLATION"
    NO_SHOW = "NO_SHOW"
    SLOT_LOST = "SLOT_LOST"
    PAID_TWICE = "PAID_TWICE"
    OTHER = "OTHER"


class GivenReason(StrEnum):
    """Why an ADMIN gives money back."""

    GOODWILL = "GOODWILL"
    DUPLICATE = "DUPLICATE"
    FRAUDULENT = "FRAUDULENT"
    OTHER = "OTHER"


class PaymentRefund(Output):
    """`amount` goes back to where it was paid from; `credit` is account credit that had paid a part, given back too.

    `included`: a plan had paid, so that neither goes back; the whole of it gives the session back to the plan's month.
    `initiator` ADMIN: by hand; SYSTEM: by a rule, or in Stripe's Dashboard. `failureReason` is Stripe's.
    """

    model_config = example(
        id="4e0a2fb0-7a58-4f0e-9d10-1f5b3c8e2a77",
        paymentId="b4d1f6ce-52a4-4d8f-8a39-77c1de0f5b21",
        status="SUCCEEDED",
        reason="GOODWILL",
        note="The sound failed for half of the session.",
        initiator="ADMIN",
        amount={"amount": 7500, "currency": "USD"},
        credit={"amount": 0, "currency": "USD"},
        included=False,
        failureReason=None,
        succeededAt="2027-03-09T10:00:02Z",
        createdAt="2027-03-09T10:00:00Z",
    )

    id: UUID
    payment_id: UUID
    status: RefundStatus
    reason: RefundReason
    note: str | None
    initiator: str
    amount: Money
    credit: Money
    included: bool
    failure_reason: str | None
    succeeded_at: Instant | None
    created_at: Instant


class RefundInput(Input):
    """What to give back, all that is left when no `amount` is named; where credit had paid a part, both in proportion.

    The coach's share and the platform's fee go back in the same proportion.
    """

    model_config = example(
        amount={"amount": 7500, "currency": "USD"}, reason="GOODWILL", note="The sound failed for half of the session."
    )

    amount: PartOfPrice | None = None
    reason: GivenReason
    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=2000)]


def list_refunds(caller: Caller, payment_id: UUID, query: PageQuery) -> tuple[list[Any], str | None]:
    """A page of `PaymentRefund`, for payer, coach and ADMIN."""
    rows = as_caller(caller).read("list_refunds", payment_id=str(payment_id), **_ORDER.arguments(query))
    return _ORDER.page(rows, query)


def refund(caller: Caller, payment_id: UUID, body: RefundInput) -> Any:
    """The new `PaymentRefund`, with the status that Stripe answered.

    409 payment_not_paid, payment_refunded, payment_disputed; 422 refund_exceeds_payment, currency_mismatch, and
    included_session for a part of what a plan has paid.
    """
    database = as_caller(caller)
    begun = database.write(
        "begin_refund",
        payment_id=str(payment_id),
        wanted=body.amount.amount if body.amount else None,
        currency=body.amount.currency if body.amount else None,
        reason=body.reason,
        note=body.note,
    )
    if begun["error"]:
        raise Conflict("The payment provider has refused this refund. Look at the payment again.", code=begun["error"])
    if not begun["command"]:
        return begun["refund"]
    answer = plain(commands.run(database, begun["command"]))
    return begun["refund"] | {"status": answer["status"].upper(), "failure_reason": answer["failure_reason"]}
