"""An ADMIN's work with members: finding, correcting, putting back; and what the member may see of it."""

from typing import Any
from uuid import uuid4

import pytest

from tests.integration.members.test_member import licensed
from tests.support.hostile import places
from tests.support.stack import SignedIn, Stack
from tests.support.unharmed import nothing_stored


@pytest.fixture(scope="module")
def admin(stack: Stack) -> SignedIn:
    return stack.user("ADMIN")


@pytest.fixture
def coach(stack: Stack) -> SignedIn:
    """A coach whose member data have been stored once."""
    coach = stack.user("COACH", first_name="Dana", last_name=f"Quill{uuid4().hex[:6]}")
    assert coach.put("/api/user/member", licensed()).status_code == 200
    return coach


def listed(admin: SignedIn, **query: Any) -> list[str]:
    answer = admin.get("/api/members", params=query)
    assert answer.status_code == 200, answer.text
    return [member["userId"] for member in answer.json()["data"]]


def test_members_are_found_by_status_type_designation_and_text(stack: Stack, admin: SignedIn, coach: SignedIn) -> None:
    me = coach.get("/api/user/member").json()["data"]
    for query in (
        {"search": me["lastName"].upper()},
        {"search": me["licenseNumber"]},
        {"search": me["email"][:12]},
        {"search": me["memberKey"], "status": "ACTIVE", "type": "realtor salesperson", "designation": "CRS"},
    ):
        assert listed(admin, **query) == [coach.user_id], query
    for query in ({"status": "PENDING"}, {"type": "MLS Staff"}, {"designation": "ABR"}, {"search": "100%_"}):
        assert coach.user_id not in listed(admin, **query), query
    assert admin.get("/api/members", params={"status": "GONE"}).status_code == 422


def test_pages_follow_each_other_without_gap_or_repetition(stack: Stack, admin: SignedIn) -> None:
    company = f"Paged {uuid4().hex}"
    people = [stack.user() for _ in range(5)]
    for person in people:
        assert person.put("/api/user/member", {"companyName": company, "version": 0}).status_code == 200
    seen, cursor = [], None
    while True:
        query = {"search": company, "limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = admin.get("/api/members", params=query).json()
        seen += [member["userId"] for member in answer["data"]]
        cursor = answer["nextCursor"]
        if not cursor:
            break
    assert seen == [person.user_id for person in reversed(people)]


def test_an_admin_corrects_with_a_reason_under_the_same_rules(stack: Stack, admin: SignedIn, coach: SignedIn) -> None:
    path = f"/api/members/{coach.user_id}"
    with nothing_stored(stack):
        refused = admin.patch(path, {"licenseNumber": None, "phone": "1", "version": 1})
        stale = admin.patch(path, {"aor": "Elsewhere", "version": 7})
    assert (refused.status_code, places(refused)) == (422, {"#/licenseNumber", "#/phone"})
    assert stale.json()["code"] == "version_conflict"
    patched = admin.patch(path, {"memberStatus": "SUSPENDED", "reason": "Complaint 7", "version": 1})
    assert patched.status_code == 200, patched.text
    assert patched.json()["data"] == admin.get(path).json()["data"] == coach.get("/api/user/member").json()["data"]
    assert (patched.json()["data"]["memberStatus"], patched.json()["data"]["version"]) == ("SUSPENDED", 2)
    newest = coach.get(f"{path}/history").json()["data"][0]
    told = {name: newest[name] for name in ("field", "before", "after", "actorId", "reason", "version")}
    assert told == {
        "field": "memberStatus",
        "before": "ACTIVE",
        "after": "SUSPENDED",
        "actorId": admin.user_id,
        "reason": "Complaint 7",
        "version": 2,
    }


def test_member_data_are_an_admins_and_ones_own(stack: Stack, coach: SignedIn) -> None:
    stranger, path = stack.user("COACH", "MENTEE"), f"/api/members/{coach.user_id}"
    assert [stranger.get(where).status_code for where in ("/api/members", path, f"{path}/history")] == [403, 403, 404]
    assert stranger.patch(path, {"version": 1}).status_code == 403
    assert stranger.post(f"{path}/revert", {"asOf": "2027-01-01T00:00:00Z", "version": 1}).status_code == 403
    for where in ("duplicates", "report"):
        assert stranger.get(f"/api/members/{where}").status_code == 403
    assert stack.user("ADMIN").get(f"/api/members/{uuid4()}").status_code == 404


def test_the_member_at_an_instant_and_back_to_it(admin: SignedIn, coach: SignedIn) -> None:
    path = f"/api/members/{coach.user_id}"
    first = coach.get("/api/user/member").json()["data"]
    changed = coach.put("/api/user/member", {"bio": "Another", "memberStatus": "INACTIVE", "version": 1}).json()["data"]
    then = coach.get(f"{path}/history", params={"asOf": first["updatedAt"], "limit": 100}).json()
    assert then["member"] == {name: first[name] for name in then["member"]}
    assert {change["version"] for change in then["data"]} == {1}
    now = coach.get(f"{path}/history", params={"limit": 100}).json()["member"]
    assert now == {name: changed[name] for name in now}
    before = coach.get(f"{path}/history", params={"asOf": "2020-01-01T00:00:00Z"}).json()
    assert before == {"data": [], "nextCursor": None, "member": None}

    body, key = {"asOf": first["updatedAt"], "reason": "Emptied by mistake", "version": 2}, uuid4().hex
    back = admin.post(f"{path}/revert", body, key=key)
    assert back.status_code == 200, back.text
    assert {**back.json()["data"], "version": 1, "updatedAt": first["updatedAt"]} == first
    assert admin.post(f"{path}/revert", body, key=key).json() == back.json()
    assert admin.post(f"{path}/revert", {**body, "version": 3}, key=key).json()["code"] == "idempotency_key_reused"
    assert admin.post(f"{path}/revert", {**body, "asOf": "2020-01-01T00:00:00Z"}).status_code == 404
    assert admin.get(path).json()["data"]["version"] == 3


def test_a_deleted_persons_member_data_are_gone_and_so_is_what_they_were(stack: Stack, admin: SignedIn) -> None:
    gone, word = stack.user("COACH"), uuid4().hex
    assert gone.put("/api/user/member", licensed(companyName=word, bio=word)).status_code == 200
    assert gone.put("/api/user/member", licensed(aor=word[:20], version=1)).status_code == 200
    stack.http.delete(f"/_sim/clerk/v1/users/{gone.clerk_id}", headers={"Authorization": "Bearer x"}).raise_for_status()
    stack.drain()
    assert admin.get(f"/api/members/{gone.user_id}").status_code == 404
    assert admin.get(f"/api/members/{gone.user_id}/history").status_code == 404
    holding = "select count(*) as n from "
    with stack.database() as database:
        tables = database.execute(
            """select format('%I.%I', schemaname, tablename) as name from pg_tables
               where schemaname in ('public', 'private')"""
        ).fetchall()
        for table in tables:
            found = database.execute(f"{holding}{table['name']} t where strpos(t::text, %s) > 0", [word]).fetchone()
            assert found is not None
            assert found["n"] == 0, table["name"]
        log = database.execute(
            """select action, after from private.audit_log
               where table_name = 'member_profile' and row_id = %s order by id""",
            [gone.user_id],
        ).fetchall()
    assert [line["action"] for line in log] == ["INSERT", "UPDATE", "DELETE"]
    assert log[1]["after"]["fields"] == ["aor", "bio", "company_name", "license_number", "member_key"]


def test_changes_cannot_be_edited_while_their_member_lives(stack: Stack, coach: SignedIn) -> None:
    with stack.database() as database:
        for statement in (
            "update member_change set new_value = null",
            "delete from member_change",
            "truncate member_change",
        ):
            with pytest.raises(Exception, match="append-only"):
                database.execute(statement)
