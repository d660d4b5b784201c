"""GET /api/user/role/history|analytics and /api/admin/audit: complete, filtered, paged, and never rewritten."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.integration.identity.test_roles import change
from tests.support.stack import SignedIn, Stack
from tests.support.story import APPLICATION, at, book, iso, next_weekday, published_coach

HISTORY, ANALYTICS, AUDIT = "/api/user/role/history", "/api/user/role/analytics", "/api/admin/audit"


@pytest.fixture(scope="module")
def admin(stack: Stack) -> SignedIn:
    return stack.user("ADMIN")


def pages(who: SignedIn, path: str, **query: Any) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        answer = who.get(path, params={**query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        yield from answer.json()["data"]
        if (cursor := answer.json()["nextCursor"]) is None:
            return


def test_the_log_tells_of_every_change_from_sign_up_on(stack: Stack, admin: SignedIn) -> None:
    user = stack.user()
    for roles in (("MENTEE", "COACH"), ("COACH",), ("COACH",), ("MENTEE",)):
        assert change(admin, user, *roles, reason=f"to {'+'.join(roles)}").status_code == 200
    log = list(pages(user, HISTORY, limit=1))
    assert [(each["before"], each["after"], each["reason"]) for each in log] == [
        (["COACH"], ["MENTEE"], "to MENTEE"),
        (["MENTEE", "COACH"], ["COACH"], "to COACH"),
        (["MENTEE"], ["MENTEE", "COACH"], "to MENTEE+COACH"),
        ([], ["MENTEE"], None),
    ]
    assert {each["actorId"] for each in log[:3]} == {admin.user_id}
    theirs = [each["id"] for each in pages(admin, HISTORY, userId=user.user_id)]
    assert theirs == [each["id"] for each in log]
    coach = [each["id"] for each in pages(admin, HISTORY, userId=user.user_id, role="COACH", actorId=admin.user_id)]
    assert coach == [log[0]["id"], log[2]["id"]]
    moment = log[1]["occurredAt"]
    assert [each["id"] for each in pages(user, HISTORY, **{"from": moment})] == [each["id"] for each in log[:2]]
    assert [each["id"] for each in pages(user, HISTORY, to=moment)] == [each["id"] for each in log[2:]]


def test_a_strangers_log_is_not_found(stack: Stack) -> None:
    assert stack.user().get(HISTORY, params={"userId": stack.user().user_id}).status_code == 404


def test_what_is_written_past_the_api_is_in_the_log_too(stack: Stack) -> None:
    user = stack.user()
    with stack.database() as database, database.transaction():
        database.execute("select private.because('Break-glass, by the owner of the database')")
        database.execute("delete from user_role where user_id = %s", [user.user_id])
        database.execute("insert into user_role (user_id, role) values (%s, 'COACH')", [user.user_id])
    [last, _] = user.get(HISTORY).json()["data"]
    assert (last["before"], last["after"], last["actorId"]) == (["MENTEE"], ["COACH"], None)
    assert last["reason"].startswith("Break-glass")


def test_the_log_ends_with_the_roles_that_everybody_has(stack: Stack) -> None:
    with stack.database() as database:
        wrong = database.execute(
            """select u.id from user_account u
               where array(select r.role from user_role r where r.user_id = u.id order by r.role) is distinct from
                 coalesce((select c.after from private.role_change c where c.user_id = u.id
                           order by id desc limit 1), '{}')"""
        ).fetchall()
    assert wrong == []


@pytest.mark.parametrize("table", ["role_change", "audit_log"])
def test_a_log_is_append_only_for_every_role(stack: Stack, table: str) -> None:
    statements = [
        verb.format(table)
        for verb in ("update private.{} set reason = 'x'", "delete from private.{}", "truncate private.{}")
    ]
    tried = 0
    with stack.database() as database:
        for role in ("anon", "authenticated", "service_role", "postgres"):
            database.execute(f"set role {role}".encode())
            for statement in statements:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    database.execute(statement.encode())
                tried += 1
            database.execute("reset role")
        for role in ("anon", "authenticated", "service_role"):
            rights = database.execute(
                """select array_agg(p) as held from unnest('{insert,update,delete,truncate}'::text[]) p
                   where has_table_privilege(%s, %s, p)""",
                [role, f"private.{table}"],
            ).fetchone()
            assert rights == {"held": None}, role
    key = {"apikey": stack.info["secretKey"], "Accept-Profile": "private", "Content-Profile": "private"}
    for method in ("PATCH", "DELETE", "POST"):
        answer = stack.http.request(method, f"/rest/v1/{table}?id=gt.0", json={"reason": "x"}, headers=key)
        assert answer.status_code in {401, 403, 404, 406}, answer.text
        tried += 1
    print(f"{table}: {tried} attempts to rewrite it, {tried} refused")


def test_the_audit_log_is_found_by_what_one_knows(stack: Stack, admin: SignedIn) -> None:
    user = stack.user()
    answer = change(admin, user, "MENTEE", "COACH", reason="audited")
    request_id = answer.headers["x-request-id"]
    mine = list(pages(admin, AUDIT, requestId=request_id, limit=1))
    assert {(each["tableName"], each["action"], each["reason"]) for each in mine} == {
        ("user_role", "INSERT", "audited")
    }
    assert mine[0]["after"]["role"] == "COACH"
    for query in (
        {"tableName": "user_role", "rowId": user.user_id, "action": "INSERT"},
        {"rowId": user.user_id, "actorId": admin.user_id, "tableName": "user_role"},
    ):
        assert next(pages(admin, AUDIT, **query))["id"] == mine[0]["id"]
    assert list(pages(admin, AUDIT, requestId=request_id, to="2020-01-01T00:00:00Z")) == []
    assert stack.user("COACH", "MENTEE").get(AUDIT).status_code == 403
    assert admin.get(AUDIT, params={"cursor": "x"}).status_code == 422


def test_figures_agree_with_what_happened(stack: Stack, admin: SignedIn) -> None:
    start = datetime.now(UTC)
    coach, mentee = published_coach(stack), stack.user()
    session = book(mentee, coach, at(next_weekday(), "10:00")).json()["data"]
    asked = [stack.user().post("/api/user/role/requests", APPLICATION).json()["data"] for _ in range(3)]
    path = "/api/user/role/requests/{}/{}"
    for request, how, seconds in ((asked[0], "approve", 10), (asked[1], "reject", 20)):
        admin.post(path.format(request["id"], how), {"reason": "x", "version": 1}).raise_for_status()
        with stack.database() as database:
            database.execute(
                "update role_request set created_at = decided_at - make_interval(secs => %s) where id = %s",
                [seconds, request["id"]],
            )
    with stack.database() as database:
        database.execute("update session set status = 'COMPLETED' where id = %s", [session["id"]])
        users = database.execute(  # but for those whom a test has made whose clock ran ahead
            """select r.role::text, count(*)::int as users from user_role r where not exists (
                 select from private.role_change c where c.user_id = r.user_id and c.occurred_at > now())
               group by 1 order by 1"""
        ).fetchall()
    period = {"from": iso(start - timedelta(minutes=1)), "to": iso(datetime.now(UTC) + timedelta(days=30))}
    answer = admin.get(ANALYTICS, params=period)
    assert answer.status_code == 200, answer.text
    figures = answer.json()["data"]
    assert {each["role"]: each["users"] for each in figures["usersByRole"]} == {e["role"]: e["users"] for e in users}
    assert sum(each["users"] * len(each["roles"]) for each in figures["usersByCombination"]) == sum(
        each["users"] for each in users
    )
    [requests] = [each for each in figures["requests"] if each["role"] == "COACH"]
    assert (requests["approved"], requests["rejected"], requests["open"]) >= (1, 1, 1)
    assert figures["medianDecisionSeconds"] is not None
    assert [each["granted"] for each in figures["changes"] if each["role"] == "COACH"][-1] >= 2
    by_role = {each["role"]: each for each in figures["sessions"]}
    assert by_role["COACH"]["coached"] >= 1
    assert by_role["MENTEE"]["booked"] >= 1
    assert {"amount": 15000, "currency": "USD"} in by_role["COACH"]["revenue"] or by_role["COACH"]["completed"] > 1


def test_a_period_that_is_none_is_refused(admin: SignedIn) -> None:
    for query in (
        {"from": "2027-01-02T00:00:00Z", "to": "2027-01-01T00:00:00Z"},
        {"from": "2025-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"},
        {"from": "9999-12-31T23:59:59Z"},
        {"to": "0001-01-01T00:00:00Z"},
    ):
        answer = admin.get(ANALYTICS, params=query)
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "to"), query
    assert admin.get(ANALYTICS).status_code == 200
