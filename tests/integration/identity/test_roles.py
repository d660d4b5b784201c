"""GET PUT /api/user/role: only ADMINs change roles, and never into a corner."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from tests.support.sessions import insert_session
from tests.support.stack import SignedIn, Stack
from tests.support.story import at, book, next_weekday, published_coach


def change(admin: SignedIn, target: SignedIn, *roles: str, reason: str = "test", **more: Any) -> httpx.Response:
    version = admin.get("/api/user/role", params={"userId": target.user_id}).json()["data"]["version"]
    body = {"userId": target.user_id, "roles": list(roles), "reason": reason, "version": version, **more}
    return admin.put("/api/user/role", body)


@contextlib.contextmanager
def pretended(stack: Stack, session_id: str, status: str) -> Iterator[None]:
    """A session that is ahead has this status for a while, past the triggers."""

    def become(status: str) -> None:
        with stack.database() as database, database.transaction():
            database.execute("alter table session disable trigger user")
            database.execute("update session set status = %s::session_status where id = %s", [status, session_id])
            database.execute("alter table session enable trigger user")

    become(status)
    yield
    become("SCHEDULED")


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


def test_an_admin_takes_the_role_and_cancels_what_is_ahead_in_one_go(stack: Stack) -> None:
    admin, coach, mentee = stack.user("ADMIN"), published_coach(stack), stack.user()
    ids = [book(mentee, coach, at(next_weekday(), time)).json()["data"]["id"] for time in ("10:00", "14:00")]
    with pretended(stack, ids[0], "IN_PROGRESS"):
        held_back = change(admin, coach, "MENTEE", cancelSessions=True)
    assert (held_back.status_code, held_back.json()["code"]) == (409, "role_in_use")
    assert [each["sessionId"] for each in held_back.json()["blockers"]] == ids[:1]
    assert {coach.get(f"/api/sessions/{each}").json()["data"]["status"] for each in ids} == {"SCHEDULED"}

    taken = change(admin, coach, "MENTEE", reason="Licence withdrawn", cancelSessions=True)
    assert taken.status_code == 200, taken.text
    assert taken.json()["data"]["roles"] == ["MENTEE"]
    for each in ids:
        session = mentee.get(f"/api/sessions/{each}").json()["data"]
        told = session["status"], session["cancelledBy"], session["cancellationReason"], session["refund"]["percent"]
        assert told == ("CANCELLED", "ADMIN", "Licence withdrawn", 100)
        last = mentee.get(f"/api/sessions/{each}/history").json()["data"][-1]
        assert (last["toStatus"], last["actorId"]) == ("CANCELLED", admin.user_id)


def test_a_session_that_is_over_is_in_nobodys_way_and_is_not_cancelled(stack: Stack) -> None:
    admin, mentee = stack.user("ADMIN"), stack.user()
    for hours, cancelling in ((2, False), (4, True)):
        coach, start = published_coach(stack), datetime.now(UTC) - timedelta(hours=hours)
        with stack.database() as database:
            over = insert_session(database, coach.user_id, mentee.user_id, start)
        assert change(admin, coach, "MENTEE", cancelSessions=cancelling).status_code == 200
        assert mentee.get(f"/api/sessions/{over}").json()["data"]["status"] != "CANCELLED"


def test_a_change_is_of_the_version_that_was_read(stack: Stack) -> None:
    admin, user = stack.user("ADMIN"), stack.user()
    version = admin.get("/api/user/role", params={"userId": user.user_id}).json()["data"]["version"]
    body = {"userId": user.user_id, "reason": "test", "version": version}
    assert admin.put("/api/user/role", {**body, "roles": ["COACH"]}).status_code == 200
    stale = admin.put("/api/user/role", {**body, "roles": ["ADMIN"]})
    assert (stale.status_code, stale.json()["code"]) == (409, "version_conflict")
    assert user.get("/api/user/role").json()["data"]["roles"] == ["COACH"]


def test_sessions_stay_when_the_role_stays(stack: Stack) -> None:
    admin, coach, mentee = stack.user("ADMIN"), published_coach(stack), stack.user()
    booked = book(mentee, coach, at(next_weekday(), "10:00")).json()["data"]
    assert change(admin, coach, "MENTEE", "COACH", cancelSessions=True).status_code == 200
    assert mentee.get(f"/api/sessions/{booked['id']}").json()["data"]["status"] == "SCHEDULED"


def test_no_booking_slips_in_while_the_role_is_taken(stack: Stack) -> None:
    admin, coach, day = stack.user("ADMIN"), published_coach(stack), next_weekday()
    times = ("09:00", "10:30", None, "12:00", "13:30", "15:00")
    mentees = [stack.user() for _ in times]

    def attempt(mentee: SignedIn, time: str | None) -> int:
        if time is None:
            return change(admin, coach, "MENTEE", cancelSessions=True).status_code
        return book(mentee, coach, at(day, time)).status_code

    with ThreadPoolExecutor(len(times)) as pool:
        statuses = list(pool.map(attempt, mentees, times))
    assert statuses[times.index(None)] == 200
    assert set(statuses) <= {200, 201, 404}
    with stack.database() as database:
        ahead = database.execute(
            "select count(*) as n from session where coach_id = %s and status <> 'CANCELLED'", [coach.user_id]
        ).fetchone()
    assert ahead == {"n": 0}


def test_a_preview_says_what_would_become_of_each_and_changes_nothing(stack: Stack) -> None:
    admin, coach, mentee = stack.user("ADMIN"), published_coach(stack), stack.user(first_name="Mia", last_name="Park")
    booked = book(mentee, coach, at(next_weekday(), "10:00")).json()["data"]
    nobody = "00000000-0000-4000-8000-000000000000"
    body = {
        "userIds": [mentee.user_id, coach.user_id, admin.user_id, nobody],
        "add": ["MENTEE"],
        "remove": ["COACH", "ADMIN"],
    }
    answer = admin.post("/api/user/role/preview", body)
    assert answer.status_code == 200, answer.text
    same, blocked, own, unknown = answer.json()["data"]
    assert (same["before"], same["after"], same["userName"]) == (["MENTEE"], ["MENTEE"], "Mia Park")
    assert (same["problem"], same["gained"], same["lost"]) == (None, [], [])
    assert (blocked["before"], blocked["after"]) == (["COACH"], ["MENTEE"])
    assert "session:book" in blocked["gained"]
    assert "availability:manage" in blocked["lost"]
    assert blocked["problem"]["code"] == "role_in_use"
    assert [each["sessionId"] for each in blocked["problem"]["blockers"]] == [booked["id"]]
    assert own["problem"]["code"] == "own_admin_role"
    assert (unknown["problem"]["code"], unknown["version"], unknown["after"]) == ("not_found", None, [])
    assert admin.post("/api/user/role/preview", {**body, "cancelSessions": True}).json()["data"][1]["problem"] is None
    assert coach.get("/api/user/role").json()["data"]["roles"] == ["COACH"]

    sent = {"userId": coach.user_id, "roles": blocked["after"], "reason": "As previewed", "version": blocked["version"]}
    done = admin.put("/api/user/role", {**sent, "cancelSessions": True})
    assert done.status_code == 200, done.text
    assert done.json()["data"]["roles"] == blocked["after"]


def test_a_preview_that_contradicts_itself_is_refused(stack: Stack) -> None:
    admin = stack.user("ADMIN")
    one = admin.user_id
    for wrong in (
        {"userIds": [], "add": ["COACH"]},
        {"userIds": [one, one], "add": ["COACH"]},
        {"userIds": [one], "add": ["COACH"], "remove": ["COACH"]},
        {"userIds": [one]},
        {"userIds": [str(uuid4()) for _ in range(101)], "add": ["COACH"]},
        {"userIds": [one], "add": ["WIZARD"]},
    ):
        assert admin.post("/api/user/role/preview", wrong).status_code == 422, wrong
    assert stack.user().post("/api/user/role/preview", {"userIds": [one], "add": ["COACH"]}).status_code == 403
