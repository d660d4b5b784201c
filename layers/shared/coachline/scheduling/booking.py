"""Bookings: decided by `open_slots` on one reading of the database, and written only if that still holds."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from coachline import clock
from coachline.api import Caller
from coachline.database import Database, as_caller, unwrap
from coachline.models import Input, Instant, Price, example
from coachline.scheduling.decisions import again_if_changed
from coachline.scheduling.diary import diary_of, moment_after
from coachline.scheduling.precedence import winning_schedule
from coachline.scheduling.schedule_input import SessionMinutes
from coachline.scheduling.sessions import EXAMPLE as BOOKED
from coachline.scheduling.sessions import Session
from coachline.scheduling.slots import open_slots, refusal_reason


class BookingRequest(Input):
    """A slot to book. With `expectedPrice` the booking is refused when the coach's price is another by now.

    What is due is paid at once with `paymentMethodId`, a saved method; without one, by the client secret in the answer.
    """

    model_config = example(
        coachId="0f08551d-9a54-47e4-b942-7a387eda5385",
        start="2027-03-08T14:00:00Z",
        duration=60,
        expectedPrice={"amount": 15000, "currency": "USD"},
        note="I would like to talk about pricing.",
    )

    coach_id: UUID
    start: Instant
    duration: SessionMinutes
    expected_price: Price | None = None
    payment_method_id: UUID | None = None
    note: Annotated[str, Field(max_length=2000)] | None = None


class NewSession(Session):
    """A session just after it was booked. PENDING_PAYMENT: the time is held until `holdExpiresAt`.

    It becomes SCHEDULED when Stripe says that `paymentId` is paid. `paymentStatus` is what Stripe answered: PENDING,
    REQUIRES_ACTION and FAILED (the saved method was declined) need Stripe.js with `clientSecret`.
    """

    model_config = example(
        **BOOKED
        | {
            "status": "PENDING_PAYMENT",
            "holdExpiresAt": "2027-02-22T10:15:00Z",
            "paymentId": "5b1c36ce-6c8e-4a7c-9a11-6f3f2f0d8f77",
            "paymentStatus": "PENDING",
            "clientSecret": "pi_…_secret_…",
        }
    )

    payment_id: UUID | None
    payment_status: str | None
    client_secret: str | None


def book(caller: Caller, request: BookingRequest) -> Any:
    """The new session (`scheduling.sessions.Session`), or its replay; with `payment` and `command` when money is due.

    409 slot_unavailable or price_changed, 422 outside_availability (with `reason`) or self_booking. When the coach
    edits the availability between our decision and the write, it is decided again, once.
    """
    database = as_caller(caller)
    return again_if_changed(lambda: _decide_and_write(database, request))


def _decide_and_write(database: Database, request: BookingRequest) -> Any:
    just_after = moment_after(request.start)
    context = database.read(
        "booking_context",
        coach_id=str(request.coach_id),
        from_at=request.start.isoformat(),
        to_at=just_after.isoformat(),
        duration=request.duration,
    )
    if "replay" in context:
        return unwrap(context["replay"])
    if not context["duration_offered"]:
        return _refuse(database, request, "duration")
    diary = diary_of(context, request.duration)
    asked = {"duration": request.duration, "now": clock.now(), **diary}
    if not open_slots(start=request.start, end=just_after, **asked):
        return _refuse(database, request, refusal_reason(start=request.start, **asked))
    schedule = winning_schedule(diary["schedules"], request.start)
    return database.write(
        "book_session",
        coach_id=str(request.coach_id),
        start_at=request.start.isoformat(),
        duration=request.duration,
        schedule_id=str(schedule.id) if schedule else None,
        decided_on=context["availability_version"],
        expected_price=request.expected_price and request.expected_price.model_dump(),
        note=request.note,
        payment_method_id=request.payment_method_id and str(request.payment_method_id),
    )


def _refuse(database: Database, request: BookingRequest, reason: str | None) -> Any:
    """Refuse, through the database when there is an Idempotency-Key: the same key must be answered the same."""
    if request.coach_id == database.caller_id:
        reason = "self_booking"
    return database.refuse(*refusal_for(reason))


def refusal_for(reason: str | None) -> tuple[int, dict[str, Any]]:
    """Status and problem of what `refusal_reason` says; None is a time that was taken while it was looked at."""
    return _REFUSALS.get(reason or "busy", (422, _OUTSIDE | {"reason": reason}))


_OUTSIDE = {"code": "outside_availability", "detail": "The coach cannot be booked for this time."}
_REFUSALS: dict[str, tuple[int, dict[str, Any]]] = {
    "busy": (
        409,
        {"code": "slot_unavailable", "detail": "This time was just taken. Load the slots again and choose another."},
    ),
    "self_booking": (422, {"code": "self_booking", "detail": "You cannot book yourself."}),
}
