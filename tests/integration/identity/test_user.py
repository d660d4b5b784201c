"""GET PATCH /api/user, and how a user comes to exist."""

import httpx
import jwt

from tests.support.stack import SignedIn, Stack, wait_until


def test_a_new_user_is_an_active_mentee_with_his_permissions(stack: Stack) -> None:
    user = stack.user(first_name="Jordan", last_name="Rivera")
    me = user.get("/api/user").json()["data"]
    assert me["roles"] == ["MENTEE"]
    assert me["status"] == "ACTIVE"
    assert (me["firstName"], me["lastName"], me["home"]) == ("Jordan", "Rivera", "/mentee")
    assert "session:book" in me["permissions"]
    assert "role:manage" not in me["permissions"]
    assert me["id"] == user.user_id


def test_home_follows_the_highest_role(stack: Stack) -> None:
    assert stack.user("COACH", "MENTEE").get("/api/user").json()["data"]["home"] == "/coach"
    assert stack.user("COACH", "ADMIN").get("/api/user").json()["data"]["home"] == "/admin"


def test_a_patch_changes_what_it_names_and_a_stale_one_is_refused(stack: Stack) -> None:
    user = stack.user()
    version = user.get("/api/user").json()["data"]["version"]
    changed = user.patch("/api/user", {"timezone": "Asia/Kathmandu", "version": version})
    assert changed.status_code == 200
    assert changed.json()["data"]["timezone"] == "Asia/Kathmandu"
    assert changed.json()["data"]["firstName"] == "Test"
    stale = user.patch("/api/user", {"timezone": "UTC", "version": version})
    assert stale.status_code == 409
    assert stale.json()["code"] == "version_conflict"
    missing = user.patch("/api/user", {"timezone": "UTC"})
    assert missing.status_code == 422
    assert missing.json()["errors"][0]["pointer"] == "#/version"


def test_every_fault_of_a_patch_is_listed_at_once(stack: Stack) -> None:
    answer = stack.user().patch(
        "/api/user", {"timezone": "../../etc/passwd", "locale": "not a locale", "email": "x@example.com", "version": 1}
    )
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert {error["pointer"] for error in answer.json()["errors"]} == {"#/timezone", "#/locale", "#/email"}


def test_the_first_request_makes_the_user_when_clerks_webhook_is_late(stack: Stack) -> None:
    known = stack.user()
    claims = jwt.decode(known.token, options={"verify_signature": False})
    sim = httpx.Client(base_url=stack.info["simulators"]["clerk"], headers={"Authorization": "Bearer sk_test_local"})
    sim.post("/_control", json={"faults": [{"on": "webhook", "kind": "drop", "times": 5}]}).raise_for_status()
    try:
        made = sim.post(
            "/v1/users", json={"email_address": ["late@example.com"], "first_name": "Late"}
        ).raise_for_status()
        session = sim.post("/v1/sessions", json={"user_id": made.json()["id"]}).raise_for_status().json()
        token = sim.post(f"/v1/sessions/{session['id']}/tokens").raise_for_status().json()["jwt"]
        user = SignedIn("", made.json()["id"], token, stack.client(token))
        answers = [user.get("/api/user") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json()["data"]["id"] == answers[1].json()["data"]["id"]
    finally:
        sim.post("/_control", json={"faults": []}).raise_for_status()
    assert claims["role"] == "authenticated"


def test_deleting_a_user_at_clerk_forgets_him(stack: Stack) -> None:
    user, admin = stack.user(first_name="Gone"), stack.user("ADMIN")

    def listed() -> bool:
        # Others may be newer than this one, whose clock is ahead: everybody is looked through.
        pages = [admin.get("/api/admin/users", params={"limit": 100}).json()]
        while cursor := pages[-1]["nextCursor"]:
            pages.append(admin.get("/api/admin/users", params={"limit": 100, "cursor": cursor}).json())
        return user.user_id in {each["id"] for page in pages for each in page["data"]}

    assert listed()
    sim = httpx.Client(base_url=stack.info["simulators"]["clerk"], headers={"Authorization": "Bearer sk_test_local"})
    sim.delete(f"/v1/users/{user.clerk_id}").raise_for_status()
    stack.drain()
    with stack.database() as database:

        def row() -> dict[str, object] | None:
            return database.execute("select * from user_account where id = %s", [user.user_id]).fetchone()

        gone = wait_until(lambda: (found := row()) and found["deleted_at"] and found, what="the tombstone")
        assert (gone["first_name"], gone["email"], gone["status"]) == (None, None, "INACTIVE")
        assert database.execute("select role from user_role where user_id = %s", [user.user_id]).fetchall() == []
    refused = user.get("/api/user")
    assert refused.status_code == 403
    assert refused.json()["code"] == "user_deleted"
    assert not listed()
    assert admin.get(f"/api/admin/users/{user.user_id}").status_code == 404
