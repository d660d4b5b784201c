"""Sessions after they are booked: what they are, and how they end."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Input, Instant, Money, Output, Version, example
from coachline.pagination import Keyset, PageQuery

_ORDER = Keyset(before_start=("start", datetime), before_id=("id", UUID))
Actor = Literal["MENTEE", "COACH", "ADMIN", "SYSTEM"]
Party = Literal["MENTEE", "COACH"]
SessionType = Literal["COACHING", "INTRODUCTION", "FOLLOW_UP"]
Reason = Annotated[str, Field(min_length=1, max_length=1000)]


class SessionStatus(StrEnum):
    """The machine is in prisma/sql/functions/sessions/session.sql."""

    PENDING_PAYMENT = "PENDING_PAYMENT"
    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    NO_SHOW = "NO_SHOW"
    EXPIRED = "EXPIRED"


class Refund(Output):
    """What of the price goes back to the mentee: by DOMAIN D, or as an ADMIN decided. Money moves with the payment."""

    percent: int
    amount: Money


EXAMPLE: dict[str, Any] = {
    "id": "36f3a6f7-6b06-4742-97cb-55ba40744261",
    "coachId": "0f08551d-9a54-47e4-b942-7a387eda5385",
    "menteeId": "3e2ec15d-3d13-4e0d-a65c-377bd7400497",
    "coachName": "Casey Morgan",
    "menteeName": "Jordan Rivera",
    "type": "COACHING",
    "status": "SCHEDULED",
    "start": "2027-03-08T14:00:00Z",
    "end": "2027-03-08T15:00:00Z",
    "durationMinutes": 60,
    "price": {"amount": 15000, "currency": "USD"},
    "rateAtBooking": {"amount": 15000, "currency": "USD"},
    "coachTimezone": "America/New_York",
    "menteeTimezone": "Europe/London",
    "note": None,
    "holdExpiresAt": None,
    "cancelledAt": None,
    "cancelledBy": None,
    "cancellationReason": None,
    "rescheduledCount": 0,
    "rescheduledAt": None,
    "completedAt": None,
    "noShowBy": None,
    "refund": None,
    "disputed": False,
    "version": 1,
    "createdAt": "2027-02-22T10:00:00Z",
    "updatedAt": "2027-02-22T10:00:00Z",
}


class Session(Output):
    """A session as its participants see it. `rateAtBooking` (an hour's) stays, and so does `price` for its length.

    `type` is that of Calendly's event type where it was booked there, otherwise COACHING.
    `disputed`: its payer has gone to his bank, which has not decided yet.
    """

    model_config = example(**EXAMPLE)

    id: UUID
    coach_id: UUID
    mentee_id: UUID
    coach_name: str | None
    mentee_name: str | None
    type: SessionType
    status: SessionStatus
    start: Instant
    end: Instant
    duration_minutes: int
    price: Money
    rate_at_booking: Money
    coach_timezone: str
    mentee_timezone: str
    note: str | None
    hold_expires_at: Instant | None
    cancelled_at: Instant | None
    cancelled_by: Actor | None
    cancellation_reason: str | None
    rescheduled_count: int
    rescheduled_at: Instant | None
    completed_at: Instant | None
    no_show_by: Party | None
    refund: Refund | None
    disputed: bool
    version: int
    created_at: Instant
    updated_at: Instant


class SessionQuery(PageQuery):
    """The caller's sessions, as coach, as mentee or both, that start in `[from, to)`."""

    role: Literal["COACH", "MENTEE"] | None = None
    status: SessionStatus | None = None
    from_: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None


class Cancellation(Input):
    """Why, for the other side to read. With a `version`, only that version is cancelled.

    `refundPercent` is an ADMIN's word against the policy: all, unless the mentee cancels in the last 24 hours.
    """

    model_config = example(reason="A viewing came up")

    reason: Reason | None = None
    refund_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    version: Version | None = None


class Completion(Input):
    """That the session took place. With a `version`, only that version is completed."""

    model_config = example(version=2)

    reason: Reason | None = None
    version: Version | None = None


class NoShow(Input):
    """Who was absent: the other side, unless `absent` says otherwise; an ADMIN has to say."""

    model_config = example(absent="MENTEE", reason="I waited for half an hour")

    absent: Party | None = None
    reason: Reason | None = None
    version: Version | None = None


def list_sessions(caller: Caller, query: SessionQuery) -> tuple[list[Any], str | None]:
    """A page of `Session`, latest start first; and the next cursor."""
    rows = as_caller(caller).read(
        "list_sessions",
        as_role=query.role,
        wanted_status=query.status,
        from_at=query.from_ and query.from_.isoformat(),
        to_at=query.to and query.to.isoformat(),
        **_ORDER.arguments(query),
    )
    return _ORDER.page(rows, query)


def get_session(caller: Caller, session_id: UUID) -> Any:
    """One `Session`; 404 to everyone but its two participants and ADMINs."""
    return as_caller(caller).read("get_session", session_id=str(session_id))


def cancel_session(caller: Caller, session_id: UUID, body: Cancellation) -> Any:
    """The cancelled `Session`; 409 invalid_transition when it has ended, session_started when it has begun.

    403 for a `refundPercent` that does not come from an ADMIN.
    """
    return as_caller(caller).write(
        "cancel_session",
        session_id=str(session_id),
        reason=body.reason,
        expected_version=body.version,
        refund_percent=body.refund_percent,
    )


def complete_session(caller: Caller, session_id: UUID, body: Completion) -> Any:
    """The completed `Session`; 409 too_early before its end, invalid_transition when it has ended otherwise."""
    return as_caller(caller).write(
        "complete_session", session_id=str(session_id), reason=body.reason, expected_version=body.version
    )


def report_no_show(caller: Caller, session_id: UUID, body: NoShow) -> Any:
    """The missed `Session`; 409 too_early in its first ten minutes, invalid_transition when it has ended otherwise."""
    return as_caller(caller).write(
        "report_no_show",
        session_id=str(session_id),
        absent=body.absent,
        reason=body.reason,
        expected_version=body.version,
    )
