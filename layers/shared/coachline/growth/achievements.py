"""Achievements: what can be earned, how far somebody is, what was granted. Rules are evaluated by the database."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from coachline.api import Caller
from coachline.batches import in_batches
from coachline.database import Database, as_caller
from coachline.events import DomainEvent
from coachline.growth.achievement_input import (
    CRITERIA,
    AchievementType,
    DefinitionInput,
    DefinitionPatch,
    GrantInput,
    Metric,
    Operator,
    Window,
)
from coachline.models import Instant, Output, example
from coachline.pagination import PageQuery, decode_cursor, page
from coachline.patches import columns

BATCH = 200

_DEFINITION = {
    "id": "c7c1a9c2-7a0e-4c8e-8a53-6b1f4f0f7f11",
    "code": "five_star_streak",
    "title": "Five stars, ten times",
    "description": "Received ten reviews of five stars in a row.",
    "type": "PERFORMANCE",
    "criteria": CRITERIA,
    "version": 1,
    "createdAt": "2027-01-04T09:10:00Z",
    "updatedAt": "2027-01-04T09:10:00Z",
}
_GRANT = {
    "id": "f0c9c4b1-52f3-4be4-9a41-6a3e4d2c1b10",
    "period": "ALL",
    "earnedAt": "2027-03-09T10:00:00Z",
    "grantedAt": "2027-03-09T10:00:04Z",
}


class Criteria(Output):
    """The rule of an achievement; see `CriteriaInput`."""

    metric: Metric
    operator: Operator
    threshold: float
    window: Window
    streak: int | None


class Definition(Output):
    """Something that can be achieved."""

    model_config = example(**_DEFINITION)

    id: UUID
    code: str
    title: str
    description: str
    type: AchievementType
    criteria: Criteria
    version: int
    created_at: Instant
    updated_at: Instant


class AchievementProgress(Output):
    """How far it is in the current period: the sum so far, or the values in a row that end with the latest."""

    period: str
    value: float
    target: float
    percent: int


class EarnedPeriod(Output):
    """A grant: the period it is for (ALL, 2027, 2027-03), when it was earned and when granted."""

    id: UUID
    period: str
    earned_at: Instant
    granted_at: Instant


class Achievement(Definition):
    """A definition with somebody's progress and grants, latest period first."""

    model_config = example(
        **_DEFINITION, progress={"period": "ALL", "value": 3, "target": 10, "percent": 30}, grants=[_GRANT]
    )

    progress: AchievementProgress
    grants: list[EarnedPeriod]


class Grant(EarnedPeriod):
    """A grant as an ADMIN sees it."""

    model_config = example(
        **_GRANT,
        userId="3e2ec15d-3d13-4e0d-a65c-377bd7400497",
        code="first_goal",
        title="First goal",
        grantedBy="0f08551d-9a54-47e4-b942-7a387eda5385",
        reason="Completed before goals were kept here",
    )

    user_id: UUID
    code: str
    title: str
    granted_by: UUID | None
    reason: str | None


class AchievementQuery(PageQuery):
    """Mine; an ADMIN may name a user."""

    user_id: UUID | None = None


def list_achievements(caller: Caller, query: AchievementQuery) -> tuple[list[Any], str | None]:
    """A page of `Achievement`s by code, and the next cursor."""
    rows = as_caller(caller).read(
        "list_achievements",
        target=query.user_id and str(query.user_id),
        after_code=_after(query),
        page_size=query.limit + 1,
    )
    return page(rows, query.limit, lambda row: (row["code"],))


def list_definitions(caller: Caller, query: PageQuery) -> tuple[list[Any], str | None]:
    """A page of `Definition`s by code, and the next cursor."""
    rows = as_caller(caller).read("list_achievement_definitions", after_code=_after(query), page_size=query.limit + 1)
    return page(rows, query.limit, lambda row: (row["code"],))


def _after(query: PageQuery) -> str | None:
    [code] = decode_cursor(query.cursor, str) if query.cursor else [None]
    return code


def get_definition(caller: Caller, definition_id: UUID) -> Any:
    """A `Definition`; 404 for a retired one."""
    return as_caller(caller).read("get_achievement_definition", definition_id=str(definition_id))


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    criteria = fields.pop("criteria", None) or {}
    return {**fields, **criteria}


def create_definition(caller: Caller, body: DefinitionInput) -> Any:
    """The new `Definition`; 409 code_taken."""
    return as_caller(caller).write("create_achievement_definition", input=_flat(columns(body, all_fields=True)))


def update_definition(caller: Caller, definition_id: UUID, patch: DefinitionPatch) -> Any:
    """The `Definition` with the patch applied; 409 definition_in_use for criteria by which somebody was granted."""
    fields = columns(patch, but=("version", "criteria"))
    if patch.criteria is not None and "criteria" in patch.model_fields_set:
        fields["criteria"] = columns(patch.criteria, all_fields=True)
    return as_caller(caller).write(
        "update_achievement_definition",
        definition_id=str(definition_id),
        patch=_flat(fields),
        expected_version=patch.version,
    )


def retire_definition(caller: Caller, definition_id: UUID) -> None:
    """Take it out of what can be earned; grants stay."""
    as_caller(caller).write("retire_achievement_definition", definition_id=str(definition_id))


def grant(caller: Caller, body: GrantInput) -> Any:
    """The `Grant`; 409 already_granted. One that was revoked is given back."""
    return as_caller(caller).write(
        "grant_achievement", target=str(body.user_id), wanted_code=body.code, reason=body.reason
    )


def revoke(caller: Caller, grant_id: UUID, reason: str) -> None:
    """Revoke a grant: no event and no backfill grants it again for that period."""
    as_caller(caller).write("revoke_achievement", grant_id=str(grant_id), reason=reason)


def apply_events(database: Database, events: Sequence[DomainEvent]) -> dict[str, int]:
    """Look at everybody whom the events name, in one call: how many `people`, and how much was `granted`."""
    found: dict[str, int] = database.write(
        "apply_growth_events", events=[{"id": event.id, "payload": dict(event.payload)} for event in events]
    )
    return found


def backfill(database: Database, *, batch: int = BATCH) -> dict[str, int]:
    """Grant whatever anybody has earned and no event has granted: `granted`, and people whose turn `failed`."""
    return in_batches(
        lambda cursor: database.write("backfill_achievements", batch=batch, after_id=cursor),
        failed="achievement.backfill_failed",
    )
