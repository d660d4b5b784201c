"""Other people's accounts, for ADMINs."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, model_validator

from coachline.api import Caller
from coachline.database import as_caller
from coachline.identity.role_requests import RoleRequest
from coachline.identity.users import UserRole, UserStatus
from coachline.models import Input, Instant, Output, Version, example
from coachline.pagination import Keyset, PageQuery
from coachline.patches import partial

_ORDER = Keyset(before_at=("created_at", datetime), before_id=("id", UUID))
_JORDAN: dict[str, Any] = {
    "id": "3e2ec15d-3d13-4e0d-a65c-377bd7400497",
    "firstName": "Jordan",
    "lastName": "Rivera",
    "email": "jordan.rivera@example.com",
    "emailVerified": True,
    "status": "ACTIVE",
    "roles": ["MENTEE"],
    "version": 1,
    "createdAt": "2027-01-04T09:00:00Z",
}


class Account(Output):
    """A user in the list of all users."""

    model_config = example(**_JORDAN)

    id: UUID
    first_name: str | None
    last_name: str | None
    email: str | None
    email_verified: bool
    status: UserStatus
    roles: list[UserRole]
    version: int
    created_at: Instant


PaymentTerms = Literal["PREPAID", "INVOICE"]
"""PREPAID: sessions are paid for when they are booked. INVOICE: they are invoiced once a month."""


class AccountDetail(Account):
    """A user with what an ADMIN needs to decide about him."""

    model_config = example(
        **_JORDAN,
        clerkId="user_2abcdefghijklmnopqrstuvwxyz",
        timezone="America/Chicago",
        locale="en-US",
        paymentTerms="PREPAID",
        permissions=["session:book", "session:read", "user:read"],
        coachProfileStatus=None,
        upcomingSessions=0,
        openRoleRequests=[],
        updatedAt="2027-01-04T09:00:00Z",
    )

    clerk_id: str
    timezone: str
    locale: str
    payment_terms: PaymentTerms
    permissions: list[str]
    coach_profile_status: Literal["DRAFT", "PUBLISHED", "ARCHIVED"] | None
    upcoming_sessions: int
    open_role_requests: list[RoleRequest]
    updated_at: Instant


class _AccountTerms(Input):
    status: Literal["ACTIVE", "SUSPENDED"]
    payment_terms: PaymentTerms


@partial
class AccountPatch(_AccountTerms):
    """Suspend or reactivate, or say how a mentee pays: `status`, `paymentTerms` or both.

    Terms count for what is booked from now on. The reason goes to the audit log. Names are the user's own, the address
    is Clerk's.
    """

    model_config = example(status="SUSPENDED", reason="Chargebacks under investigation", version=1)

    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]
    version: Version

    @model_validator(mode="after")
    def _something(self) -> "AccountPatch":
        if not {"status", "payment_terms"} & self.model_fields_set:
            raise ValueError("Send `status`, `paymentTerms` or both")
        return self


class AccountQuery(PageQuery):
    """`search` finds a part of the name or of the e-mail address, whatever its case."""

    search: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    role: UserRole | None = None
    status: UserStatus | None = None


def list_accounts(caller: Caller, query: AccountQuery) -> tuple[list[Any], str | None]:
    """A page of `Account`, newest first; and the next cursor."""
    rows = as_caller(caller).read(
        "list_accounts",
        search=query.search,
        wanted_role=query.role,
        wanted_status=query.status,
        **_ORDER.arguments(query),
    )
    return _ORDER.page(rows, query)


def get_account(caller: Caller, user_id: UUID) -> Any:
    """One `AccountDetail`."""
    return as_caller(caller).read("get_account", target=str(user_id))


def change_account(caller: Caller, user_id: UUID, patch: AccountPatch) -> Any:
    """The changed `AccountDetail`; 409 own_status, last_admin, not_a_mentee or version_conflict."""
    return as_caller(caller).write(
        "change_account",
        target=str(user_id),
        wanted_status=patch.status,
        wanted_terms=patch.payment_terms,
        reason=patch.reason,
        expected_version=patch.version,
    )
