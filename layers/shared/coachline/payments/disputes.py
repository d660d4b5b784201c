"""Disputes: what payers claim at their banks, and what we answer (docs/payments.md)."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Input, Instant, Money, Output, Version, example
from coachline.pagination import Keyset, PageQuery
from coachline.payments import commands

_ORDER = Keyset(after_at=("opened_at", datetime), after_id=("id", UUID))
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
MOST_CHARACTERS = 150_000  # of all fields together, Stripe's own limit

_EXAMPLE: dict[str, Any] = {
    "id": "5b9d7b39-0d2c-4d58-a6ce-2f3a8f1e9c44",
    "paymentId": "b4d1f6ce-52a4-4d8f-8a39-77c1de0f5b21",
    "sessionId": "0f8f2f0e-3a5e-4e8e-8f0a-7d1f3f1c2b10",
    "coachId": "7c1a1f4e-90ab-4f7a-b7a2-1f0f6f6b8a01",
    "menteeId": "3e2ec15d-3d13-4e0d-a65c-377bd7400497",
    "kind": "CHARGEBACK",
    "status": "NEEDS_RESPONSE",
    "reason": "product_not_received",
    "amount": {"amount": 15000, "currency": "USD"},
    "dueBy": "2027-03-20T23:59:59Z",
    "needsResponse": True,
    "evidenceSubmittedAt": None,
    "openedAt": "2027-03-11T08:00:00Z",
    "closedAt": None,
    "version": 1,
}


class DisputeQuery(PageQuery):
    """Only those that are not decided yet, when asked."""

    open: bool = False


class Dispute(Output):
    """A dispute as Stripe last said it is. `needsResponse` until `dueBy`, when nothing was answered.

    `kind` INQUIRY: a bank asks, and no money has moved; CHARGEBACK: it has taken the money. `status` is Stripe's own,
    upper-cased; `reason` Stripe's own. Of a subscription's payment, the payment and all that hangs on it are null.
    """

    model_config = example(**_EXAMPLE)

    id: UUID
    payment_id: UUID | None
    session_id: UUID | None
    coach_id: UUID | None
    mentee_id: UUID | None
    kind: Literal["INQUIRY", "CHARGEBACK"]
    status: str
    reason: str
    amount: Money
    due_by: Instant | None
    needs_response: bool
    evidence_submitted_at: Instant | None
    opened_at: Instant
    closed_at: Instant | None
    version: int


class Evidence(Input):
    """What speaks for us, field by field as Stripe has them. Null takes a field out of the draft."""

    model_config = example(
        serviceDate="9 March 2027, 14:00 to 15:00 UTC",
        productDescription="A one-to-one coaching session by video.",
        accessActivityLog="Both were in the meeting from 14:01 to 14:58.",
    )

    product_description: Text | None = None
    service_date: Short | None = None
    customer_name: Short | None = None
    customer_email_address: Short | None = None
    access_activity_log: Text | None = None
    cancellation_policy_disclosure: Text | None = None
    cancellation_rebuttal: Text | None = None
    refund_policy_disclosure: Text | None = None
    refund_refusal_explanation: Text | None = None
    duplicate_charge_explanation: Text | None = None
    uncategorized_text: Text | None = None

    @model_validator(mode="after")
    def _not_too_long(self) -> "Evidence":
        if sum(len(text) for text in self.model_dump().values() if text) > MOST_CHARACTERS:
            raise ValueError(f"All fields together may have {MOST_CHARACTERS} characters")
        return self


class EvidenceDraft(Output):
    """What the draft holds, null where it holds nothing."""

    product_description: str | None
    service_date: str | None
    customer_name: str | None
    customer_email_address: str | None
    access_activity_log: str | None
    cancellation_policy_disclosure: str | None
    cancellation_rebuttal: str | None
    refund_policy_disclosure: str | None
    refund_refusal_explanation: str | None
    duplicate_charge_explanation: str | None
    uncategorized_text: str | None


class DisputedSession(Output):
    """What we know ourselves of the session. `attendance`: who was in its meeting, null where that is not known."""

    status: str
    start: Instant
    end: Instant
    price: Money
    booked_at: Instant
    coach_came: bool | None
    mentee_came: bool | None
    refunded: Money


class DisputeDetail(Dispute):
    """A dispute with our answer to it."""

    model_config = example(
        **_EXAMPLE,
        evidence=dict.fromkeys(map(to_camel, EvidenceDraft.model_fields)),
        session=None,
    )

    evidence: EvidenceDraft
    session: DisputedSession | None


class EvidenceInput(Input):
    """Fields of the draft to set; `submit` sends the whole draft to the bank, which can be done once."""

    model_config = example(
        evidence={"serviceDate": "9 March 2027, 14:00 to 15:00 UTC"},
        submit=False,
        version=1,
    )

    evidence: Evidence = Field(default_factory=lambda: Evidence.model_validate({}))
    submit: bool = False
    version: Version


def list_disputes(caller: Caller, query: DisputeQuery) -> tuple[list[Any], str | None]:
    """A page of `Dispute`."""
    rows = as_caller(caller).read("list_disputes", open_only=query.open, **_ORDER.arguments(query))
    return _ORDER.page(rows, query)


def get_dispute(caller: Caller, dispute_id: UUID) -> Any:
    """One `DisputeDetail`."""
    return _shown(as_caller(caller).read("get_dispute", dispute_id=str(dispute_id)))


def answer(caller: Caller, dispute_id: UUID, body: EvidenceInput) -> Any:
    """`DisputeDetail` with the new draft, or with what was submitted.

    409 dispute_closed, evidence_submitted, dispute_deadline_passed, version_conflict; 403 when a coach submits.
    """
    database = as_caller(caller)
    begun = database.write(
        "save_dispute_evidence",
        dispute_id=str(dispute_id),
        evidence=body.evidence.model_dump(exclude_unset=True),
        submit=body.submit,
        expected_version=body.version,
    )
    if begun["command"]:
        commands.run(database, begun["command"])
    return _shown(begun["dispute"])


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = dict.fromkeys(EvidenceDraft.model_fields)
    return {**row, "evidence": {**fields, **row["evidence"]}}
