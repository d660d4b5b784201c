"""Folding the changes of figures into those by day, so that reading stays cheap (ADR 027)."""

from coachline.database import Database

_BATCH = 5000


def fold(database: Database) -> int:
    """Fold what there is, in batches that are transactions of their own: how many changes."""
    total = 0
    while folded := database.write("roll_up_metrics", batch_size=_BATCH)["folded"]:
        total += folded
        if folded < _BATCH:
            break
    return total
