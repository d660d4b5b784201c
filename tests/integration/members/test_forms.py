"""What a form is given, and the dry run of what it would send."""

from typing import Any
from uuid import uuid4

from tests.integration.members.test_member import licensed
from tests.support.stack import Stack
from tests.support.unharmed import nothing_stored


def test_the_schema_says_what_a_form_has_to_know(stack: Stack) -> None:
    fields: dict[str, Any] = {
        field["name"]: field for field in stack.user().get("/api/members/schema").json()["data"]["fields"]
    }
    assert list(fields)[:3] == ["firstName", "lastName", "email"]
    assert fields["email"]["readOnly"]
    number = fields["licenseNumber"]
    assert (number["resoName"], number["maxLength"], number["values"]) == ("MemberStateLicense", 50, None)
    assert number["requiredFor"] == [{"roles": ["COACH"], "statuses": ["ACTIVE"]}]
    assert {rule["pattern"]: rule["severity"] for rule in number["rules"] if rule["states"] == ["CA"]} == {
        "^[0-9]{8}$": "warning"
    }
    assert [len(fields[name]["values"]) for name in ("memberType", "designations", "licenseState")] == [19, 27, 65]


def test_a_dry_run_says_all_that_a_put_would_and_stores_nothing(stack: Stack) -> None:
    owner, coach = stack.user("COACH"), stack.user("COACH")
    taken = licensed()
    assert owner.put("/api/user/member", taken).status_code == 200
    draft = {**taken, "phone": "nonsense", "designations": ["CRS", "Wizard"], "licenseExpiration": "2001-01-01"}
    with nothing_stored(stack):
        verdict = coach.post("/api/members/validate", draft).json()["data"]
    assert not verdict["valid"]
    assert [(error["pointer"], error["rule"]) for error in verdict["errors"]] == [
        ("#/designations/1", "designations.many"),
        ("#/phone", "phone.phone"),
        ("#/memberKey", "memberKey.unique"),
        ("#/licenseNumber", "licenseNumber.unique"),
    ]
    assert [warning["rule"] for warning in verdict["warnings"]] == ["licenseExpiration.not_past"]
    assert owner.user_id not in str(verdict)
    assert owner.post("/api/members/validate", taken).json()["data"]["valid"]
    elsewhere = {**taken, "memberKey": uuid4().hex, "licenseState": "NY"}
    assert coach.post("/api/members/validate", elsewhere).json()["data"]["valid"]  # the same number in two states


def test_a_dry_run_shows_what_would_be_stored_for_the_roles_asked_for(stack: Stack) -> None:
    mentee = stack.user()
    draft = {"memberStatus": "active", "designations": ["gri"], "phone": "212 555 0142", "memberKey": f" {uuid4()} "}
    verdict = mentee.post("/api/members/validate", draft).json()["data"]
    assert (verdict["valid"], verdict["errors"]) == (True, [])
    put = mentee.put("/api/user/member", {**draft, "version": 0}).json()["data"]
    assert verdict["member"] == {name: put[name] for name in verdict["member"]}
    as_coach = mentee.post("/api/members/validate", {**draft, "roles": ["COACH"]}).json()["data"]
    assert {error["rule"] for error in as_coach["errors"]} == {"licenseNumber.required", "licenseState.required"}
