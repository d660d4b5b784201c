"""A job's rows, batch by batch: each batch is a transaction, and the next starts after its last row."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from coachline.logs import logger


def in_batches(run: Callable[[str | None], Any], *, failed: str) -> dict[str, int]:
    """Call `run` from cursor to cursor until it is through: the sums of its counts, and `failed` rows.

    `run` takes the id after which to start and answers {counts, failures, next}. Each failure is logged as `failed`,
    with what it says; the next run of the job tries its row again.
    """
    counts: Counter[str] = Counter(failed=0)
    cursor: str | None = None
    while True:
        batch = run(cursor)
        counts.update(batch["counts"])
        for failure in batch["failures"]:
            counts["failed"] += 1
            logger.error(failed, **failure)
        cursor = batch["next"]
        if cursor is None:
            return dict(counts)
