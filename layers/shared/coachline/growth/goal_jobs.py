"""What time does to goals: people are reminded, deadlines are missed. A batch is a transaction."""

from datetime import datetime

from coachline.batches import in_batches
from coachline.database import Database

BATCH = 100


def advance_goals(database: Database, now: datetime, *, batch: int = BATCH) -> dict[str, int]:
    """Emit each goal's reminders 7, 3 and 1 days ahead once, and mark those whose deadline is over.

    `reminded_7`, `reminded_3`, `reminded_1`, `overdue`, and `failed` rows, which the next run tries again.
    """
    return in_batches(
        lambda cursor: database.write("advance_goals", now_at=now.isoformat(), batch=batch, after_id=cursor),
        failed="goal.job_failed",
    )
