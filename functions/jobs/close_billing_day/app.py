"""Every day after midnight (UTC): yesterday's recurring revenue, and cards that are about to expire."""

from datetime import datetime, timedelta

from coachline.events import scheduled_job
from coachline.service import as_service


def run(now: datetime) -> dict[str, int]:
    database = as_service()
    yesterday = (now - timedelta(days=1)).date()
    taken = database.write("take_subscription_snapshot", day=yesterday.isoformat())
    noticed = database.write("notice_expiring_cards", now_at=now.isoformat())
    return {"rows": taken["rows"], "cards": noticed["given"]}


lambda_handler = scheduled_job(run)
