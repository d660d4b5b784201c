"""Goals: what somebody wants to reach until when, how far it is, and what happened on the way."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from coachline.api import Caller
from coachline.database import as_caller
from coachline.growth.goal_input import (
    EXAMPLE,
    GoalCounting,
    GoalDirection,
    GoalInput,
    GoalPatch,
    GoalSource,
    GoalType,
    ProgressInput,
)
from coachline.models import Instant, Output, example
from coachline.pagination import Keyset, PageQuery
from coachline.patches import columns

_ORDER_OF_PROGRESS = Keyset(before_at=("occurred_at", datetime), before_id=("id", UUID))
_ORDER_OF_GOALS = Keyset(before_at=("created_at", datetime), before_id=("id", UUID))
_ID = "5b0f1c9e-1f0b-4a55-8e3a-0a7a5b7f9a21"
_STORED = {
    "id": _ID,
    "userId": "3e2ec15d-3d13-4e0d-a65c-377bd7400497",
    "userName": "Jordan Rivera",
    **EXAMPLE,
    "value": 6,
    "percent": 60,
    "milestones": [{"value": 5, "reachedAt": "2027-03-02T17:20:00Z"}, {"value": 8, "reachedAt": None}],
    "dueAt": "2027-07-01T04:00:00Z",
    "status": "ACTIVE",
    "completedAt": None,
    "version": 1,
    "createdAt": "2027-01-04T09:10:00Z",
    "updatedAt": "2027-01-04T09:10:00Z",
}
_ENTRY = {
    "id": "0d7f7a34-7d6b-4a54-9d5c-3c9f6f1d2b11",
    "goalId": _ID,
    "amount": 1,
    "occurredAt": "2027-02-03T15:00:00Z",
    "note": "12 Elm Street",
    "source": "MANUAL",
    "sourceId": None,
    "createdAt": "2027-02-03T15:04:05Z",
}


class GoalStatus(StrEnum):
    """COMPLETED when the value has reached the target, else OVERDUE once the deadline is over, else ACTIVE."""

    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    OVERDUE = "OVERDUE"


class GoalEventKind(StrEnum):
    """What can happen to a goal."""

    CREATED = "CREATED"
    MILESTONE = "MILESTONE"
    COMPLETED = "COMPLETED"
    REOPENED = "REOPENED"
    OVERDUE = "OVERDUE"
    EXTENDED = "EXTENDED"
    REMINDED = "REMINDED"
    SHARED = "SHARED"


class Milestone(Output):
    """A value on the way, and when it was first reached."""

    value: float
    reached_at: Instant | None


class Goal(Output):
    """A goal; `dueAt` is the instant at which `deadline` is over in `timezone`. `percent` is rounded down."""

    model_config = example(**_STORED)

    id: UUID
    user_id: UUID
    user_name: str | None
    type: GoalType
    title: str
    description: str | None
    unit: str
    direction: GoalDirection
    counting: GoalCounting
    source: GoalSource
    start_value: float
    target_value: float
    value: float
    percent: int
    milestones: list[Milestone]
    starts_on: date
    deadline: date
    timezone: str
    due_at: Instant
    shared: bool
    status: GoalStatus
    completed_at: Instant | None
    version: int
    created_at: Instant
    updated_at: Instant


class GoalEvent(Output):
    """Something that happened. `details`: the value reached, the days of a reminder, the two deadlines."""

    kind: GoalEventKind
    details: dict[str, Any]
    occurred_at: Instant


class GoalHistory(Goal):
    """A goal with what happened to it, latest first, at most 100."""

    model_config = example(
        **_STORED,
        history=[
            {"kind": "MILESTONE", "details": {"value": 5}, "occurredAt": "2027-03-02T17:20:00Z"},
            {"kind": "CREATED", "details": {}, "occurredAt": "2027-01-04T09:10:00Z"},
        ],
    )

    history: list[GoalEvent]


class ProgressEntry(Output):
    """An entry; a wrong one is put right by another. `sourceId`: the session or review it counts."""

    model_config = example(**_ENTRY)

    id: UUID
    goal_id: UUID
    amount: float
    occurred_at: Instant
    note: str | None
    source: GoalSource
    source_id: UUID | None
    created_at: Instant


class RecordedProgress(ProgressEntry):
    """A new entry and what has become of the goal by it."""

    model_config = example(**_ENTRY, value=7, percent=70, status="ACTIVE")

    value: float
    percent: int
    status: GoalStatus


class GoalQuery(PageQuery):
    """Mine, or those that `userId` shares with me as his coach; an ADMIN sees everybody's."""

    user_id: UUID | None = None
    status: GoalStatus | None = None
    type: GoalType | None = None


def list_goals(caller: Caller, query: GoalQuery) -> tuple[list[Any], str | None]:
    """A page of `Goal`s, newest first, and the next cursor; 404 for somebody who is not his coach."""
    rows = as_caller(caller).read(
        "list_goals",
        target=query.user_id and str(query.user_id),
        wanted_status=query.status,
        wanted_type=query.type,
        **_ORDER_OF_GOALS.arguments(query),
    )
    return _ORDER_OF_GOALS.page(rows, query)


def create_goal(caller: Caller, body: GoalInput) -> Any:
    """The new `GoalHistory`, with what an AUTOMATIC one counts already; 422 for what is impossible as a whole."""
    fields = columns(body, all_fields=True)
    fields["unit"] = body.unit or body.type.lower()
    return as_caller(caller).write("create_goal", input=fields)


def get_goal(caller: Caller, goal_id: UUID) -> Any:
    """A `GoalHistory`; 404 to all but the owner, ADMINs and, when it is shared, the owner's coaches."""
    return as_caller(caller).read("get_goal", goal_id=str(goal_id))


def update_goal(caller: Caller, goal_id: UUID, patch: GoalPatch) -> Any:
    """The `GoalHistory` with the patch applied; a new target or deadline may complete it or open it again."""
    return as_caller(caller).write(
        "update_goal",
        goal_id=str(goal_id),
        patch=columns(patch, but=("version", "reason")),
        expected_version=patch.version,
        reason=patch.reason,
    )


def delete_goal(caller: Caller, goal_id: UUID) -> None:
    """Take it out of sight. What it counted for stays counted."""
    as_caller(caller).write("delete_goal", goal_id=str(goal_id))


def list_progress(caller: Caller, goal_id: UUID, query: PageQuery) -> tuple[list[Any], str | None]:
    """A page of `ProgressEntry`s, latest first, and the next cursor."""
    rows = as_caller(caller).read(
        "list_goal_progress",
        goal_id=str(goal_id),
        **_ORDER_OF_PROGRESS.arguments(query),
    )
    return _ORDER_OF_PROGRESS.page(rows, query)


def add_progress(caller: Caller, goal_id: UUID, body: ProgressInput) -> Any:
    """The `RecordedProgress`; 409 goal_is_automatic, 422 for a date outside of the period or in the future."""
    return as_caller(caller).write("add_goal_progress", goal_id=str(goal_id), input=columns(body, all_fields=True))
