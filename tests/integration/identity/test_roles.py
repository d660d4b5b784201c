"""GET PUT /api/user/role: only ADMINs change roles, and never into a corner."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.support.stack import SignedIn, Stack
from tests.support.story import at, book, next_weekday, published_coach


def change(admin: SignedIn, target: SignedIn, *roles: str, reason: str = "test") -> httpx.Response:
    version = admin.get("/api/user/role", params={"userId": target.user_id}).json()["data"]["version"]
    return admin.put(
        "/api/user/role", {"userId": target.user_id, "roles": list(roles), "reason": reason, "version": version}
    )


def test_an_admin_replaces_the_roles_of_another(stack: Stack) -> None:
    admin, user = stack.user("ADMIN"), stack.user()
    answer = change(admin, user, "COACH", "MENTEE")
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["roles"] == ["MENTEE", "COACH"]
    assert user.get("/api/user").json()["data"]["home"] == "/coach"


def test_nobody_else_changes_roles_his_own_included(stack: Stack) -> None:
    user = stack.user("COACH")
    answer = user.put("/api/user/role", {"userId": user.user_id, "roles": ["ADMIN"], "reason": "me", "version": 1})
    assert answer.status_code == 403
    assert user.get("/api/user/role").json()["data"]["roles"] == ["COACH"]


def test_a_strangers_roles_are_not_found(stack: Stack) -> None:
    answer = stack.user().get("/api/user/role", params={"userId": stack.user().user_id})
    assert answer.status_code == 404


def test_an_admin_keeps_his_own_admin_role(stack: Stack) -> None:
    admin, other = stack.user("ADMIN"), stack.user("ADMIN")
    assert other.get("/api/user").status_code == 200
    answer = change(admin, admin, "MENTEE")
    assert answer.status_code == 409
    assert answer.json()["code"] == "own_admin_role"


def test_two_admins_cannot_remove_each_other(stack: Stack) -> None:
    for _ in range(5):
        pair = [stack.user("ADMIN"), stack.user("ADMIN")]
        versions = [each.get("/api/user/role").json()["data"]["version"] for each in pair]

        def remove(index: int, pair: list[SignedIn] = pair, versions: list[int] = versions) -> int:
            other = 1 - index
            body = {"userId": pair[other].user_id, "roles": ["MENTEE"], "reason": "race", "version": versions[other]}
            return pair[index].put("/api/user/role", body).status_code

        with ThreadPoolExecutor(2) as pool:
            statuses = sorted(pool.map(remove, (0, 1)))
        assert statuses[0] == 200
        assert statuses[1] in {403, 409}


def test_a_coach_with_sessions_ahead_stays_a_coach_until_they_are_gone(stack: Stack) -> None:
    admin, coach, mentee = stack.user("ADMIN"), published_coach(stack), stack.user()
    booked = book(mentee, coach, at(next_weekday(), "10:00"))
    assert booked.status_code == 201, booked.text
    refused = change(admin, coach, "MENTEE")
    assert refused.status_code == 409
    assert refused.json()["code"] == "role_in_use"
    assert [each["sessionId"] for each in refused.json()["blockers"]] == [booked.json()["data"]["id"]]
    assert coach.post(f"/api/sessions/{booked.json()['data']['id']}/cancel", {}).status_code == 200
    assert change(admin, coach, "MENTEE").status_code == 200
