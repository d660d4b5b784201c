"""A coach's next free slot: the first start of `open_slots`, looked for no further than it has to be."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from coachline import clock
from coachline.database import Database
from coachline.scheduling.diary import diary_of
from coachline.scheduling.precedence import winning_schedule
from coachline.scheduling.slots import open_slots

HORIZON = timedelta(days=60)
"""How far ahead a free slot is looked for; private.diary is asked for as much."""

_LOOK_AHEAD = (timedelta(0), timedelta(days=3), timedelta(days=14), HORIZON)
_RETRY = timedelta(hours=6)
_BATCH, _MOST_BATCHES = 100, 200


def first_slot(known: dict[str, Any], minutes: int, now: datetime) -> datetime | None:
    """The first start in the next 60 days at which a session of so many minutes can be booked, if there is one.

    `known` are the arguments of `open_slots` that `diary_of` makes. Looks at three days, then two weeks, then the rest.
    """
    for since, until in pairwise(_LOOK_AHEAD):
        if starts := open_slots(start=now + since, end=now + until, now=now, duration=minutes, **known):
            return starts[0]
    return None


def next_free(row: dict[str, Any], now: datetime) -> datetime | None:
    """Of a row with a `diary`: the first slot of the coach's default duration."""
    minutes = row.get("duration") or row["default_duration"]
    return first_slot(diary_of(row["diary"], minutes), minutes, now)


def refresh(database: Database) -> int:
    """Compute and keep the next free slots that no longer hold, in batches: how many. Killed anywhere, it goes on.

    The number of batches is limited: a slot whose notice begins at this very moment stays stale until the next run.
    """
    now, total = clock.now(), 0
    for _ in range(_MOST_BATCHES):
        rows = database.read("stale_next_free", batch_size=_BATCH)
        if rows:
            total += database.write("keep_next_free", computed=[_computed(row, now) for row in rows])["kept"]
        if len(rows) < _BATCH:
            break
    return total


def _computed(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    minutes = row["duration"]
    known = diary_of(row["diary"], minutes)
    start = first_slot(known, minutes, now)
    # A slot is the next one until its notice begins; a coach without one may have one when the horizon has moved on.
    holds_until = now + _RETRY
    if start and (schedule := winning_schedule(known["schedules"], start)):
        holds_until = start - timedelta(minutes=schedule.minimum_notice)
    return {
        "coach_id": row["coach_id"],
        "availability_version": row["diary"]["availability_version"],
        "changes": row["changes"],
        "next_free_at": start.isoformat() if start else None,
        "next_free_until": holds_until.isoformat(),
    }
