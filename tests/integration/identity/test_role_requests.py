"""/api/user/role/requests: asked for by anyone, decided once, by an ADMIN who is not the applicant."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.support.stack import SignedIn, Stack
from tests.support.story import APPLICATION

REQUESTS = "/api/user/role/requests"


@pytest.fixture(scope="module")
def admin(stack: Stack) -> SignedIn:
    return stack.user("ADMIN", first_name="Ada")


def ask(who: SignedIn, **changes: Any) -> dict[str, Any]:
    answer = who.post(REQUESTS, {**APPLICATION, **changes})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["data"]
    return made


def end(who: SignedIn, request: dict[str, Any], how: str, **body: Any) -> httpx.Response:
    return who.post(f"{REQUESTS}/{request['id']}/{how}", {"version": request["version"], **body})


def rows(stack: Stack, query: str, *values: Any) -> list[dict[str, Any]]:
    with stack.database() as database:
        return database.execute(query.encode(), values).fetchall()


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_an_approved_applicant_is_a_coach_with_a_draft_profile(stack: Stack, admin: SignedIn) -> None:
    user = stack.user()
    request = ask(user)
    assert (request["status"], request["specialties"]) == ("REQUESTED", ["Listings", "Negotiation"])
    answer = end(admin, request, "approve", reason="References checked")
    assert answer.status_code == 200, answer.text
    decided = answer.json()["data"]
    assert (decided["status"], decided["decidedBy"], decided["version"]) == ("APPROVED", admin.user_id, 2)
    assert user.get("/api/user").json()["data"]["roles"] == ["MENTEE", "COACH"]
    profile = user.get("/api/coach/profile").json()["data"]
    assert (profile["status"], profile["specialties"]) == ("DRAFT", ["Listings", "Negotiation"])
    change = user.get("/api/user/role/history").json()["data"][0]
    assert (change["before"], change["after"]) == (["MENTEE"], ["MENTEE", "COACH"])
    assert (change["roleRequestId"], change["reason"]) == (request["id"], "References checked")
    assert (change["actorId"], change["actorName"]) == (admin.user_id, "Ada Person")
    assert change["requestId"] == answer.headers["x-request-id"]


def test_fifty_approvals_at_once_are_one(stack: Stack, admin: SignedIn) -> None:
    user = stack.user()
    request = ask(user)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: end(admin, request, "approve"), range(50)))
    assert sorted({code(answer) for answer in answers if answer.status_code != 200}) == [(409, "invalid_transition")]
    assert [answer.status_code for answer in answers].count(200) == 1
    count = "select count(*)::int as n from"
    found = {
        "role": rows(stack, f"{count} user_role where user_id = %s and role = 'COACH'", user.user_id),
        "profile": rows(stack, f"{count} coach_profile where user_id = %s", user.user_id),
        "log": rows(stack, f"{count} private.role_change where role_request_id = %s", request["id"]),
        "event": rows(
            stack,
            f"{count} private.outbox_event where type = 'UserRolesChanged' and payload ->> 'userId' = %s",
            user.user_id,
        ),
        "approval": rows(
            stack,
            f"{count} private.outbox_event where type = 'RoleRequestApproved' and payload ->> 'roleRequestId' = %s",
            request["id"],
        ),
    }
    assert found == {name: [{"n": 1}] for name in found}
    print(f"50 approvals: {[answer.status_code for answer in answers].count(200)} applied; rows: {found}")


def test_the_same_key_gets_the_same_answer(stack: Stack, admin: SignedIn) -> None:
    user, key = stack.user(), uuid4().hex
    first, second = (user.post(REQUESTS, APPLICATION, key=key) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    path = f"{REQUESTS}/{first.json()['data']['id']}/approve"
    approvals = [admin.post(path, {"version": 1}, key=key) for _ in range(2)]
    assert [answer.status_code for answer in approvals] == [200, 200]
    assert approvals[0].json() == approvals[1].json()


def test_one_open_request_for_each_role(stack: Stack) -> None:
    user = stack.user()
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(
            answer.status_code for answer in pool.map(lambda _: user.post(REQUESTS, APPLICATION), range(8))
        )
    assert statuses == [201] + [409] * 7
    assert code(user.post(REQUESTS, APPLICATION)) == (409, "request_open")
    assert ask(user, role="ADMIN", **dict.fromkeys(APPLICATION.keys() - {"role", "statement"}))["role"] == "ADMIN"
    assert code(user.post(REQUESTS, {"role": "MENTEE", "statement": "Again"})) == (409, "role_held")


def test_a_withdrawn_request_can_be_made_again(stack: Stack, admin: SignedIn) -> None:
    user, other = stack.user(), stack.user()
    request = ask(user)
    assert end(other, request, "withdraw").status_code == 404
    assert end(admin, request, "withdraw").status_code == 404
    withdrawn = end(user, request, "withdraw", reason="Next year")
    assert (withdrawn.status_code, withdrawn.json()["data"]["status"]) == (200, "WITHDRAWN")
    assert code(end(user, request, "withdraw")) == (409, "invalid_transition")
    assert code(end(admin, request, "approve")) == (409, "invalid_transition")
    assert ask(user)["id"] != request["id"]


def test_a_rejection_says_why(stack: Stack, admin: SignedIn) -> None:
    user = stack.user()
    request = ask(user)
    without = end(admin, request, "reject")
    assert (without.status_code, without.json()["errors"][0]["pointer"]) == (422, "#/reason")
    assert end(admin, request, "reject", reason="  ").status_code == 422
    assert end(admin, request, "reject", reason="The licence has expired").status_code == 200
    seen = user.get(REQUESTS).json()["data"][0]
    assert (seen["status"], seen["decisionReason"]) == ("REJECTED", "The licence has expired")
    assert user.get("/api/user").json()["data"]["roles"] == ["MENTEE"]


def test_nobody_decides_his_own(stack: Stack) -> None:
    admin = stack.user("ADMIN")
    request = ask(admin)
    for how in ("approve", "reject"):
        assert code(end(admin, request, how, reason="Me")) == (409, "own_request")
    assert admin.get("/api/user").json()["data"]["roles"] == ["ADMIN"]
    assert end(stack.user(), request, "approve").status_code == 403


def test_what_an_application_lacks_is_said(stack: Stack, admin: SignedIn) -> None:
    user = stack.user()
    for body, place in (
        ({**APPLICATION, "role": "OWNER"}, "#/role"),
        ({**APPLICATION, "statement": ""}, "#/statement"),
        ({**APPLICATION, "statement": "a\0b"}, "#/statement"),
        ({**APPLICATION, "statement": "x" * 4001}, "#/statement"),
        ({**APPLICATION, "specialties": ["x" * 51]}, "#/specialties/0"),
        ({"role": "COACH", "statement": "Me"}, "#"),
        ({**APPLICATION, "role": "ADMIN"}, "#"),
    ):
        answer = user.post(REQUESTS, body)
        assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, [place]), body
    request = ask(user)
    assert code(end(admin, {**request, "version": 7}, "approve")) == (409, "version_conflict")
    assert end(admin, request, "approve", reason="x" * 1001).status_code == 422
    assert end(admin, {"id": uuid4(), "version": 1}, "approve").status_code == 404


def test_admins_list_everyones_and_others_their_own(stack: Stack, admin: SignedIn) -> None:
    user, other = stack.user(), stack.user()
    mine, theirs = ask(user), ask(other)
    assert [each["id"] for each in user.get(REQUESTS).json()["data"]] == [mine["id"]]
    assert user.get(REQUESTS, params={"userId": other.user_id}).status_code == 404
    first = admin.get(REQUESTS, params={"status": "REQUESTED", "role": "COACH", "limit": 1}).json()
    second = admin.get(REQUESTS, params={"status": "REQUESTED", "limit": 1, "cursor": first["nextCursor"]}).json()
    assert [first["data"][0]["id"], second["data"][0]["id"]] == [theirs["id"], mine["id"]]
    assert admin.get(REQUESTS, params={"userId": user.user_id}).json()["data"][0]["id"] == mine["id"]
    assert admin.get(REQUESTS, params={"userId": user.user_id, "status": "APPROVED"}).json()["data"] == []
    assert admin.get(REQUESTS, params={"role": "OWNER"}).status_code == 422


def test_a_deleted_applicant_leaves_no_application(stack: Stack) -> None:
    user = stack.user()
    request = ask(user)
    headers = {"Authorization": "Bearer sk_test_local"}
    httpx.delete(f"{stack.info['simulators']['clerk']}/v1/users/{user.clerk_id}", headers=headers).raise_for_status()
    stack.drain()
    [row] = rows(stack, "select * from role_request where id = %s", request["id"])
    assert (row["status"], row["statement"], row["experience"], row["license_number"]) == ("WITHDRAWN", "", None, None)
    [last] = rows(stack, "select * from private.role_change where user_id = %s order by id desc limit 1", user.user_id)
    assert (last["before"], last["after"]) == ("{MENTEE}", "{}")


def test_the_database_too_wants_a_reason_for_a_rejection(stack: Stack, admin: SignedIn) -> None:
    asked = stack.user().post(REQUESTS, APPLICATION).json()["data"]
    with stack.database() as database:
        database.execute("select set_config('request.jwt.claims', %s, false)", [f'{{"sub": "{admin.clerk_id}"}}'])
        with pytest.raises(psycopg.DatabaseError, match="validation_failed"):
            database.execute("select decide_role_request(%s, 'REJECTED', ' ', 1)", [asked["id"]])
