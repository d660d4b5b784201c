"""Payments of sessions: opened with the booking, paid at Stripe, true when Stripe says so (docs/payments.md)."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from coachline.api import Caller
from coachline.database import Database, as_caller
from coachline.models import Input, Instant, Money, Output, example
from coachline.pagination import Keyset, PageQuery
from coachline.payments import commands, mirror
from coachline.payments.stripe_api import asking, client, plain
from coachline.problems import Conflict

_ORDER = Keyset(after_at=("created_at", datetime), after_id=("id", UUID))
_PAYABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


class PaymentStatus(StrEnum):
    """The machine is in prisma/sql/functions/payments/payment_rules.sql."""

    PENDING = "PENDING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"
    DISPUTED = "DISPUTED"


def _usd(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


_EXAMPLE: dict[str, Any] = {
    "id": "5b1c36ce-6c8e-4a7c-9a11-6f3f2f0d8f77",
    "sessionId": "36f3a6f7-6b06-4742-97cb-55ba40744261",
    "menteeId": "3e2ec15d-3d13-4e0d-a65c-377bd7400497",
    "coachId": "0f08551d-9a54-47e4-b942-7a387eda5385",
    "status": "COMPLETED",
    "amount": _usd(15000),
    "credit": _usd(1000),
    "included": False,
    "charged": _usd(14000),
    "paid": _usd(14000),
    "refunded": _usd(0),
    "fee": None,
    "failureCode": None,
    "holdExpiresAt": "2027-02-22T10:15:00Z",
    "paidAt": "2027-02-22T10:03:12Z",
    "canceledAt": None,
    "version": 2,
    "createdAt": "2027-02-22T10:00:00Z",
    "updatedAt": "2027-02-22T10:03:12Z",
}


class Payment(Output):
    """A payment of a session. `amount` is its price: `credit` (account credit) and what is `charged` at Stripe.

    `included`: the mentee's plan has paid all of it. FAILED is an attempt that was declined: it can be paid until
    `holdExpiresAt`. `fee`, the platform's part of the price, is shown to the coach and to ADMINs.
    """

    model_config = example(**_EXAMPLE)

    id: UUID
    session_id: UUID
    mentee_id: UUID
    coach_id: UUID
    status: PaymentStatus
    amount: Money
    credit: Money
    included: bool
    charged: Money
    paid: Money
    refunded: Money
    fee: Money | None
    failure_code: str | None
    hold_expires_at: Instant | None
    paid_at: Instant | None
    canceled_at: Instant | None
    version: int
    created_at: Instant
    updated_at: Instant


class RequestedPayment(Payment):
    """A payment just after somebody tried to pay; its status is what Stripe answered.

    `clientSecret` is there while something is left to do for the payer: hand it to Stripe.js.
    """

    model_config = example(
        **_EXAMPLE | {"status": "PENDING", "paid": _usd(0), "paidAt": None, "clientSecret": "pi_…_secret_…"}
    )

    client_secret: str | None


class PaymentInput(Input):
    """A session that waits for its payment. A saved method pays at once; without one the client secret starts it."""

    model_config = example(
        sessionId="36f3a6f7-6b06-4742-97cb-55ba40744261", paymentMethodId="9f0f0d5e-0f0d-4a35-9d8a-0a5f0a1f7a11"
    )

    session_id: UUID
    payment_method_id: UUID | None = None


class PaymentQuery(PageQuery):
    """The caller's payments, as mentee or as coach; an ADMIN sees everyone's."""

    session_id: UUID | None = None
    status: PaymentStatus | None = None


def list_payments(caller: Caller, query: PaymentQuery) -> tuple[list[Any], str | None]:
    """A page of `Payment`, newest first; and the next cursor."""
    rows = as_caller(caller).read(
        "list_payments",
        wanted_session=query.session_id and str(query.session_id),
        wanted_status=query.status,
        **_ORDER.arguments(query),
    )
    return _ORDER.page(rows, query)


def get_payment(caller: Caller, payment_id: UUID) -> Any:
    """One `Payment`; 404 to everyone but its two sides and ADMINs."""
    return as_caller(caller).read("get_payment", payment_id=str(payment_id))


def pay(caller: Caller, body: PaymentInput) -> Any:
    """`RequestedPayment`; 402 payment_declined, 409 not_payable, already_paid or payment_in_progress."""
    database = as_caller(caller)
    method = body.payment_method_id and str(body.payment_method_id)
    begun = database.write("begin_payment", session_id=str(body.session_id), payment_method_id=method)
    return begun["payment"] | _carried_out(database, begun)


def open_payment(caller: Caller, booked: Mapping[str, Any]) -> dict[str, Any]:
    """Of a session that was just booked: `client_secret`, and `payment_status` as Stripe answered.

    409 payouts_not_ready when the coach's account has been restricted meanwhile: the session is cancelled then.
    """
    payment = booked["payment"]
    if payment["status"] == "COMPLETED":
        return {"payment_id": payment["id"], "payment_status": "COMPLETED", "client_secret": None}
    begun = {"payment": payment, "command": booked["command"], "stripe_payment_intent_id": None}
    answer = _carried_out(as_caller(caller), begun)
    return {"payment_id": payment["id"], "payment_status": answer["status"], "client_secret": answer["client_secret"]}


def _carried_out(database: Database, begun: Mapping[str, Any]) -> dict[str, Any]:
    """What was begun, asked of Stripe. A repeated request has no command of its own, and is told how things are."""
    command, intent_id = begun["command"], begun["stripe_payment_intent_id"]
    if command is None and intent_id is None:
        found = database.read("get_payment_to_make", payment_id=begun["payment"]["id"])
        command, intent_id = found["command"], found["stripe_payment_intent_id"]
        if command is None and intent_id is None:
            raise Conflict(
                "The payment could not be opened. Book again.", code=found["payment"]["failure_code"] or "not_payable"
            )
    if command is not None:
        intent = plain(commands.run(database, command))
    else:
        with asking():
            intent = plain(client().v1.payment_intents.retrieve(intent_id))
    row = mirror.payment_row(intent)
    secret = intent["client_secret"] if intent["status"] in _PAYABLE else None
    return {"status": row["status"], "failure_code": row["failure_code"], "client_secret": secret}
