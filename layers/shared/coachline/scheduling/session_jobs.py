"""What time does to sessions: holds run out, sessions begin and end, people are reminded. A batch is a transaction."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from coachline.database import Database
from coachline.logs import logger

BATCH = 100


def expire_holds(database: Database, now: datetime, *, batch: int = BATCH) -> dict[str, int]:
    """Let go of the holds that ran out by `now`: `expired`."""
    return _in_batches(
        lambda cursor: database.write("expire_session_holds", now_at=now.isoformat(), batch=batch, after_id=cursor)
    )


def advance_sessions(database: Database, now: datetime, *, batch: int = BATCH) -> dict[str, int]:
    """Begin the sessions whose time has come and end those whose time, and half an hour, is over.

    `started`, `completed`, and `no_show` once attendance decides.
    """
    return _in_batches(
        lambda cursor: database.write("advance_sessions", now_at=now.isoformat(), batch=batch, after_id=cursor)
    )


def send_reminders(database: Database, now: datetime, *, batch: int = BATCH) -> dict[str, int]:
    """Emit `SessionReminderDue` once for each session and kind, and again once it was moved.

    `reminded_24h`, `reminded_1h`.
    """
    return _in_batches(
        lambda cursor: database.write("send_session_reminders", now_at=now.isoformat(), batch=batch, after_id=cursor)
    )


def _in_batches(run: Callable[[str | None], Any]) -> dict[str, int]:
    """Call `run` from cursor to cursor until it is through: the sums of its counts, and `failed` rows."""
    counts: Counter[str] = Counter(failed=0)
    cursor: str | None = None
    while True:
        batch = run(cursor)
        counts.update(batch["counts"])
        for failure in batch["failures"]:
            counts["failed"] += 1
            logger.error("session.job_failed", **failure)
        cursor = batch["next"]
        if cursor is None:
            return dict(counts)
