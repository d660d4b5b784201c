"""Achievements over HTTP: earned, revoked and given back; definitions, and the rules that are none."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.integration.growth.test_goals import add, make
from tests.support.achievements import apply, define, event, grants, waiting_person
from tests.support.stack import SignedIn, Stack
from tests.support.story import at, book, complete_sessions, next_weekday, published_coach


def test_from_the_booking_to_the_achievement(stack: Stack) -> None:
    coach, mentee = published_coach(stack), stack.user()
    goal = make(coach, type="SESSIONS", source="AUTOMATIC", targetValue=1, milestones=[])
    assert book(mentee, coach, at(next_weekday(), "10:00")).status_code == 201
    complete_sessions(stack, coach)
    stack.drain()
    stack.drain()  # a goal that an event completed is an event itself

    def held(who: SignedIn) -> set[str]:
        return {each["code"] for each in who.get("/api/achievements?limit=100").json()["data"] if each["grants"]}

    assert held(mentee) == {"first_session"}
    assert "first_session_coached" in held(coach)
    manual = make(mentee, milestones=[])
    add(mentee, manual, 10)
    stack.drain()
    assert held(mentee) == {"first_session", "first_goal"}
    assert goal["status"] == "ACTIVE"
    mine = {each["code"]: each for each in mentee.get("/api/achievements?limit=100").json()["data"]}
    assert mine["ten_sessions"]["progress"] == {"period": "ALL", "value": 1, "target": 10, "percent": 10}
    assert mine["first_session"]["progress"]["percent"] == 100


def test_what_is_revoked_is_not_granted_again_but_by_hand(
    stack: Stack, admin: SignedIn, database: psycopg.Connection[DictRow]
) -> None:
    coach, mentee = waiting_person(stack, database)
    apply(database, [event({"coachId": coach, "menteeId": mentee})])
    listed = admin.get(f"/api/achievements?userId={mentee}&limit=100").json()["data"]
    [grant] = next(each["grants"] for each in listed if each["code"] == "first_session")
    assert admin.delete(f"/api/achievements/grants/{grant['id']}").status_code == 422
    path = f"/api/achievements/grants/{grant['id']}?reason=A%20test%20account"
    assert admin.delete(path).status_code == 204
    assert admin.delete(path).status_code == 404
    apply(database, [event({"coachId": coach, "menteeId": mentee})])
    database.execute("select private.grant_achievements(array[%s::uuid])", [mentee])
    assert {row[1] for row in grants(database, [mentee])} == set()
    body = {"userId": mentee, "code": "first_session", "reason": "It was none"}
    key = uuid4().hex
    first, again = (admin.post("/api/achievements/grants", body, key=key) for _ in range(2))
    assert (first.status_code, first.json()) == (201, again.json())
    refused = admin.post("/api/achievements/grants", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "already_granted")
    for wrong in ({"userId": str(uuid4())}, {"code": "no_such"}):
        assert admin.post("/api/achievements/grants", {**body, **wrong}).status_code == 404


@pytest.mark.parametrize(
    ("metric", "operator", "threshold", "streak"),
    [
        ("SESSIONS_AS_COACH", "AT_LEAST", 0, None),  # always
        ("SESSIONS_AS_COACH", "AT_LEAST", -1, None),
        ("SESSIONS_AS_COACH", "AT_MOST", 5, None),
        ("GOALS_COMPLETED", "EXACTLY", 1, None),
        ("GOALS_COMPLETED", "AT_LEAST", 1e30, None),  # never
        ("RATING_RECEIVED", "AT_LEAST", 5, None),
        ("RATING_RECEIVED", "AT_LEAST", 1, 3),
        ("RATING_RECEIVED", "AT_MOST", 5, 3),
        ("RATING_RECEIVED", "AT_LEAST", 6, 3),
        ("RATING_RECEIVED", "EXACTLY", 4.5, 3),
        ("RATING_RECEIVED", "AT_LEAST", 5, 1),
        ("RATING_RECEIVED", "AT_LEAST", 5, 10**6),
        ("HOURS_AS_COACH", "AT_LEAST", 5, 3),
        ("HOURS_AS_COACH", "AT_LEAST", 0.001, None),
    ],
)
def test_a_rule_that_never_or_always_holds_is_refused(  # noqa: PLR0917 - a table of cases
    admin: SignedIn, database: psycopg.Connection[DictRow], metric: str, operator: str, threshold: float, streak: Any
) -> None:
    answer = define(admin, f"x_{uuid4().hex}", metric, operator, threshold, "ALL_TIME", streak)
    assert answer.status_code == 422, answer.text
    assert all(error["pointer"].startswith("#/criteria") for error in answer.json()["errors"])
    if threshold != 0.001 and threshold < 1e9:
        with pytest.raises(psycopg.errors.CheckViolation):
            database.execute(
                """insert into achievement_definition
                     (code, title, description, type, metric, operator, threshold, streak)
                   values ('xx', 'x', 'x', 'LEARNING', %s, %s, %s, %s)""",
                [metric, operator, threshold, streak],
            )


def test_a_definition_is_made_changed_and_retired(stack: Stack, admin: SignedIn) -> None:
    code, mentee = f"x_{uuid4().hex}", stack.user()
    made = define(admin, code, "GOALS_COMPLETED", "AT_LEAST", 7, "YEAR", None).json()["data"]
    assert define(admin, code, "GOALS_COMPLETED", "AT_LEAST", 7, "YEAR", None).json()["code"] == "code_taken"
    path = f"/api/achievements/definitions/{made['id']}"
    changed = admin.patch(path, {"criteria": {**made["criteria"], "threshold": 1}, "version": 1}).json()["data"]
    assert (changed["criteria"]["threshold"], changed["version"]) == (1, 2)
    assert admin.patch(path, {"title": "Late", "version": 1}).json()["code"] == "version_conflict"
    add(mentee, make(mentee, milestones=[]), 10)
    stack.drain()
    fixed = admin.patch(path, {"criteria": made["criteria"], "version": 2})
    assert (fixed.status_code, fixed.json()["code"]) == (409, "definition_in_use")
    assert admin.patch(path, {"title": "Yearly", "version": 2}).status_code == 200
    assert mentee.get(path).json()["data"]["title"] == "Yearly"
    assert mentee.patch(path, {"title": "Mine", "version": 3}).status_code == 403
    assert admin.delete(path).status_code == 204
    assert mentee.get(path).status_code == admin.delete(path).status_code == 404
    mine = mentee.get("/api/achievements?limit=100").json()["data"]
    assert [each["title"] for each in mine if each["code"] == code] == ["Yearly"]
    page = mentee.get("/api/achievements/definitions?limit=2").json()
    rest = mentee.get(f"/api/achievements/definitions?limit=2&cursor={page['nextCursor']}").json()
    codes = [each["code"] for each in page["data"] + rest["data"]]
    assert codes == sorted(codes) and len(set(codes)) == 4  # noqa: PT018 - one page after the other
    assert mentee.get(f"/api/achievements?userId={admin.user_id}").status_code == 404
