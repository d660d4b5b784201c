"""What time does to goals: people are reminded, deadlines are missed. A batch is a transaction."""

from collections import Counter
from datetime import datetime

from coachline.database import Database
from coachline.logs import logger

BATCH = 100


def advance_goals(database: Database, now: datetime, *, batch: int = BATCH) -> dict[str, int]:
    """Emit each goal's reminders 7, 3 and 1 days ahead once, and mark those whose deadline is over.

    `reminded_7`, `reminded_3`, `reminded_1`, `overdue`, and `failed` rows, which the next run tries again.
    """
    counts: Counter[str] = Counter(failed=0)
    cursor: str | None = None
    while True:
        answer = database.write("advance_goals", now_at=now.isoformat(), batch=batch, after_id=cursor)
        counts.update(answer["counts"])
        for failure in answer["failures"]:
            counts["failed"] += 1
            logger.error("goal.job_failed", **failure)
        cursor = answer["next"]
        if cursor is None:
            return dict(counts)
