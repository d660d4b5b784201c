"""The three jobs, killed before and after every one of their steps and run again: one effect each."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from postgrest import SyncPostgrestClient

from coachline.database import Database, http_client
from coachline.scheduling import session_jobs
from tests.support.sessions import insert_session
from tests.support.stack import Stack
from tests.support.story import at, next_weekday, published_coach

HOUR = timedelta(hours=1)
SESSIONS, BATCH = 5, 2  # three batches
Job = Callable[..., dict[str, int]]


class Killed(BaseException):
    """As a killed process: nothing catches it."""


class Mortal(Database):
    """The service's database, whose caller dies before or after its n-th step."""

    def __init__(self, stack: Stack, step: int | None = None, *, after: bool = False) -> None:
        key = stack.info["secretKey"]
        url = f"{stack.info['supabaseUrl']}/rest/v1"
        client = SyncPostgrestClient(url, headers={"apikey": key}, http_client=http_client, retry_enabled=False)
        super().__init__(client)
        self._left, self._after = step, after

    def write(self, function: str, **arguments: Any) -> Any:
        if self._left is None:
            return super().write(function, **arguments)
        self._left -= 1
        if self._left < 0 and not self._after:
            raise Killed
        answer = super().write(function, **arguments)
        if self._left < 0:
            raise Killed
        return answer


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
