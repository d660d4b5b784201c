"""What became of roles: the log of every change, and figures over a period."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from coachline import clock
from coachline.api import Caller
from coachline.database import as_caller
from coachline.identity.users import UserRole
from coachline.models import Instant, Money, Output, Query, example
from coachline.pagination import Keyset, PageQuery
from coachline.problems import Unprocessable

_ORDER = Keyset(before_id=("id", int))
_LONGEST = timedelta(days=366)


class RoleChange(Output):
    """One change: whose roles, by whom (null: the system), from which set to which, why, and in which request.

    `roleRequestId` names the application that was approved, `requestId` the HTTP request (`X-Request-Id`).
    """

    model_config = example(
        id=4711,
        userId="3e2ec15d-3d13-4e0d-a65c-377bd7400497",
        userName="Jordan Rivera",
        actorId="9b4c7c9e-3f0a-4a52-8f54-1c8a2b0f6d31",
        actorName="Ada Admin",
        before=["MENTEE"],
        after=["MENTEE", "COACH"],
        reason="Licence and references checked",
        roleRequestId="6f0d4f6e-1d0b-4f6e-9a53-5b4f9c1c2a77",
        requestId="JKJaXmPLvHcESHA=",
        occurredAt="2027-01-06T14:30:00Z",
    )

    id: int
    user_id: UUID
    user_name: str | None
    actor_id: UUID | None
    actor_name: str | None
    before: list[UserRole]
    after: list[UserRole]
    reason: str | None
    role_request_id: UUID | None
    request_id: str | None
    occurred_at: Instant


class RoleChangeQuery(PageQuery):
    """Own changes; for an ADMIN everyone's. `role`: changes that gave or took it. In `[from, to)`."""

    user_id: UUID | None = None
    actor_id: UUID | None = None
    role: UserRole | None = None
    from_: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None


class RoleUsers(Output):
    """How many users have a role."""

    role: UserRole
    users: int


class CombinationUsers(Output):
    """How many users have exactly these roles."""

    roles: list[UserRole]
    users: int


class DayOfChanges(Output):
    """How often a role was given and taken on a day (UTC)."""

    day: date
    role: UserRole
    granted: int
    revoked: int


class RequestOutcomes(Output):
    """What became of the requests for a role that were made in the period."""

    role: UserRole
    requested: int
    open: int
    approved: int
    rejected: int
    withdrawn: int


class RoleSessions(Output):
    """Sessions that start in the period with somebody who has the role as it ends, and the price of the completed ones.

    A session counts for each role that its coach or its mentee has; currencies are never added up.
    """

    role: UserRole
    coached: int
    booked: int
    completed: int
    revenue: list[Money]


class RoleAnalytics(Output):
    """Roles over `[from, to)`. Users are counted as the period ends, from the log of changes."""

    model_config = example(
        **{"from": "2027-01-01T00:00:00Z"},
        to="2027-02-01T00:00:00Z",
        usersByRole=[{"role": "MENTEE", "users": 40}, {"role": "COACH", "users": 8}, {"role": "ADMIN", "users": 2}],
        usersByCombination=[{"roles": ["MENTEE"], "users": 37}, {"roles": ["MENTEE", "COACH"], "users": 3}],
        changes=[{"day": "2027-01-06", "role": "COACH", "granted": 2, "revoked": 0}],
        requests=[{"role": "COACH", "requested": 5, "open": 1, "approved": 2, "rejected": 1, "withdrawn": 1}],
        medianDecisionSeconds=86400,
        sessions=[
            {
                "role": "COACH",
                "coached": 31,
                "booked": 2,
                "completed": 28,
                "revenue": [{"amount": 420000, "currency": "USD"}],
            }
        ],
    )

    from_: Annotated[Instant, Field(alias="from")]
    to: Instant
    users_by_role: list[RoleUsers]
    users_by_combination: list[CombinationUsers]
    changes: list[DayOfChanges]
    requests: list[RequestOutcomes]
    median_decision_seconds: int | None
    sessions: list[RoleSessions]


class PeriodQuery(Query):
    """`[from, to)`, at most 366 days; without them the last 30 days."""

    from_: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None


def list_changes(caller: Caller, query: RoleChangeQuery) -> tuple[list[Any], str | None]:
    """A page of `RoleChange`, newest first; and the next cursor."""
    rows = as_caller(caller).read(
        "list_role_changes",
        target=query.user_id and str(query.user_id),
        actor=query.actor_id and str(query.actor_id),
        wanted_role=query.role,
        from_at=query.from_ and query.from_.isoformat(),
        to_at=query.to and query.to.isoformat(),
        **_ORDER.arguments(query),
    )
    return _ORDER.page(rows, query)


def analyse(caller: Caller, query: PeriodQuery) -> Any:
    """`RoleAnalytics` of a period."""
    start, end = _period(query)
    return as_caller(caller).read("role_analytics", from_at=start.isoformat(), to_at=end.isoformat())


def _period(query: PeriodQuery) -> tuple[datetime, datetime]:
    floor, ceiling = datetime(1, 2, 1, tzinfo=UTC), datetime(9999, 12, 1, tzinfo=UTC)
    end = query.to or (min(query.from_, ceiling) + timedelta(days=30) if query.from_ else clock.now())
    start = query.from_ or max(end, floor) - timedelta(days=30)
    if not timedelta(0) < end - start <= _LONGEST:
        raise Unprocessable(errors=[{"parameter": "to", "detail": "Must be after `from`, by at most 366 days"}])
    return start, end
