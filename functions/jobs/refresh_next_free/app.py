"""Every minute: compute again the next free slots of the directory that no longer hold."""

from datetime import datetime

from coachline.events import scheduled_job
from coachline.scheduling import next_free
from coachline.service import as_service


def run(now: datetime) -> dict[str, int]:  # noqa: ARG001 - a slot is free or not at the moment of asking
    return {"refreshed": next_free.refresh(as_service())}


lambda_handler = scheduled_job(run)
