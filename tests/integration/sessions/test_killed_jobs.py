"""The three jobs, killed before, after and within their steps and run again: one effect each."""

from collections.abc import Callable
from datetime import datetime, timedelta

import psycopg
import pytest
from psycopg.rows import DictRow

from coachline.scheduling import session_jobs
from tests.support.mortal import Killed, Mortal, killed_in_mid_transaction
from tests.support.sessions import insert_session
from tests.support.stack import Stack
from tests.support.story import at, next_weekday, published_coach

HOUR = timedelta(hours=1)
SESSIONS, BATCH = 5, 2  # three batches
Job = Callable[..., dict[str, int]]
JOBS = [
    (session_jobs.expire_holds, "PENDING_PAYMENT", timedelta(), 30, "SessionExpired"),
    (session_jobs.advance_sessions, "SCHEDULED", 24 * HOUR, 31, "SessionCompleted"),
    (session_jobs.send_reminders, "SCHEDULED", -HOUR, 32, "SessionReminderDue"),
]


@pytest.mark.parametrize(("job", "status", "due", "week", "event"), JOBS)
@pytest.mark.parametrize("after", [False, True], ids=["before a step", "after a step"])
def test_a_job_killed_anywhere_and_run_again_does_everything_once(  # noqa: PLR0917 - a table of cases
    stack: Stack, job: Job, status: str, due: timedelta, week: int, event: str, after: bool
) -> None:
    coach, mentee = published_coach(stack), stack.user()
    start = at(next_weekday(weeks=week + 5 * after), "06:00", "UTC")
    now: datetime = start + due
    with stack.database() as database:
        ids = [
            insert_session(database, coach.user_id, mentee.user_id, start + 2 * n * HOUR, status=status, hold=now)
            for n in range(SESSIONS)
        ]
        killed = 0
        for step in range(4):
            try:
                job(Mortal(stack, step, after=after), now, batch=BATCH)
            except Killed:
                killed += 1
        assert killed > 0
        assert job(Mortal(stack), now, batch=BATCH)["failed"] == 0
        assert job(Mortal(stack), now, batch=BATCH) == {"failed": 0}
        assert_once(database, ids, event)


@pytest.mark.parametrize(("job", "status", "due", "week", "event"), JOBS)
def test_a_worker_killed_in_mid_transaction_leaves_nothing_by_halves(  # noqa: PLR0917 - a table of cases
    stack: Stack, job: Job, status: str, due: timedelta, week: int, event: str
) -> None:
    coach, mentee = published_coach(stack), stack.user()
    start = at(next_weekday(weeks=week + 10), "06:00", "UTC")
    now = start + due
    with stack.database() as database:
        ids = sorted(
            insert_session(database, coach.user_id, mentee.user_id, start + 2 * n * HOUR, status=status, hold=now)
            for n in range(SESSIONS)
        )
        # Two of the batch are done when the job comes to the third, which somebody holds.
        killed_in_mid_transaction(stack, "session", ids[2], run_by_itself, job, now)
        assert job(Mortal(stack), now)["failed"] == 0
        assert job(Mortal(stack), now) == {"failed": 0}
        assert_once(database, ids, event)


def run_by_itself(stack: Stack, job: Job, now: datetime) -> None:
    job(Mortal(stack), now)


def assert_once(database: psycopg.Connection[DictRow], ids: list[str], event: str) -> None:
    told = database.execute(
        """select payload ->> 'sessionId' as id from private.outbox_event
           where type = %s and payload ->> 'sessionId' = any(%s)""",
        [event, ids],
    ).fetchall()
    assert sorted(row["id"] for row in told) == sorted(ids)
    moved = database.execute(
        "select session_id from session_transition where session_id::text = any(%s)", [ids]
    ).fetchall()
    assert len(moved) == (0 if event == "SessionReminderDue" else SESSIONS)
