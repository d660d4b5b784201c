"""Slots as they are listed: what `open_slots` offers, and why a start is not among them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field, ModelWrapValidatorHandler, ValidationInfo, field_validator, model_validator

from coachline import clock
from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Instant, Money, Output, Query, TimeZoneName, example
from coachline.problems import Unprocessable
from coachline.scheduling.diary import LAST_MOMENT, diary_of, moment_after
from coachline.scheduling.explanations import Explanation, explain
from coachline.scheduling.schedule import Schedule, ScheduleType
from coachline.scheduling.schedule_input import SessionMinutes, together
from coachline.scheduling.slots import open_slots

LONGEST_RANGE = timedelta(days=92)


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
            at = self.explain or LAST_MOMENT
            return at, moment_after(at)
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
