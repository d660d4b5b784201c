"""Slots and bookings: one reading of the database and one decision, `open_slots`, for both."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field, ModelWrapValidatorHandler, ValidationInfo, field_validator, model_validator

from coachline import clock
from coachline.api import Caller
from coachline.database import Database, as_caller, unwrap
from coachline.models import Input, Instant, Money, Output, Price, Query, TimeZoneName, example
from coachline.problems import Problem, Unprocessable
from coachline.scheduling.explanations import Explanation, explain, for_length
from coachline.scheduling.precedence import winning_schedule
from coachline.scheduling.schedule import Schedule, ScheduleType
from coachline.scheduling.schedule_input import SessionMinutes, together
from coachline.scheduling.slots import open_slots, refusal_reason

LONGEST_RANGE = timedelta(days=92)
_MOMENT = timedelta(microseconds=1)
_LAST_MOMENT = datetime.max.replace(tzinfo=UTC) - _MOMENT


class SlotQuery(Query):
    """Which slots: those that start in `[from, to)`, at most 92 days. Without a duration, the coach's default.

    With `explain` also why that instant is or is not among them; then `from` and `to` may be left out.
    """

    coach_id: UUID
    explain: Annotated[Instant | None, Field(examples=["2027-03-08T14:00:00Z"])] = None
    from_: Annotated[Instant | None, Field(alias="from", examples=["2027-03-08T00:00:00Z"])] = None
    to: Annotated[Instant | None, Field(examples=["2027-03-15T00:00:00Z"])] = None
    duration: SessionMinutes | None = None
    timezone: TimeZoneName | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _bounded(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        absent = [name for name in ("from", "to") if isinstance(given, dict) and given.get(name) is None]
        optional = isinstance(given, dict) and given.get("explain") is not None and len(absent) == 2
        query: Self = together(given, handler, [] if optional else [((name,), "Field required") for name in absent])
        return query

    @field_validator("to")
    @classmethod
    def _range(cls, to: datetime | None, info: ValidationInfo) -> datetime | None:
        start, asked = info.data.get("from_"), info.data.get("explain")
        if start and to and to < start:
            raise ValueError("must not be before `from`")
        if start and to and to - start > LONGEST_RANGE:
            raise ValueError("must be at most 92 days after `from`")
        if start and to and asked and not start <= asked < to:
            raise ValueError("must be later than `explain`, and `from` must not")
        return to

    @property
    def range(self) -> tuple[datetime, datetime]:
        """The instants [from, to) to look at."""
        if self.from_ is None or self.to is None:
            at = self.explain or _LAST_MOMENT
            return at, min(at, _LAST_MOMENT) + _MOMENT
        return self.from_, self.to


class Slot(Output):
    """A start that can be booked: the instants, and the start as a clock in the asked-for zone shows it."""

    start: Instant
    end: Instant
    local_start: str


class RulingSchedule(Output):
    """The schedule whose rule it is. Its name is the coach's own business."""

    id: UUID
    type: ScheduleType
    timezone: str


class SlotExplanation(Output):
    """Why a start is not offered; `reason` is null when it is. Whose session is in the way is nobody's business."""

    start: Instant
    offered: bool
    reason: Explanation | None
    schedule: RulingSchedule | None


class Slots(Output):
    """Every slot of the range in order, and what one costs."""

    model_config = example(
        data=[
            {"start": "2027-03-08T14:00:00Z", "end": "2027-03-08T15:00:00Z", "localStart": "2027-03-08T14:00:00+00:00"}
        ],
        timezone="Europe/London",
        duration=60,
        price={"amount": 15000, "currency": "USD"},
        explanation=None,
    )

    data: list[Slot]
    timezone: str
    duration: int
    price: Money
    explanation: SlotExplanation | None


class BookingRequest(Input):
    """A slot to book. With `expectedPrice` the booking is refused when the coach's price is another by now."""

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
    payment_method_id: Annotated[str, Field(max_length=255)] | None = None
    note: Annotated[str, Field(max_length=2000)] | None = None


def list_slots(caller: Caller, query: SlotQuery) -> Slots:
    """The coach's open slots. The zone is the asked-for one, else the caller's own."""
    first, last = query.range
    context = as_caller(caller).read(
        "booking_context",
        coach_id=str(query.coach_id),
        from_at=first.isoformat(),
        to_at=last.isoformat(),
        duration=query.duration,
    )
    offered = context["duration_offered"]
    if not offered and not query.explain:
        raise Unprocessable(errors=[{"parameter": "duration", "detail": "This coach does not offer that duration"}])
    minutes = context["duration"]
    zone = ZoneInfo(query.timezone or context["timezone"])
    length = timedelta(minutes=minutes)
    asked = {"duration": minutes, "now": clock.now(), **diary_of(context, minutes)}
    starts = open_slots(start=first, end=last, **asked) if offered else []
    return Slots.model_construct(
        data=[
            Slot.model_construct(start=start, end=start + length, local_start=start.astimezone(zone).isoformat())
            for start in starts
        ],
        timezone=zone.key,
        duration=minutes,
        price=Money.model_validate({key: context["price"][key] for key in ("amount", "currency")}),
        explanation=_explained(query.explain, context, asked) if query.explain else None,
    )


def _explained(start: datetime, context: dict[str, Any], asked: dict[str, Any]) -> SlotExplanation:
    schedules = [Schedule.model_validate(row) for row in context["schedules"]]
    latest = datetime.max.replace(tzinfo=UTC) - timedelta(minutes=asked["duration"])
    reason, ruling = explain(**{**asked, "schedules": schedules, "start": min(start, latest)})
    if not context["duration_offered"]:
        reason = "duration"
    return SlotExplanation.model_construct(
        start=start,
        offered=reason is None,
        reason=reason,
        schedule=RulingSchedule.model_validate(ruling) if ruling else None,
    )


def book(caller: Caller, request: BookingRequest) -> Any:
    """The new session (`scheduling.sessions.Session`), or its replay.

    409 slot_unavailable or price_changed, 422 outside_availability (with `reason`) or self_booking. When the coach
    edits the availability between our decision and the write, it is decided again, once.
    """
    database = as_caller(caller)
    try:
        return _decide_and_write(database, request)
    except Problem as refusal:
        if refusal.code != "availability_changed":
            raise
        return _decide_and_write(database, request)


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


def moment_after(start: datetime) -> datetime:
    """The end of the shortest range that `start` is in."""
    return min(start, _LAST_MOMENT) + _MOMENT


def diary_of(context: dict[str, Any], minutes: int) -> dict[str, Any]:
    """The arguments of `open_slots` that the database knows."""
    instant = datetime.fromisoformat
    return {
        "schedules": [for_length(Schedule.model_validate(row), minutes) for row in context["schedules"]],
        "busy": [(instant(start), instant(end)) for start, end in context["busy"]],
        "blocked": [(instant(start), instant(end)) for start, end in context["blocked"]],
        "session_starts": [instant(start) for start in context["session_starts"]],
    }
