"""Roles of a user: a set, changed by ADMINs alone (DOMAIN A)."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from coachline.api import Caller
from coachline.database import as_caller
from coachline.identity.users import UserRole
from coachline.models import Input, Output, Version, example


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
    """The whole set that the user shall have. The reason goes to the audit log."""

    model_config = example(
        userId="3e2ec15d-3d13-4e0d-a65c-377bd7400497",
        roles=["MENTEE", "COACH"],
        reason="Application approved",
        version=1,
    )

    user_id: UUID
    roles: Annotated[list[UserRole], Field(max_length=3)]
    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]
    version: Version


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
    )
