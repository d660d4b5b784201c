"""GET PUT /api/user/role, POST /api/user/role/preview: my roles; for an ADMIN, anyone's."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.identity import roles
from coachline.identity.roles import RolePreview, RolePreviewInput, UserRoles, UserRolesInput
from coachline.models import Data, Page, many, one

app = create_app()


@app.get(
    "/api/user/role",
    middlewares=[requires("role:read")],
    **doc("My roles, or for an ADMIN those of `userId`", tag="Identity", problems=[404]),
)
def get_roles(user_id: Annotated[UUID | None, Query(alias="userId")] = None) -> Data[UserRoles]:
    return one(roles.get_roles(caller(app), user_id))


@app.put(
    "/api/user/role",
    middlewares=[requires("role:manage")],
    **doc("Replace a user's roles", tag="Identity", problems=[404, 409]),
)
def set_roles(body: UserRolesInput) -> Data[UserRoles]:
    return one(roles.set_roles(caller(app), body))


@app.post(
    "/api/user/role/preview",
    middlewares=[requires("role:manage")],
    **doc("What a change of roles would do to up to 100 users", tag="Identity"),
)
def preview_roles(body: RolePreviewInput) -> Page[RolePreview]:
    return many((roles.preview_roles(caller(app, body), body), None))


lambda_handler = entrypoint(app)
