"""Every day after midnight (UTC): yesterday's recurring revenue, the last week's revenue, cards about to expire."""

from datetime import datetime, timedelta

from coachline.events import scheduled_job
from coachline.service import as_service

DAYS = 7  # in which what happened may be told late


def run(now: datetime) -> dict[str, int]:
    database = as_service()
    yesterday = (now - timedelta(days=1)).date()
    week = {"from_day": (yesterday - timedelta(days=DAYS - 1)).isoformat(), "to_day": yesterday.isoformat()}
    taken = database.write("take_subscription_snapshot", day=yesterday.isoformat())
    revenue = database.write("take_revenue_snapshot", **week)
    noticed = database.write("notice_expiring_cards", now_at=now.isoformat())
    return {"rows": taken["rows"], "revenueRows": revenue["rows"], "cards": noticed["given"]}


lambda_handler = scheduled_job(run)
