"""A member's data: what is asked for, what is answered, and how the rule table stands between them."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from coachline import clock
from coachline.api import Caller
from coachline.database import Database, as_caller
from coachline.members import phones
from coachline.members.checks import Finding, check, clean
from coachline.members.rules import FIELDS
from coachline.members.schema import described
from coachline.models import Input, Instant, Output, example
from coachline.patches import columns
from coachline.problems import Unprocessable

MemberStatus = Literal["ACTIVE", "INACTIVE", "PENDING", "SUSPENDED"]
Role = Literal["MENTEE", "COACH", "ADMIN"]

_STORED: dict[str, Any] = {field.json: field.example for field in FIELDS}
_ENTERED = {**_STORED, "designations": ["CRS"]}

StoredVersion = Annotated[int, Field(ge=0, le=2**31 - 1, examples=[1])]
"""A member's version when it was read; 0 when nothing was stored yet."""


def _given(value: Any) -> Any:
    if value is None:
        raise ValueError("Must not be null; leave it out instead")
    return value


NotNull = Annotated[Any, AfterValidator(_given)]


class MemberFields(Input):
    """Member data as they are entered. What each may be is said by the rule table alone, so that it can name all
    failures at once; here they are only named."""

    member_key: Any = None
    member_mls_id: Any = None
    member_status: NotNull = "PENDING"
    member_type: Any = None
    designations: NotNull = Field(default_factory=list)
    license_number: Any = None
    license_state: Any = None
    license_expiration: Any = None
    license_type: Any = None
    company_name: Any = None
    phone: Any = None
    national_association_id: Any = None
    aor: Any = None
    languages: NotNull = Field(default_factory=list)
    bio: Any = None

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema)["properties"]
        for field in FIELDS:
            properties[field.json] = described(field)
        return schema


class MemberInput(MemberFields):
    """All member data, and the version they were read at (0 at first). A field that is left out is emptied."""

    model_config = example(**_ENTERED, version=0)

    version: StoredVersion


class Warned(Output):
    """A place that a rule doubts; `rule` is its id in docs/member-data.md."""

    model_config = example(
        pointer="#/licenseNumber",
        detail="Californian licence numbers have eight digits.",
        rule="licenseNumber.matches.ca",
    )

    pointer: str
    detail: str
    rule: str


class MemberState(Output):
    """What is stored of a member. The phone is ###-###-#### in North America, E.164 elsewhere."""

    model_config = example(**_STORED)

    member_key: str | None
    member_mls_id: str | None
    member_status: MemberStatus
    member_type: str | None
    designations: list[str]
    license_number: str | None
    license_state: str | None
    license_expiration: str | None
    license_type: str | None
    company_name: str | None
    phone: str | None
    national_association_id: str | None
    aor: str | None
    languages: list[str]
    bio: str | None


class Member(MemberState):
    """A user's member data. Names, e-mail and roles are the account's; `version` is 0 until something is stored."""

    model_config = example(
        userId="0f08551d-9a54-47e4-b942-7a387eda5385",
        firstName="Casey",
        lastName="Morgan",
        email="casey@example.com",
        roles=["COACH"],
        **_STORED,
        warnings=[],
        version=1,
        createdAt="2027-01-04T09:00:00Z",
        updatedAt="2027-01-04T09:00:00Z",
    )

    user_id: UUID
    first_name: str | None
    last_name: str | None
    email: str | None
    roles: list[Role]
    warnings: list[Warned]
    version: int
    created_at: Instant | None
    updated_at: Instant | None


def get_member(caller: Caller) -> Any:
    """The caller's own `Member`."""
    return shown(as_caller(caller).read("get_member"))


def put_member(caller: Caller, body: MemberInput) -> Any:
    """The caller's own `Member`, replaced; 422 names every rule that the new data break, 409 a key or licence that is
    another member's."""
    database = as_caller(caller)
    known = database.read("get_member")
    return save(database, known["roles"], columns(body, but=("version",), all_fields=True), body.version)


def save(
    database: Database,
    roles: list[str],
    values: dict[str, Any],
    version: int,
    *,
    target: str | None = None,
    reason: str | None = None,
) -> Any:
    """Store `values` for a user who has these roles: the caller, or the `target` of an ADMIN, with his reason."""
    member = clean(values)
    errors, _ = check(member, roles, today=clock.now().date())
    if errors:
        problem = Unprocessable()
        return database.refuse(
            problem.status, {"code": problem.code, "detail": problem.detail, "errors": faults(errors)}
        )
    saved = database.write(
        "save_member", target=target, input=member, expected_version=version, decided_for=roles, reason=reason
    )
    return shown(saved)


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """A stored member as it is answered: his phone as RESO writes it, and what the rules doubt."""
    _, warnings = check(row, row["roles"], today=clock.now().date())
    return {**row, "phone": row["phone"] and phones.shown(row["phone"]), "warnings": faults(warnings)}


def faults(findings: list[Finding]) -> list[dict[str, str]]:
    """At most a hundred findings as problem details tell them, so that an answer stays readable."""
    return [finding.to_fault() for finding in findings[:100]]
