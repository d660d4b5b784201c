"""The audit log: who changed what, read and never written."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Instant, Output, example
from coachline.pagination import Keyset, PageQuery

_ORDER = Keyset(before_id=("id", int))


class AuditEntry(Output):
    """One change of one row; of an update, the columns that differ. `actorId` null: nobody signed in (a job, Clerk).

    `impersonator` is who acted in the actor's name at Clerk, `requestId` the `X-Request-Id` of the answer.
    """

    model_config = example(
        id=90210,
        occurredAt="2027-01-06T14:30:00Z",
        actorId="9b4c7c9e-3f0a-4a52-8f54-1c8a2b0f6d31",
        actorName="Ada Admin",
        impersonator=None,
        databaseRole="authenticated",
        requestId="JKJaXmPLvHcESHA=",
        action="UPDATE",
        tableName="user_account",
        rowId="3e2ec15d-3d13-4e0d-a65c-377bd7400497",
        before={"status": "ACTIVE"},
        after={"status": "SUSPENDED"},
        reason="Chargebacks under investigation",
    )

    id: int
    occurred_at: Instant
    actor_id: UUID | None
    actor_name: str | None
    impersonator: str | None
    database_role: str
    request_id: str | None
    action: Literal["INSERT", "UPDATE", "DELETE"]
    table_name: str
    row_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None


class AuditQuery(PageQuery):
    """Changes by an actor, of a table or one row of it, of a kind, in one request, in `[from, to)`."""

    actor_id: UUID | None = None
    table_name: Annotated[str | None, Field(max_length=63, pattern="^[a-z_]+$")] = None
    row_id: Annotated[str | None, Field(max_length=255)] = None
    action: Literal["INSERT", "UPDATE", "DELETE"] | None = None
    request_id: Annotated[str | None, Field(max_length=255)] = None
    from_: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None


def list_entries(caller: Caller, query: AuditQuery) -> tuple[list[Any], str | None]:
    """A page of `AuditEntry`, newest first; and the next cursor."""
    rows = as_caller(caller).read(
        "list_audit",
        actor=query.actor_id and str(query.actor_id),
        wanted_table=query.table_name,
        wanted_row=query.row_id,
        wanted_action=query.action,
        wanted_request=query.request_id,
        from_at=query.from_ and query.from_.isoformat(),
        to_at=query.to and query.to.isoformat(),
        **_ORDER.arguments(query),
    )
    return _ORDER.page(rows, query)
