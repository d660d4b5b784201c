"""Every day: grant what somebody has earned and no event has granted."""

from datetime import datetime

from coachline.events import scheduled_job
from coachline.growth import achievements
from coachline.service import as_service


def run(_now: datetime) -> dict[str, int]:
    return achievements.backfill(as_service())


lambda_handler = scheduled_job(run)
