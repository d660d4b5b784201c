"""One's own member data: read, replaced, refused with every reason, and nobody else's."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.support.hostile import places
from tests.support.stack import SignedIn, Stack
from tests.support.unharmed import nothing_stored

MINE: dict[str, Any] = {
    "memberMlsId": "MLS-20817",
    "memberStatus": "ACTIVE",
    "memberType": "REALTOR Salesperson",
    "designations": ["gri", "CRS"],
    "licenseState": "CA",
    "licenseExpiration": "2040-06-30",
    "companyName": "Harbor Street Realty, LLC",
    "phone": "(212) 555-0142",
    "nationalAssociationId": "084001234",
    "languages": ["English"],
    "bio": "Two\nlines.",
}


def licensed(**changes: Any) -> dict[str, Any]:
    """Data that fit a coach, with a key and a licence that nobody has."""
    number = str(uuid4().int)[:8]
    return {**MINE, "memberKey": uuid4().hex, "licenseNumber": number, "version": 0, **changes}


@pytest.fixture
def coach(stack: Stack) -> SignedIn:
    return stack.user("COACH")


def test_it_is_empty_at_first_and_then_what_was_put(coach: SignedIn) -> None:
    empty = coach.get("/api/user/member").json()["data"]
    assert (empty["version"], empty["memberStatus"], empty["designations"], empty["createdAt"]) == (
        0,
        "PENDING",
        [],
        None,
    )
    body = licensed()
    put = coach.put("/api/user/member", body)
    assert put.status_code == 200, put.text
    stored = put.json()["data"]
    assert coach.get("/api/user/member").json()["data"] == stored
    assert stored["phone"] == "212-555-0142"
    assert stored["designations"] == ["Certified Residential Specialist / CRS", "Graduate, REALTOR Institute / GRI"]
    assert (stored["version"], stored["warnings"], stored["firstName"]) == (1, [], "Test")
    again = coach.put("/api/user/member", {"memberStatus": "INACTIVE", "version": 1}).json()["data"]
    assert (again["version"], again["companyName"], again["languages"]) == (2, None, [])


def test_a_stale_version_is_refused_and_a_missing_one_too(coach: SignedIn) -> None:
    body = licensed()
    assert coach.put("/api/user/member", body).status_code == 200
    stale = coach.put("/api/user/member", body)
    assert (stale.status_code, stale.json()["code"]) == (409, "version_conflict")
    missing = coach.put("/api/user/member", {name: value for name, value in body.items() if name != "version"})
    assert (missing.status_code, places(missing)) == (422, {"#/version"})


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"designations": ["CRS", "Wizardry"]}, {"#/designations/1"}),
        ({"memberStatus": "RETIRED", "memberType": "Wizard"}, {"#/memberStatus", "#/memberType"}),
        ({"licenseNumber": None, "licenseState": None}, {"#/licenseNumber", "#/licenseState"}),
        ({"licenseNumber": "x" * 51, "bio": "x" * 1025, "aor": "é" * 51}, {"#/licenseNumber", "#/bio", "#/aor"}),
        ({"licenseExpiration": "2027-02-30"}, {"#/licenseExpiration"}),
        ({"licenseExpiration": "0027-06-30"}, {"#/licenseExpiration"}),
        ({"licenseExpiration": "2999-06-30"}, {"#/licenseExpiration"}),
        ({"licenseExpiration": 20270630, "phone": ["212"], "languages": "English"}, set()),
        ({"phone": "12-34", "licenseState": "California"}, {"#/phone", "#/licenseState"}),
        ({"companyName": "a\0b"}, {"#/companyName"}),
        ({"bio": "a\0b", "surplus": 1}, {"#/bio", "#/surplus"}),
        ({"languages": ["English", {"a": 1}, None]}, {"#/languages/1", "#/languages/2"}),
        ({"designations": {"CRS": True}, "memberKey": True}, {"#/designations", "#/memberKey"}),
    ],
)
def test_what_is_wrong_is_named_all_at_once_and_nothing_is_stored(
    stack: Stack, coach: SignedIn, changes: dict[str, Any], pointers: set[str]
) -> None:
    with nothing_stored(stack):
        refused = coach.put("/api/user/member", licensed(**changes))
    assert refused.status_code == 422, refused.text
    assert places(refused) == (pointers or {f"#/{name}" for name in changes})


def test_a_licence_of_an_unusual_form_is_stored_with_a_warning(coach: SignedIn) -> None:
    stored = coach.put(
        "/api/user/member", licensed(licenseNumber=f"z{uuid4().hex[:6]}", licenseExpiration="2001-01-31")
    )
    assert stored.status_code == 200
    assert {(warning["pointer"], warning["rule"]) for warning in stored.json()["data"]["warnings"]} == {
        ("#/licenseNumber", "licenseNumber.matches.ca"),
        ("#/licenseExpiration", "licenseExpiration.not_past"),
    }


@pytest.mark.parametrize(
    ("shared", "code", "pointer"),
    [("memberKey", "member_key_taken", "#/memberKey"), ("licenseNumber", "license_taken", "#/licenseNumber")],
)
def test_another_members_key_or_licence_is_refused_without_saying_whose(
    stack: Stack, coach: SignedIn, shared: str, code: str, pointer: str
) -> None:
    owner = stack.user("COACH", first_name="Quentin", last_name="Owner")
    taken = licensed(licenseNumber=f"ab {uuid4().hex[:8]}")
    assert owner.put("/api/user/member", taken).status_code == 200
    with nothing_stored(stack):
        refused = coach.put("/api/user/member", licensed(**{shared: taken[shared]}))
    assert (refused.status_code, refused.json()["code"], places(refused)) == (409, code, {pointer})
    assert not any(whose in refused.text for whose in (owner.user_id, "Quentin", "Owner", taken["memberMlsId"]))
    assert coach.put("/api/user/member", licensed(memberKey=None)).status_code == 200


def test_a_licence_without_a_state_is_one_licence_too(stack: Stack) -> None:
    mentee, other = stack.user(), stack.user()
    number = uuid4().hex
    assert mentee.put("/api/user/member", {"licenseNumber": number, "version": 0}).status_code == 200
    assert other.put("/api/user/member", {"licenseNumber": number, "version": 0}).json()["code"] == "license_taken"
    in_a_state = {"licenseNumber": number, "licenseState": "NY", "version": 0}
    assert other.put("/api/user/member", in_a_state).status_code == 200


def test_nobody_suspends_himself_or_lifts_it(stack: Stack, coach: SignedIn) -> None:
    body = licensed()
    refused = coach.put("/api/user/member", {**body, "memberStatus": "SUSPENDED"})
    assert (refused.status_code, refused.json()["code"]) == (409, "member_suspended")
    assert coach.put("/api/user/member", body).status_code == 200
    with stack.database() as database:
        database.execute(
            "update member_profile set member_status = 'SUSPENDED' where user_id = %s returning user_id",
            [coach.user_id],
        )
    refused = coach.put("/api/user/member", {**body, "version": 2})
    assert (refused.status_code, refused.json()["code"]) == (409, "member_suspended")
    kept = coach.put("/api/user/member", {**body, "memberStatus": "SUSPENDED", "phone": None, "version": 2})
    assert (kept.status_code, kept.json()["data"]["phone"]) == (200, None)


def test_what_was_decided_for_other_roles_is_not_stored(stack: Stack, coach: SignedIn) -> None:
    """The write takes the roles that Python decided for; an ADMIN may have changed them since."""
    with stack.database() as database:
        database.execute("select set_config('request.jwt.claims', %s, false)", [f'{{"sub": "{coach.clerk_id}"}}'])
        with pytest.raises(psycopg.DatabaseError, match="roles_changed"):
            database.execute("select save_member(null, '{}', 0, '{MENTEE}')")
    assert coach.get("/api/user/member").json()["data"]["version"] == 0
