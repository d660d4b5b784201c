"""Goals over HTTP: set, brought on, completed, opened again, extended, shared; and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.sessions import insert_session
from tests.support.stack import SignedIn, Stack
from tests.support.story import GOAL, iso, published_coach

TODAY = datetime.now(UTC).date()
DAY = timedelta(days=1)


def make(who: SignedIn, **fields: Any) -> dict[str, Any]:
    answer = who.post("/api/goals", {**GOAL, **fields})
    assert answer.status_code == 201, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def add(who: SignedIn, goal: dict[str, Any], amount: float, **fields: Any) -> dict[str, Any]:
    answer = who.post(f"/api/goals/{goal['id']}/progress", {"amount": amount, **fields})
    assert answer.status_code == 201, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def look(who: SignedIn, goal: dict[str, Any]) -> dict[str, Any]:
    answer = who.get(f"/api/goals/{goal['id']}")
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def kinds(goal: dict[str, Any]) -> list[str]:
    return [event["kind"] for event in reversed(goal["history"])]


def told(stack: Stack, goal: dict[str, Any]) -> list[str]:
    with stack.database() as database:
        rows = database.execute(
            "select type from private.outbox_event where payload ->> 'goalId' = %s order by sequence", [goal["id"]]
        ).fetchall()
    return [row["type"] for row in rows]


def faults(answer: Any) -> set[str]:
    assert answer.status_code == 422, answer.text
    return {error.get("pointer") or error["parameter"] for error in answer.json()["errors"]}


@pytest.fixture(scope="module")
def mentee(stack: Stack) -> SignedIn:
    return stack.user()


def test_a_goal_is_brought_on_completed_and_opened_again(stack: Stack, mentee: SignedIn) -> None:
    goal = make(mentee)
    assert (goal["value"], goal["percent"], goal["status"], goal["unit"]) == (0, 0, "ACTIVE", "listings")
    assert add(mentee, goal, 4.5)["percent"] == 45
    assert add(mentee, goal, 4)["value"] == 8.5
    assert [each["reachedAt"] is not None for each in look(mentee, goal)["milestones"]] == [True, True]
    done = add(mentee, goal, 1.5)
    assert (done["status"], done["percent"]) == ("COMPLETED", 100)
    completed_at = look(mentee, goal)["completedAt"]
    assert add(mentee, goal, 3)["status"] == "COMPLETED"
    assert look(mentee, goal)["completedAt"] == completed_at
    assert add(mentee, goal, -9, note="Counted twice")["status"] == "ACTIVE"
    assert look(mentee, goal)["completedAt"] is None
    assert add(mentee, goal, 6)["status"] == "COMPLETED"
    seen = look(mentee, goal)
    assert kinds(seen) == ["CREATED", "MILESTONE", "MILESTONE", "COMPLETED", "REOPENED", "COMPLETED"]
    assert seen["version"] == 1  # entries are nobody's edit
    assert told(stack, goal) == [*["GoalMilestoneReached"] * 2, "GoalCompleted", "GoalReopened", "GoalCompleted"]
    entries = mentee.get(f"/api/goals/{goal['id']}/progress?limit=4").json()
    rest = mentee.get(f"/api/goals/{goal['id']}/progress?cursor={entries['nextCursor']}").json()
    assert [each["amount"] for each in entries["data"] + rest["data"]] == [6, -9, 3, 1.5, 4, 4.5]


def test_lower_is_better_where_the_goal_says_so(mentee: SignedIn) -> None:
    fields = {"type": "CUSTOM", "unit": "days on market", "direction": "DOWN", "counting": "LATEST"}
    goal = make(mentee, **fields, startValue=60, targetValue=30, milestones=[45])
    assert add(mentee, goal, 50)["percent"] == 33
    assert add(mentee, goal, 30)["status"] == "COMPLETED"
    earlier = iso(datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0))
    assert add(mentee, goal, 55, occurredAt=earlier)["value"] == 30  # dated before, so not the latest
    assert add(mentee, goal, 31)["status"] == "ACTIVE"


def test_a_target_that_is_changed_completes_or_opens_again(mentee: SignedIn) -> None:
    goal = make(mentee, milestones=[])
    add(mentee, goal, 6)
    url = f"/api/goals/{goal['id']}"
    done = mentee.patch(url, {"targetValue": 6, "version": 1}).json()["data"]
    assert (done["status"], done["version"]) == ("COMPLETED", 2)
    stale = mentee.patch(url, {"targetValue": 7, "version": 1})
    assert (stale.status_code, stale.json()["code"]) == (409, "version_conflict")
    assert mentee.patch(url, {"targetValue": 7, "version": 2}).json()["data"]["status"] == "ACTIVE"
    assert faults(mentee.patch(url, {"targetValue": 0, "version": 3})) == {"#/targetValue"}
    assert faults(mentee.patch(url, {"title": None, "version": 3})) == {"#/title"}
    assert faults(mentee.patch(url, {"milestones": [7], "version": 3})) == {"#/milestones"}
    assert faults(mentee.patch(url, {"deadline": goal["startsOn"], "version": 3})) == {"#/deadline"}
    assert mentee.delete(url).status_code == 204
    assert mentee.get(url).status_code == mentee.delete(url).status_code == 404


def test_an_extension_is_in_the_history_with_its_reason(mentee: SignedIn) -> None:
    goal = make(mentee)
    later = (TODAY + 200 * DAY).isoformat()
    patch = {"deadline": later, "reason": "The spring market began late", "version": 1}
    seen = mentee.patch(f"/api/goals/{goal['id']}", patch).json()["data"]
    assert (seen["deadline"], kinds(seen)) == (later, ["CREATED", "EXTENDED"])
    assert seen["history"][0]["details"] == {"from": goal["deadline"], "to": later, "reason": patch["reason"]}


def test_a_repeated_key_sets_one_goal_and_one_entry(mentee: SignedIn) -> None:
    key = uuid4().hex
    first, again = (mentee.post("/api/goals", GOAL, key=key).json()["data"] for _ in range(2))
    assert first == again
    path = f"/api/goals/{first['id']}/progress"
    one, two = (mentee.post(path, {"amount": 2}, key=key).json()["data"] for _ in range(2))
    assert one == two
    assert look(mentee, first)["value"] == 2


@settings(max_examples=12, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counting=st.sampled_from(["TOTAL", "LATEST"]),
    entries=st.lists(st.tuples(st.integers(-300, 700), st.integers(0, 5)), min_size=1, max_size=6),
)
def test_a_goal_is_what_its_entries_say_in_whatever_order_they_come(
    mentee: SignedIn, counting: str, entries: list[tuple[int, int]]
) -> None:
    goal = make(mentee, counting=counting, startsOn=(TODAY - 9 * DAY).isoformat(), milestones=[5])
    value, best, changes, latest = 0.0, 0.0, 0, -1
    for cents, days in entries:  # days after the goal's second
        amount, was = cents / 100, value
        add(mentee, goal, amount, occurredAt=f"{TODAY - (8 - days) * DAY}T12:00:00Z")
        if counting == "TOTAL":
            value = round(value + amount, 2)
        elif days >= latest:
            value, latest = amount, days
        best = max(best, value)
        changes += (was >= 10) != (value >= 10)
    seen = look(mentee, goal)
    assert (seen["value"], seen["status"]) == (value, "COMPLETED" if value >= 10 else "ACTIVE")
    assert (seen["milestones"][0]["reachedAt"] is not None) == (best >= 5)
    assert len(seen["history"]) == 1 + changes + (best >= 5)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"targetValue": 0, "milestones": []}, {"#/targetValue"}),
        ({"targetValue": -5, "milestones": []}, {"#/targetValue"}),
        ({"targetValue": 5, "startValue": 5, "milestones": []}, {"#/targetValue"}),
        ({"direction": "DOWN", "startValue": 5, "targetValue": -1, "milestones": [0]}, {"#/targetValue"}),
        ({"direction": "DOWN", "milestones": []}, {"#/targetValue"}),
        ({"targetValue": 1e13}, {"#/targetValue"}),
        ({"targetValue": 10**400}, {"#/targetValue"}),
        ({"targetValue": "10"}, {"#/targetValue"}),
        ({"targetValue": True}, {"#/targetValue"}),
        ({"targetValue": 10.005}, {"#/targetValue"}),
        ({"milestones": [10]}, {"#/milestones"}),
        ({"milestones": [5, 5]}, {"#/milestones"}),
        ({"milestones": list(range(1, 12))}, {"#/milestones"}),
        ({"deadline": (TODAY - DAY).isoformat(), "startsOn": (TODAY - 2 * DAY).isoformat()}, {"#/deadline"}),
        ({"deadline": TODAY.isoformat(), "startsOn": (TODAY + DAY).isoformat()}, {"#/deadline"}),
        ({"deadline": (TODAY + 4000 * DAY).isoformat()}, {"#/deadline"}),
        ({"deadline": "9999-12-31"}, {"#/deadline"}),
        ({"deadline": "2027-02-30"}, {"#/deadline"}),
        ({"deadline": 1803892530}, {"#/deadline"}),
        ({"startsOn": (TODAY - 400 * DAY).isoformat()}, {"#/startsOn"}),
        ({"title": "a\0b"}, {"#/title"}),
        ({"title": " "}, {"#/title"}),
        ({"timezone": "Mars/Base"}, {"#/timezone"}),
        ({"source": "AUTOMATIC"}, {"#/source"}),
        ({"source": "AUTOMATIC", "type": "HOURS", "counting": "LATEST"}, {"#/source"}),
        ({"type": "CUSTOM"}, {"#"}),
        ({"type": "REVENUE", "unit": "beads"}, {"#"}),
        ({"type": "SALES", "unit": "hours"}, {"#"}),
        ({"status": "COMPLETED"}, {"#/status"}),
    ],
)
def test_what_is_no_goal_is_refused(mentee: SignedIn, fields: dict[str, Any], where: set[str]) -> None:
    assert faults(mentee.post("/api/goals", {**GOAL, **fields})) == where


def test_an_entry_lies_within_the_period_so_far(frozen: Stack, mentee: SignedIn) -> None:
    now = datetime(2027, 3, 10, 12, tzinfo=UTC)
    frozen.clock(iso(now))
    zone = "America/New_York"
    goal = make(mentee, startsOn="2027-03-01", deadline="2027-03-14", timezone=zone)
    path = f"/api/goals/{goal['id']}/progress"
    first = datetime(2027, 3, 1, 5, tzinfo=UTC)
    for dated in (first - timedelta(microseconds=1), now + timedelta(seconds=1)):
        assert faults(mentee.post(path, {"amount": 1, "occurredAt": iso(dated)})) == {"#/occurredAt"}
    add(mentee, goal, 1, occurredAt=iso(first))
    # New York's clocks went forward on the 14th: the day ends at 04:00 UTC and not at 05:00.
    frozen.clock("2027-03-20T00:00:00Z")
    assert goal["dueAt"] == "2027-03-15T04:00:00Z"
    assert faults(mentee.post(path, {"amount": 1, "occurredAt": "2027-03-15T04:00:00Z"})) == {"#/occurredAt"}
    assert look(mentee, goal)["status"] == "OVERDUE"
    late = add(mentee, goal, 9, occurredAt="2027-03-15T03:59:59.999999Z")
    assert late["status"] == "COMPLETED"  # done in time, said late
    for amount in (1e13, "1", None, 0.001):
        assert faults(mentee.post(path, {"amount": amount})) == {"#/amount"}
    assert faults(mentee.post(path, {"amount": 1, "note": "\0"})) == {"#/note"}


def test_a_value_stays_within_what_can_be_shown(mentee: SignedIn) -> None:
    goal = make(mentee)
    with_room = [mentee.post(f"/api/goals/{goal['id']}/progress", {"amount": 1e12}).status_code for _ in range(3)]
    assert with_room == [201] * 3
    assert look(mentee, goal)["value"] == 3e12
    assert look(mentee, goal)["percent"] == 100


def test_sessions_and_reviews_count_by_themselves_once(stack: Stack) -> None:
    coach, other = published_coach(stack), stack.user()
    now = datetime.now(UTC)
    with stack.database() as database:
        for days in (1, 2, 40):
            insert_session(database, coach.user_id, other.user_id, now - days * DAY, status="COMPLETED", minutes=50)
    starts = (TODAY - 10 * DAY).isoformat()
    fields = {"source": "AUTOMATIC", "startsOn": starts, "milestones": []}
    hours = make(coach, type="HOURS", targetValue=2, **fields)
    assert (hours["value"], hours["percent"]) == (1.67, 83)
    assert make(other, type="SESSIONS", targetValue=2, **fields)["status"] == "COMPLETED"
    refused = coach.post(f"/api/goals/{hours['id']}/progress", {"amount": 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "goal_is_automatic")


def test_a_shared_goal_is_seen_by_those_who_coach_its_owner(stack: Stack) -> None:
    mentee, coach, rival, admin = stack.user(), published_coach(stack), published_coach(stack), stack.user("ADMIN")
    shared, private = make(mentee, shared=True), make(mentee)
    listed = f"/api/goals?userId={mentee.user_id}"
    assert coach.get(listed).status_code == coach.get(f"/api/goals/{shared['id']}").status_code == 404
    with stack.database() as database:
        insert_session(database, coach.user_id, mentee.user_id, datetime.now(UTC) + DAY)
        insert_session(database, rival.user_id, mentee.user_id, datetime.now(UTC) + 2 * DAY, status="CANCELLED")
    assert [each["id"] for each in coach.get(listed).json()["data"]] == [shared["id"]]
    assert coach.get(f"/api/goals/{shared['id']}/progress").status_code == 200
    for path in (f"/api/goals/{private['id']}", f"/api/goals/{private['id']}/progress"):
        assert coach.get(path).status_code == 404
    assert coach.patch(f"/api/goals/{shared['id']}", {"title": "Mine", "version": 1}).status_code == 404
    assert coach.post(f"/api/goals/{shared['id']}/progress", {"amount": 1}).status_code == 404
    assert rival.get(listed).status_code == rival.get(f"/api/goals/{shared['id']}").status_code == 404
    assert len(admin.get(listed).json()["data"]) == 2
    mine = mentee.get("/api/goals?status=ACTIVE&limit=1").json()
    rest = mentee.get(f"/api/goals?limit=1&cursor={mine['nextCursor']}").json()
    assert {each["data"][0]["id"] for each in (mine, rest)} == {shared["id"], private["id"]}
