"""Invoices: numbered, rendered and hosted by Stripe; mirrored here."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Instant, Money, Output, example
from coachline.pagination import Keyset, PageQuery
from coachline.problems import Conflict

_ORDER = Keyset(after_at=("created_at", datetime), after_id=("id", UUID))
_EXAMPLE: dict[str, Any] = {
    "id": "b7e1a0de-6d3b-4b0b-9a57-6a1f4a3d2c11",
    "userId": "3e2ec15d-3d13-4e0d-a65c-377bd7400497",
    "subscriptionId": "0c0a6b1e-6a5c-4c0e-8a53-1d2c1f6f2b10",
    "coachId": None,
    "number": "C1A2B3C4-0001",
    "status": "PAID",
    "billingReason": "SUBSCRIPTION_CYCLE",
    **{name: {"amount": 9900, "currency": "USD"} for name in ("subtotal", "total", "amountDue", "amountPaid")},
    "amountRemaining": {"amount": 0, "currency": "USD"},
    "attemptCount": 1,
    "nextPaymentAttempt": None,
    "dueAt": None,
    "periodStart": "2027-03-01T09:00:00Z",
    "periodEnd": "2027-04-01T09:00:00Z",
    "paidAt": "2027-03-01T10:00:00Z",
    "hostedInvoiceUrl": "https://invoice.stripe.com/i/…",
    "createdAt": "2027-03-01T09:00:00Z",
}


class InvoiceStatus(StrEnum):
    """Stripe's own, upper-cased."""

    DRAFT = "DRAFT"
    OPEN = "OPEN"
    PAID = "PAID"
    UNCOLLECTIBLE = "UNCOLLECTIBLE"
    VOID = "VOID"


class Invoice(Output):
    """An invoice as Stripe last said it is: of a subscription, or of a month's sessions with the coach `coachId`."""

    model_config = example(**_EXAMPLE)

    id: UUID
    user_id: UUID
    subscription_id: UUID | None
    coach_id: UUID | None
    number: str | None
    status: InvoiceStatus
    billing_reason: str | None
    subtotal: Money
    total: Money
    amount_due: Money
    amount_paid: Money
    amount_remaining: Money
    attempt_count: int
    next_payment_attempt: Instant | None
    due_at: Instant | None
    period_start: Instant
    period_end: Instant
    paid_at: Instant | None
    hosted_invoice_url: str | None
    created_at: Instant


class InvoiceLine(Output):
    """What one line charges, or below zero credits; of which session, on an invoice of sessions."""

    description: str | None
    amount: Money
    quantity: int | None
    proration: bool
    period_start: Instant
    period_end: Instant
    session_id: UUID | None


class InvoiceDetail(Invoice):
    """An invoice with its lines, whose sum is its subtotal."""

    model_config = example(**_EXAMPLE | {"lines": []})

    lines: list[InvoiceLine]


class InvoiceQuery(PageQuery):
    """Which invoices."""

    status: InvoiceStatus | None = None


def list_invoices(caller: Caller, query: InvoiceQuery) -> tuple[list[Any], str | None]:
    """A page of `Invoice`, newest first: the caller's, for an ADMIN everyone's."""
    rows = as_caller(caller).read(
        "list_invoices",
        wanted_status=query.status,
        **_ORDER.arguments(query),
    )
    return _ORDER.page(rows, query)


def get_invoice(caller: Caller, invoice_id: UUID) -> Any:
    """One `InvoiceDetail`."""
    return as_caller(caller).read("get_invoice", invoice_id=str(invoice_id))


def pdf_of(caller: Caller, invoice_id: UUID) -> str:
    """The address of Stripe's PDF; 409 invoice_not_final while it is a draft."""
    address: str | None = get_invoice(caller, invoice_id)["pdf_url"]
    if address is None:
        raise Conflict("A draft has no PDF yet. Stripe makes it when the invoice is final.", code="invoice_not_final")
    return address
