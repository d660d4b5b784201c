"""The figures on roles, exactly: a small history of 1995, when nothing else happened."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.support.sessions import insert_session
from tests.support.stack import SignedIn, Stack

START, END = datetime(1995, 3, 1, tzinfo=UTC), datetime(1995, 4, 1, tzinfo=UTC)
M, MC, MA = ["MENTEE"], ["MENTEE", "COACH"], ["MENTEE", "ADMIN"]
PEOPLE: dict[str, list[tuple[datetime, list[str]]]] = {
    "mia": [(datetime(1995, 1, 5, tzinfo=UTC), M)],
    "max": [(START, M), (END - timedelta(microseconds=1), [])],  # on the first instant, and until the last
    "casey": [(datetime(1995, 1, 6, tzinfo=UTC), M), (datetime(1995, 3, 10, 9, tzinfo=UTC), MC)],
    "cleo": [(datetime(1995, 2, 1, tzinfo=UTC), MC), (datetime(1995, 3, 10, 23, tzinfo=UTC), M)],
    "carl": [(datetime(1995, 3, 2, tzinfo=UTC), MC)],
    "ada": [(datetime(1995, 1, 1, tzinfo=UTC), MA)],
    "late": [(END, MC)],  # the end does not belong to it
}
REQUESTS = [  # role, made on, decided after so many seconds, how
    ("COACH", datetime(1995, 3, 3, tzinfo=UTC), 100, "APPROVED"),
    ("COACH", datetime(1995, 3, 4, tzinfo=UTC), 300, "REJECTED"),
    ("COACH", datetime(1995, 3, 5, tzinfo=UTC), 1000, "APPROVED"),
    ("COACH", datetime(1995, 2, 28, 23, 59, tzinfo=UTC), 400, "APPROVED"),  # made before it, decided in it
    ("COACH", END - timedelta(seconds=1), 50_000, "APPROVED"),  # made in it, decided after it
    ("COACH", datetime(1995, 3, 6, tzinfo=UTC), 7, "WITHDRAWN"),  # no decision
    ("COACH", datetime(1995, 3, 7, tzinfo=UTC), None, "REQUESTED"),
    ("ADMIN", datetime(1995, 3, 8, tzinfo=UTC), None, "REQUESTED"),
]


@pytest.fixture(scope="module")
def figures(stack: Stack) -> dict[str, Any]:
    admin = stack.user("ADMIN")
    with stack.database() as database, database.transaction():
        people = {name: _person(database, name, past) for name, past in PEOPLE.items()}
        for coach in ("casey", "cleo", "carl"):
            database.execute("insert into coach_profile (user_id) values (%s)", [people[coach]])
        for request in REQUESTS:
            _request(database, admin, *request)
        for coach, mentee, day, status in (
            ("casey", "mia", 12, "COMPLETED"),
            ("casey", "mia", 13, "COMPLETED"),
            ("cleo", "mia", 14, "COMPLETED"),  # a coach no more as it ends
            ("carl", "casey", 15, "NO_SHOW"),  # a coach on both sides
            ("carl", "mia", 16, "EXPIRED"),  # never was one
        ):
            insert_session(
                database, people[coach], people[mentee], datetime(1995, 3, day, 12, tzinfo=UTC), status=status
            )
        insert_session(database, people["casey"], people["mia"], END, status="COMPLETED")
    period = {"from": START.isoformat(), "to": END.isoformat()}
    answer = admin.get("/api/user/role/analytics", params=period)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["data"]
    return found


def test_users_are_counted_as_the_period_ends(figures: dict[str, Any]) -> None:
    assert {each["role"]: each["users"] for each in figures["usersByRole"]} == {"MENTEE": 5, "COACH": 2, "ADMIN": 1}
    assert {tuple(each["roles"]): each["users"] for each in figures["usersByCombination"]} == {
        ("MENTEE",): 2,
        ("MENTEE", "COACH"): 2,
        ("MENTEE", "ADMIN"): 1,
    }


def test_changes_are_counted_by_day_and_role(figures: dict[str, Any]) -> None:
    assert [(each["day"], each["role"], each["granted"], each["revoked"]) for each in figures["changes"]] == [
        ("1995-03-01", "MENTEE", 1, 0),
        ("1995-03-02", "MENTEE", 1, 0),
        ("1995-03-02", "COACH", 1, 0),
        ("1995-03-10", "COACH", 1, 1),
        ("1995-03-31", "MENTEE", 0, 1),
    ]


def test_requests_are_those_made_in_it_and_the_median_that_of_decisions_in_it(figures: dict[str, Any]) -> None:
    assert figures["requests"] == [
        {"role": "COACH", "requested": 6, "open": 1, "approved": 3, "rejected": 1, "withdrawn": 1},
        {"role": "ADMIN", "requested": 1, "open": 1, "approved": 0, "rejected": 0, "withdrawn": 0},
    ]
    assert figures["medianDecisionSeconds"] == 350  # of 100, 300, 400, 1000


def test_sessions_count_for_the_roles_that_their_people_have(figures: dict[str, Any]) -> None:
    by_role = {each.pop("role"): each for each in figures["sessions"]}
    three, two = {"amount": 45_000, "currency": "USD"}, {"amount": 30_000, "currency": "USD"}
    assert by_role == {
        "MENTEE": {"coached": 4, "booked": 4, "completed": 3, "revenue": [three]},
        "COACH": {"coached": 3, "booked": 1, "completed": 2, "revenue": [two]},
        "ADMIN": {"coached": 0, "booked": 0, "completed": 0, "revenue": []},
    }


def _person(database: psycopg.Connection[DictRow], name: str, past: list[tuple[datetime, list[str]]]) -> str:
    """Somebody with that history, whose roles are the last of it."""
    made = database.execute(
        "insert into user_account (clerk_id, email) values (%s, %s) returning id::text as id",
        [f"user_{name}_{uuid4().hex}", f"{name}.{uuid4().hex}@example.com"],
    ).fetchone()
    assert made is not None
    before: list[str] = []
    for instant, after in past:
        database.execute(
            """insert into private.role_change (user_id, before, after, occurred_at)
               values (%s, %s::role_name[], %s::role_name[], %s)""",
            [made["id"], before, after, instant],
        )
        before = after
    database.execute("insert into user_role (user_id, role) select %s, unnest(%s::role_name[])", [made["id"], before])
    user_id: str = made["id"]
    return user_id


def _request(database: psycopg.Connection[DictRow], admin: SignedIn, *request: Any) -> None:
    role, made, seconds, status = request
    decided = None if seconds is None else made + timedelta(seconds=seconds)
    user = database.execute(
        "insert into user_account (clerk_id) values (%s) returning id", [f"user_{uuid4().hex}"]
    ).fetchone()
    assert user is not None
    database.execute(
        """insert into role_request
             (user_id, role, status, statement, created_at, decided_at, decided_by, decision_reason)
           values (%s, %s, %s, 'Of 1995', %s, %s, %s, 'Because')""",
        [user["id"], role, status, made, decided, decided and admin.user_id],
    )
