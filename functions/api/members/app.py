"""GET /api/members, GET PATCH /api/members/{userId}, its history, and back to a point of it."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.members import directory
from coachline.members.directory import HistoryQuery, MemberHistory, MemberPatch, MemberQuery, Reversion
from coachline.members.profiles import Member
from coachline.models import Data, Page, many, one

app = create_app()


@app.get(
    "/api/members", middlewares=[requires("member:manage")], **doc("Members, newest data first", tag="Member data")
)
def list_members(query: Annotated[MemberQuery, Query()]) -> Page[Member]:
    return many(directory.list_members(caller(app), query))


@app.get(
    "/api/members/<userId>",
    middlewares=[requires("member:manage")],
    **doc("Someone's member data", tag="Member data", problems=[404]),
)
def get_member(user_id: Annotated[UUID, Path(alias="userId")]) -> Data[Member]:
    return one(directory.get_member(caller(app), user_id))


@app.patch(
    "/api/members/<userId>",
    middlewares=[requires("member:manage")],
    **doc("Correct someone's member data", tag="Member data", problems=[404, 409]),
)
def update_member(body: MemberPatch, user_id: Annotated[UUID, Path(alias="userId")]) -> Data[Member]:
    return one(directory.update_member(caller(app, body), user_id, body))


@app.get(
    "/api/members/<userId>/history",
    middlewares=[requires("member:read")],
    **doc("What changed when, and the member at an instant", tag="Member data", problems=[404]),
)
def history(query: Annotated[HistoryQuery, Query()], user_id: Annotated[UUID, Path(alias="userId")]) -> MemberHistory:
    return directory.history(caller(app), user_id, query)  # type: ignore[return-value]  # a row; see models.one


@app.post(
    "/api/members/<userId>/revert",
    middlewares=[requires("member:manage")],
    **doc("Put member data back to what they were at an instant", tag="Member data", problems=[404, 409]),
)
def revert(body: Reversion, user_id: Annotated[UUID, Path(alias="userId")]) -> Data[Member]:
    return one(directory.revert(caller(app, body), user_id, body))


lambda_handler = entrypoint(app)
