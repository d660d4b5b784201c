"""What a form needs to know of member data, and the dry run of what it would send."""

from typing import Any, Literal

from coachline import clock
from coachline.api import Caller
from coachline.database import as_caller
from coachline.members import phones
from coachline.members.checks import Finding, check, clean
from coachline.members.profiles import MemberFields, MemberState, Role, StoredVersion, Warned, faults
from coachline.members.rules import FIELDS, LOOKUPS, ON_ACCOUNT, RULES, Field, Kind, rules_of
from coachline.models import Output, example
from coachline.patches import columns

_UNIQUE = {rule.field: Finding(rule) for rule in RULES if rule.check == "unique"}


_FIELD: dict[str, Any] = {
    "name": "nationalAssociationId",
    "resoName": "MemberNationalAssociationId",
    "label": "National association ID",
    "help": "The NRDS (M1) number: nine digits, leading zeros too.",
    "type": "text",
    "maxLength": 25,
    "values": None,
    "example": "084001234",
    "readOnly": False,
    "requiredFor": [],
    "rules": [],
}


class Need(Output):
    """For whom a field must be filled: users with one of `roles` whose member status is one of `statuses`."""

    model_config = example(roles=["COACH"], statuses=["ACTIVE"])

    roles: list[Role]
    statuses: list[str]


class FieldRule(Output):
    """A rule of a field; one that warns forbids nothing. `pattern` is there for a form to try by itself."""

    model_config = example(
        id="nationalAssociationId.matches",
        severity="warning",
        message="An NRDS (M1) number has nine digits.",
        pattern="^[0-9]{9}$",
        states=[],
    )

    id: str
    severity: Literal["error", "warning"]
    message: str
    pattern: str | None
    states: list[str]


class FormField(Output):
    """A field: `name` in the API, `resoName` in RESO's dictionary. `values` are all there are, null for free text."""

    model_config = example(**_FIELD)

    name: str
    reso_name: str
    label: str
    help: str
    type: Kind
    max_length: int | None
    values: list[str] | None
    example: Any
    read_only: bool
    required_for: list[Need]
    rules: list[FieldRule]


class MemberSchema(Output):
    """The fields of the form in their order; those of the account come first and are changed there."""

    model_config = example(fields=[_FIELD])

    fields: list[FormField]


class MemberDraft(MemberFields):
    """Member data to be tried, for the roles given or else the caller's own; a `version` may come along."""

    model_config = example(memberStatus="ACTIVE", licenseNumber="1234567", licenseState="CA", roles=["COACH"])

    roles: list[Role] | None = None
    version: StoredVersion | None = None


class Verdict(Output):
    """What a PUT of the same would say: errors forbid it, warnings do not. `member` is what would be stored."""

    model_config = example(
        valid=True,
        errors=[],
        warnings=[
            {
                "pointer": "#/licenseNumber",
                "detail": "Californian licence numbers have eight digits.",
                "rule": "licenseNumber.matches.ca",
            }
        ],
        member={"licenseNumber": "1234567", "licenseState": "CA"},
    )

    valid: bool
    errors: list[Warned]
    warnings: list[Warned]
    member: dict[str, Any]


def schema(caller: Caller) -> dict[str, Any]:
    """The `MemberSchema`, made of the rule table; the database is asked no more than whether he may see it."""
    as_caller(caller).read("member_clashes")
    return {
        "fields": [
            _form_field(field, account) for account, fields in ((True, ON_ACCOUNT), (False, FIELDS)) for field in fields
        ]
    }


def validate(caller: Caller, draft: MemberDraft) -> dict[str, Any]:
    """The `Verdict` on a draft, keys and licences of others included. Nothing is stored."""
    member = clean(columns(draft, but=("roles", "version"), all_fields=True))
    keys = {name: member[name] for name in ("member_key", "license_number", "license_state")}
    found = as_caller(caller).read(
        "member_clashes", **{name: value if isinstance(value, str) else None for name, value in keys.items()}
    )
    errors, warnings = check(member, draft.roles or found["roles"], today=clock.now().date())
    errors += [finding for field, finding in _UNIQUE.items() if found[field]]
    stored = {MemberState.model_fields[name].alias or name: value for name, value in member.items()}
    if not any(finding.rule.field == "phone" for finding in errors) and member["phone"]:
        stored["phone"] = phones.shown(member["phone"])
    return {"valid": not errors, "errors": faults(errors), "warnings": faults(warnings), "member": stored}


def _form_field(field: Field, on_account: bool) -> dict[str, Any]:
    rules = rules_of(field)
    return {
        "name": field.json,
        "reso_name": field.reso,
        "label": field.label,
        "help": field.entry,
        "type": field.kind,
        "max_length": field.length,
        "values": list(LOOKUPS[field.lookup]) if field.lookup else None,
        "example": field.example,
        "read_only": on_account,
        "required_for": [
            {"roles": rule.roles, "statuses": rule.statuses} for rule in rules if rule.check == "required"
        ],
        "rules": [
            {
                "id": rule.id,
                "severity": rule.severity,
                "message": rule.message,
                "pattern": rule.argument if rule.check == "matches" else None,
                "states": rule.states,
            }
            for rule in rules
        ],
    }
