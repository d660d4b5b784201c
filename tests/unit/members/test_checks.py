"""The rule table applied: what is taken, what is refused, what is doubted."""

from datetime import date
from typing import Any

import pytest

from coachline.members.checks import applies, check, clean
from coachline.members.rules import FIELDS, LOOKUPS, RULES, Rule

TODAY = date(2027, 3, 1)


def findings(member: dict[str, Any], *roles: str) -> tuple[dict[str, str], dict[str, str]]:
    """(errors, warnings), each as rule id → pointer."""
    errors, warnings = check(clean(member), roles or ("MENTEE",), today=TODAY)
    return {e.rule.id: e.pointer for e in errors}, {w.rule.id: w.pointer for w in warnings}


def test_rules_have_ids_of_their_own_and_fields_that_exist() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert {rule.field for rule in RULES} == {field.name for field in FIELDS}


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.check != "unique"], ids=lambda rule: rule.id)
def test_the_example_of_a_rule_breaks_that_rule(rule: Rule) -> None:
    member = {rule.field: rule.fails, "member_status": (*rule.statuses, "ACTIVE")[0]} | (
        {"license_state": rule.states[0]} if rule.states else {}
    )
    if rule.with_field:
        member[rule.with_field] = "1"
    member[rule.field] = rule.fails
    errors, warnings = findings(member, *(rule.roles or ("MENTEE",)))
    assert rule.id in (errors if rule.severity == "error" else warnings)


def test_the_example_of_every_field_is_fine() -> None:
    assert findings({field.name: field.example for field in FIELDS}, "COACH") == ({}, {})


def test_all_failures_are_listed_at_once_and_warnings_apart() -> None:
    errors, warnings = findings(
        {
            "member_key": 5,
            "member_status": "ACTIVE",
            "designations": ["CRS", "Wizard", "GRI", 7],
            "license_number": "12",
            "license_expiration": "2027-02-28",
            "phone": "nonsense",
            "bio": "x" * 1025,
        },
        "COACH",
    )
    assert errors == {
        "memberKey.text": "#/memberKey",
        "designations.many": "#/designations/3",
        "phone.phone": "#/phone",
        "bio.length": "#/bio",
        "licenseState.required": "#/licenseState",
    }
    assert warnings == {"licenseExpiration.not_past": "#/licenseExpiration"}


@pytest.mark.parametrize(
    ("field", "entered", "stored"),
    [
        ("license_number", "  ab  12\t3 ", "AB 12 3"),
        ("company_name", "Cafe\u0301 Realty", "Café Realty"),
        ("bio", " two\nlines ", "two\nlines"),
        ("member_key", "  ", None),
        ("member_status", "", "PENDING"),
        ("member_type", "realtor salesperson", "REALTOR Salesperson"),
        ("license_state", "ca", "CA"),
        ("designations", "", []),
        ("languages", ["spanish", "English", "SPANISH"], ["English", "Spanish"]),
        ("phone", "(212) 555-0142", "+12125550142"),
        ("phone", "+44 20 7946 0958", "+442079460958"),
    ],
)
def test_values_are_stored_in_one_form(field: str, entered: Any, stored: Any) -> None:
    assert clean({field: entered})[field] == stored
    assert clean({field: stored})[field] == stored


@pytest.mark.parametrize("value", LOOKUPS["MemberDesignation"])
def test_a_designation_is_known_in_full_by_its_name_and_by_its_abbreviation(value: str) -> None:
    for said in (value, *value.split(" / "), value.rsplit(" / ", maxsplit=1)[-1].lower()):
        assert clean({"designations": [said]})["designations"] == [value]


def test_who_needs_a_licence() -> None:
    needs = {"licenseNumber.required", "licenseState.required"}
    assert findings({"member_status": "ACTIVE"}, "COACH", "MENTEE")[0].keys() == needs
    for status, role in (("PENDING", "COACH"), ("INACTIVE", "COACH"), ("ACTIVE", "MENTEE"), ("ACTIVE", "ADMIN")):
        assert findings({"member_status": status}, role) == ({}, {})


def test_a_licence_holds_through_its_last_day() -> None:
    assert findings({"license_expiration": TODAY.isoformat()}) == ({}, {})
    assert findings({"license_expiration": "2027-02-28"})[1].keys() == {"licenseExpiration.not_past"}


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.check == "length"], ids=lambda rule: rule.id)
def test_a_text_may_be_as_long_as_its_field(rule: Rule) -> None:
    longest = "x" * rule.argument
    assert rule.id not in findings({rule.field: longest})[0]
    assert rule.id in findings({rule.field: f"{longest}x"})[0]


def test_a_rule_for_some_roles_is_for_whoever_has_one_of_them() -> None:
    rule = Rule("member_key", "required", None, "", None, roles=("COACH", "ADMIN"))
    member = clean({})
    assert [applies(rule, member, roles) for roles in (["COACH"], ["MENTEE", "ADMIN"], ["MENTEE"], [])] == [
        True,
        True,
        False,
        False,
    ]


def test_a_number_with_an_extension_is_no_number_of_ours() -> None:
    assert findings({"phone": "212-555-0142 x12"})[0] == {"phone.phone": "#/phone"}
