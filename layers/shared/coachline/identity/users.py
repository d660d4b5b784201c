"""The signed-in user's own account."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Input, Instant, Output, TimeZoneName, Version, example
from coachline.patches import columns, partial


class UserRole(StrEnum):
    """A user has a set of these; his permissions are the union of theirs."""

    MENTEE = "MENTEE"
    COACH = "COACH"
    ADMIN = "ADMIN"


class UserStatus(StrEnum):
    """A SUSPENDED user may do nothing at all."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    SUSPENDED = "SUSPENDED"


class User(Output):
    """An account as its owner sees it. `home` is the dashboard of the highest role: ADMIN, then COACH, then MENTEE."""

    model_config = example(
        id="3e2ec15d-3d13-4e0d-a65c-377bd7400497",
        firstName="Jordan",
        lastName="Rivera",
        email="jordan.rivera@example.com",
        emailVerified=True,
        timezone="America/Chicago",
        locale="en-US",
        status="ACTIVE",
        roles=["MENTEE"],
        permissions=["session:book", "session:read", "user:read"],
        home="/mentee",
        version=1,
        createdAt="2027-01-04T09:00:00Z",
    )

    id: UUID
    first_name: str | None
    last_name: str | None
    email: str | None
    email_verified: bool
    timezone: str
    locale: str
    status: UserStatus
    roles: list[UserRole]
    permissions: list[str]
    home: str
    version: int
    created_at: Instant


PersonName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")]


class _Editable(Input):
    first_name: PersonName | None
    last_name: PersonName | None
    timezone: TimeZoneName
    locale: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35, examples=["en-US"])]


@partial
class UserPatch(_Editable):
    """What changes, and the version it was read at. The e-mail address is changed at Clerk."""

    model_config = example(timezone="Europe/London", version=1)

    version: Version


def get_me(caller: Caller) -> Any:
    """The caller's `User`."""
    return as_caller(caller).read("get_me")


def update_me(caller: Caller, patch: UserPatch) -> Any:
    """The caller's `User` with the patch applied; 409 version_conflict when it was read too long ago."""
    return as_caller(caller).write("update_me", patch=columns(patch, but=("version",)), expected_version=patch.version)
