"""Roles of a user: a set, changed by ADMINs alone (DOMAIN A)."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from coachline.api import Caller
from coachline.database import as_caller
from coachline.identity.users import UserRole
from coachline.models import Input, Instant, Output, Version, example

MOST_PREVIEWED = 100
Roles = Annotated[list[UserRole], Field(max_length=3)]


class UserRoles(Output):
    """A user's roles, what they permit, and the version that a change of them sends back."""

    model_config = example(
        userId="3e2ec15d-3d13-4e0d-a65c-377bd7400497",
        roles=["MENTEE", "COACH"],
        permissions=["availability:manage", "session:book"],
        version=2,
    )

    user_id: UUID
    roles: list[UserRole]
    permissions: list[str]
    version: int


class UserRolesInput(Input):
    """The whole set that the user shall have. The reason goes to the audit log.

    `cancelSessions`: the sessions ahead of somebody who is no COACH any more are cancelled with it, everything given
    back; their mentees read the reason.
    """

    model_config = example(
        userId="3e2ec15d-3d13-4e0d-a65c-377bd7400497",
        roles=["MENTEE", "COACH"],
        reason="Application approved",
        version=1,
    )

    user_id: UUID
    roles: Roles
    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]
    cancel_sessions: bool = False
    version: Version


class RolePreviewInput(Input):
    """Some users, and roles that each of them should get or lose."""

    model_config = example(userIds=["3e2ec15d-3d13-4e0d-a65c-377bd7400497"], add=["COACH"], remove=[])

    user_ids: Annotated[list[UUID], Field(min_length=1, max_length=MOST_PREVIEWED)]
    add: Roles = Field(default_factory=list)
    remove: Roles = Field(default_factory=list)
    cancel_sessions: bool = False

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if len(set(self.user_ids)) < len(self.user_ids):
            raise ValueError("userIds names somebody twice")
        if both := set(self.add) & set(self.remove):
            raise ValueError(f"add and remove both name {', '.join(sorted(both))}")
        if not self.add and not self.remove:
            raise ValueError("add or remove has to name a role")
        return self


class RoleBlocker(Output):
    """A session ahead of a coach."""

    session_id: UUID
    start: Instant


class RoleProblem(Output):
    """Why `PUT /api/user/role` would refuse: its code and detail; `blockers` are there with role_in_use alone."""

    code: str
    detail: str
    blockers: list[RoleBlocker]


class RolePreview(Output):
    """What would become of one user. `version` is the one to send with the change; `problem` is null if it can be made.

    A user who does not exist has the problem not_found, no version and no roles.
    """

    model_config = example(
        userId="3e2ec15d-3d13-4e0d-a65c-377bd7400497",
        userName="Jordan Rivera",
        version=1,
        before=["MENTEE"],
        after=["MENTEE", "COACH"],
        gained=["availability:manage"],
        lost=[],
        problem=None,
    )

    user_id: UUID
    user_name: str | None
    version: int | None
    before: list[UserRole]
    after: list[UserRole]
    gained: list[str]
    lost: list[str]
    problem: RoleProblem | None


def get_roles(caller: Caller, user_id: UUID | None) -> Any:
    """The caller's `UserRoles`, or another user's for an ADMIN."""
    return as_caller(caller).read("get_user_roles", target=str(user_id) if user_id else None)


def set_roles(caller: Caller, body: UserRolesInput) -> Any:
    """Replace a user's roles; 409 own_admin_role, last_admin, role_in_use (with `blockers`) or version_conflict."""
    return as_caller(caller).write(
        "set_user_roles",
        target=str(body.user_id),
        wanted=[str(role) for role in body.roles],
        reason=body.reason,
        expected_version=body.version,
        cancel_sessions=body.cancel_sessions,
    )


def preview_roles(caller: Caller, body: RolePreviewInput) -> list[Any]:
    """A `RolePreview` of each user, in the order of the list."""
    previews: list[Any] = as_caller(caller).read(
        "preview_user_roles",
        targets=[str(user_id) for user_id in body.user_ids],
        given=[str(role) for role in body.add],
        taken=[str(role) for role in body.remove],
        cancel_sessions=body.cancel_sessions,
    )
    return previews
