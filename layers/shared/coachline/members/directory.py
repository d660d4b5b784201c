"""Members as an ADMIN works with them: found, looked at, corrected, and put back to what they were."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from pydantic.alias_generators import to_camel

from coachline.api import Caller
from coachline.database import as_caller, unwrap
from coachline.members import phones
from coachline.members.checks import clean
from coachline.members.profiles import MemberFields, MemberState, MemberStatus, StoredVersion, save, shown
from coachline.models import Input, Instant, Output, Version, example
from coachline.pagination import Keyset, PageQuery
from coachline.patches import columns
from coachline.problems import NotFound

_ORDER_OF_HISTORY = Keyset(before_id=("id", int))
_ORDER_OF_MEMBERS = Keyset(before_created_at=("created_at", datetime), before_id=("user_id", UUID))
Reason = Annotated[str, Field(min_length=1, max_length=1000)]


class MemberQuery(PageQuery):
    """Which members: `type` and `designation` as the form's schema lists them, or a designation's abbreviation."""

    status: MemberStatus | None = None
    type: Annotated[str | None, Field(max_length=50)] = None
    designation: Annotated[str | None, Field(max_length=60)] = None
    search: Annotated[
        str | None, Field(min_length=2, max_length=100, description="Part of a name, e-mail, company, key or licence.")
    ] = None


class MemberPatch(MemberFields):
    """What changes, why, and the version it was read at (0 when nothing was stored yet)."""

    model_config = example(licenseNumber="01234567", licenseState="CA", reason="As on the licence", version=1)

    reason: Reason | None = None
    version: StoredVersion


class Reversion(Input):
    """Back to what the member was at an instant; checked against the rules of today. The version is the current one."""

    model_config = example(asOf="2027-01-04T12:00:00Z", reason="Imported by mistake", version=2)

    as_of: Instant
    reason: Reason | None = None
    version: Version


class HistoryQuery(PageQuery):
    """Changes up to `asOf`, and the member as he was then; of now when it is left out."""

    as_of: Instant | None = None


class MemberChange(Output):
    """One field's change. `version` is the member's after it; `actorId` null is the service."""

    model_config = example(
        id=1042,
        version=2,
        field="licenseNumber",
        before="0123456",
        after="01234567",
        actorId="c4a9f0d2-6a0f-4e58-9d54-3f7f3f6a7a10",
        reason="As on the licence",
        at="2027-01-05T10:00:00Z",
    )

    id: int
    version: int
    field: str
    before: Any
    after: Any
    actor_id: UUID | None
    reason: str | None
    at: Instant


class MemberHistory(Output):
    """A page of changes, latest first; `member` is what they made, null before there was anything."""

    data: list[MemberChange]
    next_cursor: str | None
    member: MemberState | None


def list_members(caller: Caller, query: MemberQuery) -> tuple[list[Any], str | None]:
    """A page of `Member`, newest first, and the next cursor."""
    wanted = clean({"member_type": query.type, "designations": [query.designation] if query.designation else []})
    rows = as_caller(caller).read(
        "list_members",
        status=query.status,
        type=wanted["member_type"],
        designation=next(iter(wanted["designations"]), None),
        search=query.search,
        **_ORDER_OF_MEMBERS.arguments(query),
    )
    rows, cursor = _ORDER_OF_MEMBERS.page(rows, query)
    return [shown(row) for row in rows], cursor


def get_member(caller: Caller, user_id: UUID) -> Any:
    """Anyone's `Member`."""
    return shown(as_caller(caller).read("get_member", target=str(user_id)))


def update_member(caller: Caller, user_id: UUID, patch: MemberPatch) -> Any:
    """Anyone's `Member` with the patch applied; refused as his own PUT is, with every rule that the result breaks."""
    database = as_caller(caller)
    known = database.read("get_member", target=str(user_id))
    values = {**known, **columns(patch, but=("version", "reason"))}
    return save(database, known["roles"], values, patch.version, target=str(user_id), reason=patch.reason)


def history(caller: Caller, user_id: UUID, query: HistoryQuery) -> dict[str, Any]:
    """A `MemberHistory`, for the member himself and for an ADMIN."""
    found = as_caller(caller).read(
        "member_history",
        target=str(user_id),
        as_of=query.as_of and query.as_of.isoformat(),
        **_ORDER_OF_HISTORY.arguments(query),
    )
    changes, cursor = _ORDER_OF_HISTORY.page(found["changes"], query)
    state = found["member"]
    if state:
        state["phone"] = state["phone"] and phones.shown(state["phone"])
    return {"data": [_shown_change(change) for change in changes], "next_cursor": cursor, "member": state}


def revert(caller: Caller, user_id: UUID, body: Reversion) -> Any:
    """The `Member` with the data of an instant; 404 when there were none then."""
    database = as_caller(caller)
    found = database.read("member_history", target=str(user_id), as_of=body.as_of.isoformat(), page_size=0)
    if found["replay"]:
        return shown(unwrap(found["replay"]))
    if not found["member"]:
        raise NotFound("Nothing was stored of this member at that time.")
    return save(database, found["roles"], found["member"], body.version, target=str(user_id), reason=body.reason)


def _shown_change(change: dict[str, Any]) -> dict[str, Any]:
    values = {side: change[side] for side in ("before", "after")}
    if change["field"] == "phone":
        values = {side: value and phones.shown(value) for side, value in values.items()}
    return {**change, **values, "field": to_camel(change["field"])}
