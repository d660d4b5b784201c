"""The state of everyone's member data in figures."""

from datetime import date
from typing import Annotated, Any

from pydantic import Field
from pydantic.alias_generators import to_camel

from coachline.api import Caller
from coachline.database import as_caller
from coachline.members.rules import RULES
from coachline.models import Output, Query, example

_ASKED = ("required", "paired", "matches", "not_past")
"""Checks that a query can make; what else the table forbids cannot be stored in the first place."""


class ReportQuery(Query):
    """How many weeks of changes, this one included."""

    weeks: Annotated[int, Field(ge=1, le=53)] = 12


class Completeness(Output):
    """How many members have a field, and in percent."""

    field: str
    filled: int
    percent: float


class Count(Output):
    """How many members have a value; null are those without one."""

    value: str | None
    members: int


class Licenses(Output):
    """Expiring licences by when, each window from today: one that expires in 20 days is in all three."""

    expired: int
    within30_days: int
    within60_days: int
    within90_days: int
    without_expiration: int


class Week(Output):
    """Changed fields, and of how many members, in the week that begins on this Monday (UTC)."""

    week: date
    changes: int
    members: int


class OpenRule(Output):
    """A rule of docs/member-data.md that stored data break: a warning, or what a new role has made required since."""

    rule: str
    members: int


class MemberReport(Output):
    """Figures of this moment."""

    model_config = example(
        members=1,
        completeness=[{"field": "licenseNumber", "filled": 1, "percent": 100.0}],
        byStatus=[{"value": "ACTIVE", "members": 1}],
        byType=[{"value": "REALTOR Salesperson", "members": 1}],
        byDesignation=[{"value": "Certified Residential Specialist / CRS", "members": 1}],
        licenses={
            "expired": 0,
            "within30Days": 0,
            "within60Days": 0,
            "within90Days": 1,
            "withoutExpiration": 0,
        },
        changesPerWeek=[{"week": "2027-03-01", "changes": 15, "members": 1}],
        open=[{"rule": "licenseNumber.matches.ca", "members": 1}],
    )

    members: int
    completeness: list[Completeness]
    by_status: list[Count]
    by_type: list[Count]
    by_designation: list[Count]
    licenses: Licenses
    changes_per_week: list[Week]
    open: list[OpenRule]


def report(caller: Caller, query: ReportQuery) -> dict[str, Any]:
    """The `MemberReport`."""
    rules = [
        {
            "id": rule.id,
            "field": rule.field,
            "check": rule.check,
            "argument": rule.argument,
            "roles": rule.roles,
            "statuses": rule.statuses,
            "states": rule.states,
            "with_field": rule.with_field,
        }
        for rule in RULES
        if rule.check in _ASKED
    ]
    found = as_caller(caller).read("member_report", rules=rules, weeks=query.weeks)
    statuses = [{"value": value, "members": members} for value, members in sorted(found["by_status"].items())]
    completeness = [{**each, "field": to_camel(each["field"])} for each in found["completeness"]]
    return {**found, "by_status": statuses, "completeness": completeness}
