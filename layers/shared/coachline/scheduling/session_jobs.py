"""What time does to sessions: holds run out, sessions begin and end, people are reminded. A batch is a transaction."""

from datetime import datetime

from coachline.batches import in_batches
from coachline.database import Database

BATCH = 100
_FAILED = "session.job_failed"


def expire_holds(database: Database, now: datetime, *, batch: int = BATCH) -> dict[str, int]:
    """Let go of the holds that ran out by `now`: `expired`."""
    return in_batches(
        lambda cursor: database.write("expire_session_holds", now_at=now.isoformat(), batch=batch, after_id=cursor),
        failed=_FAILED,
    )


def advance_sessions(database: Database, now: datetime, *, batch: int = BATCH) -> dict[str, int]:
    """Begin the sessions whose time has come and end those whose time, and half an hour, is over.

    `started`, `completed`, and `no_show` once attendance decides.
    """
    return in_batches(
        lambda cursor: database.write("advance_sessions", now_at=now.isoformat(), batch=batch, after_id=cursor),
        failed=_FAILED,
    )


def send_reminders(database: Database, now: datetime, *, batch: int = BATCH) -> dict[str, int]:
    """Emit `SessionReminderDue` once for each session and kind, and again once it was moved.

    `reminded_24h`, `reminded_1h`.
    """
    return in_batches(
        lambda cursor: database.write("send_session_reminders", now_at=now.isoformat(), batch=batch, after_id=cursor),
        failed=_FAILED,
    )
