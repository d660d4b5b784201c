"""Bounded batches over meetings, each by itself: one that fails is logged and comes again in the next run."""

import time
from collections.abc import Callable, Iterable
from functools import partial

from coachline.database import Database
from coachline.events import PermanentFailure, RetryLater
from coachline.integrations.meeting_report import reconcile
from coachline.integrations.meeting_sync import sync
from coachline.integrations.zoom import Zoom
from coachline.logs import logger

BATCH = 50
LONGEST_SECONDS = 20  # for each half of the job


def sync_due(database: Database, zoom: Zoom) -> dict[str, int]:
    """Tell Zoom what nobody is telling it: counts `synced` and `sync_failed`."""
    ids = database.read("list_due_meetings", batch=BATCH)
    done, failed = _each(partial(sync, database, zoom, session_id, hurried=False) for session_id in ids)
    return {"synced": done, "sync_failed": failed}


def reconcile_ended(database: Database, zoom: Zoom) -> dict[str, int]:
    """Compare meetings that are over with Zoom's report: counts `reconciled` and `reconcile_failed`."""
    rows = database.read("list_unreconciled_meetings", batch=BATCH)
    done, failed = _each(partial(reconcile, database, zoom, row["session_id"], row["zoom_id"]) for row in rows)
    return {"reconciled": done, "reconcile_failed": failed}


def _each(calls: Iterable[Callable[[], None]]) -> tuple[int, int]:
    done, failed, until = 0, 0, time.monotonic() + LONGEST_SECONDS
    for call in calls:
        if time.monotonic() > until:
            break
        try:
            call()
            done += 1
        except (RetryLater, PermanentFailure) as error:
            logger.warning("meeting.not_done", reason=str(error))
            failed += 1
    return done, failed
