"""Every minute: fold the changes of figures into those by day."""

from datetime import datetime

from coachline.events import scheduled_job
from coachline.scheduling import roll_up
from coachline.service import as_service


def run(now: datetime) -> dict[str, int]:  # noqa: ARG001 - changes are folded whenever they were made
    return {"folded": roll_up.fold(as_service())}


lambda_handler = scheduled_job(run)
