"""Figures of sessions, of a person or the platform. The database keeps and adds them up (ADR 027)."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from coachline import clock
from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Instant, Output, Query, example

Step = Literal["day", "week", "month"]
_DAYS = {"day": 1, "week": 7, "month": 31}
MOST_PERIODS = 400
"""Of an answer by day, week or month."""


class Cancelled(Output):
    """Cancelled sessions: by whom, and whether at least 24 hours before their start (`withNotice`) or later."""

    total: int
    by_mentee: int
    by_coach: int
    by_admin: int
    by_system: int
    with_notice: int
    late: int


class ByType(Output):
    """Sessions of `total` by their type."""

    coaching: int
    introduction: int
    follow_up: int


class Figures(Output):
    """Sessions that start in a range of UTC days, and the published reviews written in it.

    `total` counts all but expired holds; `upcoming` what is scheduled and has not begun; `hours` are of completed
    sessions, `averageDuration` is in booked minutes and `averageActualDuration` in those that Zoom tells of, of the
    completed sessions whose meeting's end is known. Rates are shares of the sessions that came to an end (completed,
    cancelled, no-show), a response being a booking that the coach did not call off; null when there is nothing to
    share or average.
    """

    total: int
    upcoming: int
    pending_payment: int
    scheduled: int
    in_progress: int
    completed: int
    no_show: int
    expired: int
    cancelled: Cancelled
    by_type: ByType
    hours: float
    average_duration: float | None
    average_actual_duration: float | None
    completion_rate: float | None
    cancellation_rate: float | None
    response_rate: float | None
    average_rating: float | None
    review_count: int


class PeriodFigures(Figures):
    """The figures of the UTC day, week (from Monday) or month that begins at `start`."""

    start: date


_FIGURES = {
    "total": 10,
    "upcoming": 2,
    "pendingPayment": 0,
    "scheduled": 2,
    "inProgress": 0,
    "completed": 6,
    "noShow": 1,
    "expired": 0,
    "cancelled": {
        "total": 1,
        "byMentee": 1,
        "byCoach": 0,
        "byAdmin": 0,
        "bySystem": 0,
        "withNotice": 1,
        "late": 0,
    },
    "byType": {"coaching": 8, "introduction": 2, "followUp": 0},
    "hours": 6.5,
    "averageDuration": 63.0,
    "averageActualDuration": 58.5,
    "completionRate": 0.75,
    "cancellationRate": 0.125,
    "responseRate": 1.0,
    "averageRating": 4.67,
    "reviewCount": 3,
}


class Metrics(Figures):
    """The figures of the whole range `[from, to)`, null where it is open, and with `by` of each period that has any."""

    model_config = example(
        **_FIGURES,
        role="COACH",
        **{"from": "2027-03-01", "to": "2027-04-01"},
        periods=[{"start": "2027-03-01", **_FIGURES}],
    )

    role: Literal["MENTEE", "COACH", "ADMIN"]
    from_: Annotated[date | None, Field(alias="from")]
    to: date | None
    periods: list[PeriodFigures] | None


def _as_instant(value: Any) -> Any:
    """A date as its first moment in UTC: figures are kept by UTC day."""
    try:
        return datetime.combine(date.fromisoformat(value), time(), UTC) if len(value) == len("2027-03-01") else value
    except (TypeError, ValueError):
        raise ValueError("Must be a date such as 2027-03-01 or an RFC 3339 instant") from None


def _representable(value: datetime) -> datetime:
    if not 1970 <= value.year <= 2199:
        raise ValueError("Lies outside of the years 1970 to 2199")
    return value


Day = Annotated[
    Instant,
    AfterValidator(_representable),
    BeforeValidator(_as_instant),
    WithJsonSchema(
        {"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}], "examples": ["2027-03-01"]}
    ),
]
"""A UTC day, or an instant in one."""


class RangeQuery(Query):
    """The UTC days from the one of `from` until just before that of `to`; an instant within a day stands for all of it.

    With `by` at most 400 periods; a bound that is left out is then a month, half a year or two years from today.
    """

    from_: Annotated[Day | None, Field(alias="from")] = None
    by: Step | None = None
    to: Day | None = None

    @field_validator("to")
    @classmethod
    def _after_from(cls, to: datetime | None, info: ValidationInfo) -> datetime | None:
        start, step = info.data.get("from_"), info.data.get("by")
        if start and to and to < start:
            raise ValueError("must not be before `from`")
        if start and to and step and to - start > timedelta(days=_DAYS[step] * MOST_PERIODS):
            raise ValueError(f"must be at most {MOST_PERIODS} {step}s after `from`")
        return to


class SessionMetricsQuery(RangeQuery):
    """Whose figures: the caller's as a COACH or a MENTEE, or for an ADMIN the platform's.

    Without a role that of the caller's home: ADMIN before COACH before MENTEE.
    """

    role: Literal["MENTEE", "COACH", "ADMIN"] | None = None


def session_metrics(caller: Caller, query: SessionMetricsQuery) -> dict[str, Any]:
    """`Metrics` of the caller in one of his roles; 403 for a role that he does not have."""
    first, last = bounds(query, clock.now())
    answer = as_caller(caller).read("session_metrics", as_role=query.role, step=query.by, **_arguments(first, last))
    return _metrics(answer, answer["role"], first, last)


def coach_metrics(caller: Caller, coach_id: UUID, query: RangeQuery) -> dict[str, Any]:
    """`Metrics` of a coach, for himself and ADMINs; 404 to everyone else."""
    first, last = bounds(query, clock.now())
    answer = as_caller(caller).read("coach_metrics", coach_id=str(coach_id), step=query.by, **_arguments(first, last))
    return _metrics(answer, "COACH", first, last)


def bounds(query: RangeQuery, now: datetime) -> tuple[date | None, date | None]:
    """The first day of the range and the day after its last, None where it is open."""
    first = query.from_ and query.from_.date()
    last = query.to and (query.to - timedelta(microseconds=1)).date() + timedelta(days=1)
    if query.by:
        reach = timedelta(days={"day": 30, "week": 182, "month": 730}[query.by])
        today = now.astimezone(UTC).date()
        first = first or min(today, last or today) - reach
        last = last or max(today, first) + reach
        last = min(last, first + timedelta(days=_DAYS[query.by] * MOST_PERIODS))
    return first, last


def _arguments(first: date | None, last: date | None) -> dict[str, str | None]:
    return {"from_day": first.isoformat() if first else None, "to_day": last.isoformat() if last else None}


def _metrics(answer: dict[str, Any], role: str, first: date | None, last: date | None) -> dict[str, Any]:
    return {**answer["figures"], "role": role, "from_": first, "to": last, "periods": answer["periods"]}
