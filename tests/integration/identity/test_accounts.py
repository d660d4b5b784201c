"""/api/admin/users: found by name or address, suspended and brought back, never into a corner."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg.rows import DictRow

from tests.support.stack import SignedIn, Stack

USERS = "/api/admin/users"


@pytest.fixture(scope="module")
def admin(stack: Stack) -> SignedIn:
    return stack.user("ADMIN")


def change(admin: SignedIn, target: SignedIn, status: str, **body: Any) -> httpx.Response:
    version = admin.get(f"{USERS}/{target.user_id}").json()["data"]["version"]
    return admin.patch(f"{USERS}/{target.user_id}", {"status": status, "reason": "test", "version": version, **body})


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_people_are_found_by_a_part_of_name_or_address(stack: Stack, admin: SignedIn) -> None:
    mark = uuid4().hex[:10]
    people = [stack.user(*roles, first_name=f"Ann {mark}", last_name="O'Hara_%") for roles in ((), ("COACH",), ())]
    found = admin.get(USERS, params={"search": mark.upper()}).json()["data"]
    assert [each["id"] for each in found] == [each.user_id for each in reversed(people)]
    address = found[0]["email"]
    assert [each["id"] for each in admin.get(USERS, params={"search": address}).json()["data"]] == [people[2].user_id]
    assert len(admin.get(USERS, params={"search": f"{mark} O'Hara_%"}).json()["data"]) == 3
    for pattern in (f"{mark}%Hara", f"{mark}_O", "%_%_%_%\\", f"{mark}*", f"{mark},last_name.neq.x"):
        assert admin.get(USERS, params={"search": pattern}).json()["data"] == [], pattern
    coaches = admin.get(USERS, params={"search": mark, "role": "COACH"}).json()["data"]
    assert [each["id"] for each in coaches] == [people[1].user_id]
    assert change(admin, people[0], "SUSPENDED").status_code == 200
    suspended = admin.get(USERS, params={"search": mark, "status": "SUSPENDED"}).json()["data"]
    assert [each["id"] for each in suspended] == [people[0].user_id]
    first = admin.get(USERS, params={"search": mark, "limit": 2}).json()
    rest = admin.get(USERS, params={"search": mark, "limit": 2, "cursor": first["nextCursor"]}).json()
    assert [each["id"] for each in first["data"] + rest["data"]] == [each["id"] for each in found]
    assert rest["nextCursor"] is None


def test_a_suspended_user_does_nothing_until_he_is_brought_back(stack: Stack, admin: SignedIn) -> None:
    user = stack.user()
    assert change(admin, user, "SUSPENDED", reason="Chargebacks").json()["data"]["status"] == "SUSPENDED"
    assert code(user.get("/api/user")) == (403, "user_suspended")
    assert change(admin, user, "ACTIVE", reason="Settled").json()["data"]["status"] == "ACTIVE"
    assert user.get("/api/user").status_code == 200
    log = admin.get("/api/admin/audit", params={"tableName": "user_account", "rowId": user.user_id}).json()["data"]
    assert [(each["before"]["status"], each["after"]["status"], each["reason"]) for each in log[:2]] == [
        ("SUSPENDED", "ACTIVE", "Settled"),
        ("ACTIVE", "SUSPENDED", "Chargebacks"),
    ]
    assert {each["actorId"] for each in log[:2]} == {admin.user_id}
    with stack.database() as database:
        told = database.execute(
            "select type from private.outbox_event where payload ->> 'userId' = %s order by sequence", [user.user_id]
        ).fetchall()
    assert [each["type"] for each in told][-2:] == ["UserSuspended", "UserReactivated"]


def test_the_detail_shows_what_a_decision_needs(stack: Stack, admin: SignedIn) -> None:
    user = stack.user()
    request = user.post("/api/user/role/requests", {"role": "ADMIN", "statement": "To help"}).json()["data"]
    detail = admin.get(f"{USERS}/{user.user_id}").json()["data"]
    assert (detail["clerkId"], detail["roles"], detail["upcomingSessions"]) == (user.clerk_id, ["MENTEE"], 0)
    assert [each["id"] for each in detail["openRoleRequests"]] == [request["id"]]
    assert admin.get(f"{USERS}/{uuid4()}").status_code == 404
    assert user.get(f"{USERS}/{user.user_id}").status_code == 403


def test_two_admins_who_suspend_each_other_leave_one(stack: Stack) -> None:
    for _ in range(5):
        pair = [stack.user("ADMIN"), stack.user("ADMIN")]
        versions = [each.get("/api/user").json()["data"]["version"] for each in pair]

        def suspend(index: int, pair: list[SignedIn] = pair, versions: list[int] = versions) -> int:
            body = {"status": "SUSPENDED", "reason": "race", "version": versions[1 - index]}
            return pair[index].patch(f"{USERS}/{pair[1 - index].user_id}", body).status_code

        with ThreadPoolExecutor(2) as pool:
            statuses = sorted(pool.map(suspend, (0, 1)))
        assert statuses in ([200, 403], [200, 401])
        assert sorted(each.get("/api/user").status_code for each in pair) == [200, 403]


@contextlib.contextmanager
def no_admin_but(stack: Stack, *kept: SignedIn) -> Iterator[psycopg.Connection[DictRow]]:
    """Nobody else is an active ADMIN while the block runs."""
    with stack.database() as database:
        others = database.execute(
            """update user_account set status = 'INACTIVE' where status = 'ACTIVE' and id <> all (%s::uuid[])
               and id in (select user_id from user_role where role = 'ADMIN') returning id""",
            [[each.user_id for each in kept]],
        ).fetchall()
        try:
            yield database
        finally:
            back = [each["id"] for each in others]
            database.execute("update user_account set status = 'ACTIVE' where id = any (%s)", [back])


def test_of_two_last_admins_one_stays_whatever_they_do_to_each_other(stack: Stack) -> None:
    for _ in range(4):
        pair = [stack.user("ADMIN"), stack.user("ADMIN")]
        versions = [each.get("/api/user").json()["data"]["version"] for each in pair]

        def strike(index: int, pair: list[SignedIn] = pair, versions: list[int] = versions) -> int:
            target, version = pair[1 - index], versions[1 - index]
            if index:
                body = {"userId": target.user_id, "roles": ["MENTEE"], "reason": "race", "version": version}
                return pair[index].put("/api/user/role", body).status_code
            body = {"status": "SUSPENDED", "reason": "race", "version": version}
            return pair[index].patch(f"{USERS}/{target.user_id}", body).status_code

        with no_admin_but(stack, *pair) as database:
            with ThreadPoolExecutor(2) as pool:
                statuses = sorted(pool.map(strike, (0, 1)))
            left = database.execute(
                """select u.id from user_account u join user_role r on r.user_id = u.id
                   where r.role = 'ADMIN' and u.status = 'ACTIVE' and u.deleted_at is null"""
            ).fetchall()
        assert statuses[0] == 200
        assert statuses[1] >= 400
        assert len(left) == 1


def test_the_only_active_admin_takes_the_role_from_a_suspended_one(stack: Stack, admin: SignedIn) -> None:
    other = stack.user("ADMIN")
    assert change(admin, other, "SUSPENDED").status_code == 200
    version = admin.get(f"{USERS}/{other.user_id}").json()["data"]["version"]
    body = {"userId": other.user_id, "roles": ["MENTEE"], "reason": "left", "version": version}
    with no_admin_but(stack, admin):
        assert admin.put("/api/user/role", body).status_code == 200


def test_what_cannot_be_is_said(stack: Stack, admin: SignedIn) -> None:
    user = stack.user()
    assert code(change(admin, admin, "SUSPENDED")) == (409, "own_status")
    assert code(change(admin, user, "SUSPENDED", version=99)) == (409, "version_conflict")
    for body, place in (
        ({"reason": ""}, "#/reason"),
        ({"reason": " \t"}, "#/reason"),
        ({"reason": "a\0b"}, "#/reason"),
        ({"reason": "x" * 501}, "#/reason"),
        ({"email": "x@example.com"}, "#/email"),
    ):
        answer = change(admin, user, "SUSPENDED", **body)
        assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, [place]), body
    assert change(admin, user, "INACTIVE").json()["errors"][0]["pointer"] == "#/status"
    assert admin.get(USERS, params={"search": "x" * 201}).status_code == 422
    assert admin.get(USERS, params={"search": ""}).status_code == 422
    assert user.get("/api/user").status_code == 200
