"""Applications for a role: asked for by anyone, decided by an ADMIN who is not the applicant (DOMAIN A)."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from coachline.api import Caller
from coachline.database import as_caller
from coachline.identity.users import UserRole
from coachline.models import Input, Instant, Output, Reason, Version, example
from coachline.pagination import Keyset, PageQuery
from coachline.patches import columns

_ORDER = Keyset(before_at=("created_at", datetime), before_id=("id", UUID))
_OF_A_COACH = ("experience", "specialties", "licenseNumber", "licenseState")


class RoleRequestStatus(StrEnum):
    """REQUESTED becomes one of the others, and those never change."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"


class RoleRequest(Output):
    """An application as its author and ADMINs see it."""

    model_config = example(
        id="6f0d4f6e-1d0b-4f6e-9a53-5b4f9c1c2a77",
        userId="3e2ec15d-3d13-4e0d-a65c-377bd7400497",
        userName="Jordan Rivera",
        role="COACH",
        status="REQUESTED",
        statement="I want to pass on what took me twenty years to learn.",
        experience="Twenty years of listings; trained eleven agents of my office.",
        specialties=["Listings", "Negotiation"],
        licenseNumber="10401234567",
        licenseState="NY",
        decidedAt=None,
        decidedBy=None,
        decisionReason=None,
        version=1,
        createdAt="2027-01-04T09:00:00Z",
    )

    id: UUID
    user_id: UUID
    user_name: str | None
    role: UserRole
    status: RoleRequestStatus
    statement: str
    experience: str | None
    specialties: list[str]
    license_number: str | None
    license_state: str | None
    decided_at: Instant | None
    decided_by: UUID | None
    decision_reason: str | None
    version: int
    created_at: Instant


Text = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"\S")]
Short = Annotated[str, Field(min_length=1, max_length=50, pattern=r"\S")]


class RoleApplication(Input):
    """For COACH all of it; for another role the statement alone."""

    model_config = example(
        role="COACH",
        statement="I want to pass on what took me twenty years to learn.",
        experience="Twenty years of listings; trained eleven agents of my office.",
        specialties=["Listings", "Negotiation"],
        licenseNumber="10401234567",
        licenseState="NY",
    )

    role: UserRole
    statement: Text
    experience: Text | None = None
    specialties: Annotated[list[Short], Field(min_length=1, max_length=20)] | None = None
    license_number: Short | None = None
    license_state: Short | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        given = self.model_dump(by_alias=True, exclude_none=True)
        if self.role is UserRole.COACH:
            missing = [name for name in _OF_A_COACH if name not in given]
            if missing:
                text = f"An application for COACH also needs {', '.join(missing)}"
                raise PydanticCustomError("application_incomplete", "{detail}", {"detail": text})
        elif surplus := [name for name in _OF_A_COACH if name in given]:
            text = f"Only an application for COACH has {', '.join(surplus)}"
            raise PydanticCustomError("application_surplus", "{detail}", {"detail": text})
        return self


class RoleApproval(Input):
    """The version that was read, and what the applicant should hear."""

    model_config = example(reason="Licence and references checked", version=1)

    reason: Reason | None = None
    version: Version


class RoleRejection(Input):
    """The version that was read, and why: the applicant reads it."""

    model_config = example(reason="The licence has expired", version=1)

    reason: Reason
    version: Version


class RoleWithdrawal(RoleApproval):
    """The version that was read, and why if there is anything to say."""

    model_config = example(reason="Next year, perhaps", version=1)


class RoleRequestQuery(PageQuery):
    """Own requests; for an ADMIN everyone's, or those of `userId`."""

    status: RoleRequestStatus | None = None
    role: UserRole | None = None
    user_id: UUID | None = None


def list_requests(caller: Caller, query: RoleRequestQuery) -> tuple[list[Any], str | None]:
    """A page of `RoleRequest`, newest first; and the next cursor."""
    rows = as_caller(caller).read(
        "list_role_requests",
        wanted_status=query.status,
        wanted_role=query.role,
        target=query.user_id and str(query.user_id),
        **_ORDER.arguments(query),
    )
    return _ORDER.page(rows, query)


def apply_for(caller: Caller, body: RoleApplication) -> Any:
    """The new `RoleRequest`; 409 role_held or request_open."""
    return as_caller(caller).write("create_role_request", input=columns(body))


def decide(
    caller: Caller, request_id: UUID, outcome: Literal["APPROVED", "REJECTED"], body: RoleApproval | RoleRejection
) -> Any:
    """The decided `RoleRequest`; 409 own_request, invalid_transition (decided already) or version_conflict."""
    return as_caller(caller).write(
        "decide_role_request",
        request_id=str(request_id),
        outcome=outcome,
        reason=body.reason,
        expected_version=body.version,
    )


def withdraw(caller: Caller, request_id: UUID, body: RoleWithdrawal) -> Any:
    """The withdrawn `RoleRequest`; 404 to everyone but the applicant, 409 invalid_transition or version_conflict."""
    return as_caller(caller).write(
        "withdraw_role_request", request_id=str(request_id), reason=body.reason, expected_version=body.version
    )
