"""A worker that is killed in the middle of a batch: nothing by halves, and everything once when it runs again."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import DictRow

from coachline.events import DomainEvent
from coachline.growth import achievements
from tests.integration.growth.test_goals import look, make
from tests.support.achievements import grants, told, waiting_person
from tests.support.mortal import Mortal, killed_in_mid_transaction
from tests.support.sessions import insert_session
from tests.support.stack import SignedIn, Stack, wait_until
from tests.support.story import published_coach

NOW = datetime(2026, 1, 20, tzinfo=UTC)
SEEDED = {"first_session", "ten_sessions", "ten_hours_learned", "busy_month"}  # others are made by other tests


def consume(stack: Stack, events: list[DomainEvent]) -> None:
    achievements.apply_events(Mortal(stack), events)


def backfill(stack: Stack, _events: list[DomainEvent]) -> None:
    achievements.backfill(Mortal(stack))


@pytest.mark.parametrize("work", [consume, backfill])
def test_a_worker_killed_in_mid_batch_leaves_nothing_by_halves(
    stack: Stack, database: psycopg.Connection[DictRow], work: Any
) -> None:
    people = [waiting_person(stack, database) for _ in range(3)]
    ids = sorted(person for pair in people for person in pair)
    events = [DomainEvent(str(uuid4()), "SessionCompleted", NOW, {"coachId": c, "menteeId": m}) for c, m in people]
    # Whoever grants to the last of them waits for the one who holds his account.
    killed_in_mid_transaction(stack, "user_account", ids[-1], work, events)
    for _ in range(2):
        work(stack, events)
    assert sorted(row[1] for row in grants(database, ids)) == ["first_session"] * 3 + ["first_session_coached"] * 3
    assert [told(database, mentee) for _, mentee in people] == [["first_session"]] * 3


def test_an_event_that_comes_again_counts_once_for_a_goal(stack: Stack, database: psycopg.Connection[DictRow]) -> None:
    mentee = stack.user()
    started = (datetime.now(UTC) - timedelta(days=10)).date().isoformat()
    goal = make(mentee, type="SESSIONS", source="AUTOMATIC", targetValue=5, milestones=[], startsOn=started)
    coach, _ = waiting_person(stack, database, mentee)
    event = DomainEvent(str(uuid4()), "SessionCompleted", NOW, {"coachId": coach, "menteeId": mentee.user_id})
    other = DomainEvent(str(uuid4()), "SessionCompleted", NOW, {"coachId": coach, "menteeId": mentee.user_id})
    for batch in ([event], [event], [other, event], [other]):
        consume(stack, batch)
    assert (look(mentee, goal)["value"], look(mentee, goal)["percent"]) == (1, 20)


def test_hours_add_up_however_they_come(stack: Stack, database: psycopg.Connection[DictRow]) -> None:
    """Twelve times fifty minutes are ten hours, counted at once, one by one, or the earlier ones later."""
    coach, mentee = published_coach(stack), stack.user()
    began = (datetime.now(UTC) - timedelta(days=10)).date().isoformat()
    fields = {"type": "HOURS", "source": "AUTOMATIC", "targetValue": 10, "milestones": [], "startsOn": began}
    goal, values = make(mentee, **fields), []
    for days in (5, 3, 4, 2, 7, 6):
        for hours in (0, 2):
            start = datetime.now(UTC) - timedelta(days=days, hours=hours)
            insert_session(database, coach.user_id, mentee.user_id, start, status="COMPLETED", minutes=50)
        consume(stack, [DomainEvent(str(uuid4()), "SessionCompleted", NOW, {"menteeId": mentee.user_id})])
        values.append(look(mentee, goal)["value"])
    assert values == [1.67, 3.33, 5, 6.67, 8.33, 10]
    assert look(mentee, goal)["status"] == make(mentee, **fields)["status"] == "COMPLETED"


def test_a_threshold_is_met_to_the_minute_and_in_each_month_anew(
    stack: Stack, database: psycopg.Connection[DictRow]
) -> None:
    coach, mentee = published_coach(stack).user_id, stack.user().user_id
    seen: list[list[tuple[str, str]]] = []
    for month, sessions in ((1, 4), (2, 4), (3, 2), (4, 1), (4, 1)):
        for number in range(sessions):
            start = datetime(2026, month, 1 + 4 * len(seen) + number, tzinfo=UTC)
            insert_session(database, coach, mentee, start, status="COMPLETED", minutes=50)
        consume(stack, [DomainEvent(str(uuid4()), "SessionCompleted", NOW, {"menteeId": mentee})])
        seen.append(sorted((code, period) for _, code, period, _ in grants(database, [mentee]) if code in SEEDED))
    new = [sorted(set(now) - set(before)) for before, now in pairwise([[], *seen])]
    assert new == [
        [("busy_month", "2026-01"), ("first_session", "ALL")],
        [("busy_month", "2026-02")],
        [("ten_sessions", "ALL")],
        [],
        [("ten_hours_learned", "ALL")],
    ]


def test_one_person_s_rows_keep_nobody_else_from_the_backfill(
    stack: Stack, database: psycopg.Connection[DictRow]
) -> None:
    people = [waiting_person(stack, database)[1] for _ in range(3)]
    broken = min(people)
    database.execute(
        f"""create function private.refuse_one() returns trigger language plpgsql as $$
            begin if new.user_id = '{broken}' then raise 'broken'; end if; return new; end $$;
            create trigger refuse_one before insert on achievement_grant
            for each row execute function private.refuse_one()"""
    )
    try:
        counted = achievements.backfill(Mortal(stack), batch=1000)
    finally:
        database.execute("drop function private.refuse_one cascade")
    assert (counted["failed"], counted["granted"] > 0) == (1, True)
    assert [told(database, each) for each in sorted(people)] == [[], ["first_session"], ["first_session"]]
    assert achievements.backfill(Mortal(stack))["failed"] == 0
    assert told(database, broken) == ["first_session"]


def test_nobody_is_granted_by_a_rule_that_is_changed_meanwhile(
    stack: Stack, database: psycopg.Connection[DictRow], admin: SignedIn
) -> None:
    """The change waits for who grants already, and finds the grant."""
    criteria = {"metric": "SESSIONS_AS_MENTEE", "operator": "AT_LEAST", "threshold": 1, "window": "ALL_TIME"}
    body = {"code": f"x_{uuid4().hex}", "title": "x", "description": "x", "type": "LEARNING", "criteria": criteria}
    made = admin.post("/api/achievements/definitions", body).json()["data"]
    coach, mentee = waiting_person(stack, database)
    with ThreadPoolExecutor(1) as pool, stack.database() as granting:
        granting.execute("begin")
        granting.execute("select private.grant_achievements(array[%s::uuid])", [coach])
        stricter = {"criteria": {**criteria, "threshold": 2}, "version": 1}
        asked = pool.submit(admin.patch, f"/api/achievements/definitions/{made['id']}", stricter)
        held_up = "select 1 from pg_stat_activity where %s = any(pg_blocking_pids(pid))"
        mine = [granting.info.backend_pid]
        wait_until(lambda: database.execute(held_up, mine).fetchone(), seconds=30, what="the change, held up")
        granting.execute("select private.grant_achievements(array[%s::uuid])", [mentee])
        granting.execute("commit")
    assert asked.result().json()["code"] == "definition_in_use"
    assert body["code"] in told(database, mentee)
    assert admin.delete(f"/api/achievements/definitions/{made['id']}").status_code == 204
