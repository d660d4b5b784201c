"""The three jobs, killed before and after every one of their steps and run again: one effect each."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from coachline.scheduling import session_jobs
from tests.support.mortal import Killed, Mortal
from tests.support.sessions import insert_session
from tests.support.stack import Stack
from tests.support.story import at, next_weekday, published_coach

HOUR = timedelta(hours=1)
SESSIONS, BATCH = 5, 2  # three batches
Job = Callable[..., dict[str, int]]


@pytest.mark.parametrize(
    ("job", "status", "due", "week", "event"),
    [
        (session_jobs.expire_holds, "PENDING_PAYMENT", timedelta(), 30, "SessionExpired"),
        (session_jobs.advance_sessions, "SCHEDULED", 24 * HOUR, 31, "SessionCompleted"),
        (session_jobs.send_reminders, "SCHEDULED", -HOUR, 32, "SessionReminderDue"),
    ],
)
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
