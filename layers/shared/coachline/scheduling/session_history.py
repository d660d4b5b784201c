"""What happened to a session: who did what, when and why, with the old and new times where it was moved."""

from typing import Any
from uuid import UUID

from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Instant, Output, example
from coachline.pagination import Keyset, PageQuery
from coachline.scheduling.sessions import Actor, SessionStatus

_ORDER = Keyset(after_id=("id", int))


class SessionTransition(Output):
    """One change. `fromStatus` is null for the booking; the four times are there when the session was moved."""

    model_config = example(
        fromStatus="SCHEDULED",
        toStatus="SCHEDULED",
        actor="MENTEE",
        actorId="3e2ec15d-3d13-4e0d-a65c-377bd7400497",
        actorName="Jordan Rivera",
        reason="The closing was moved",
        occurredAt="2027-03-01T09:15:30Z",
        version=2,
        previousStart="2027-03-08T14:00:00Z",
        previousEnd="2027-03-08T15:00:00Z",
        start="2027-03-09T14:00:00Z",
        end="2027-03-09T15:00:00Z",
    )

    from_status: SessionStatus | None
    to_status: SessionStatus
    actor: Actor
    actor_id: UUID | None
    actor_name: str | None
    reason: str | None
    occurred_at: Instant
    version: int | None
    previous_start: Instant | None
    previous_end: Instant | None
    start: Instant | None
    end: Instant | None


def get_history(caller: Caller, session_id: UUID, query: PageQuery) -> tuple[list[Any], str | None]:
    """A page of `SessionTransition`, oldest first, and the next cursor; 404 as for the session itself."""
    rows = as_caller(caller).read("get_session_history", session_id=str(session_id), **_ORDER.arguments(query))
    return _ORDER.page(rows, query)
