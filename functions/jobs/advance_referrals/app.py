"""EventBridge, every hour: rewards whose hold is over, and referrals that led to nothing."""

from datetime import datetime

from coachline.events import scheduled_job
from coachline.growth import referral_jobs
from coachline.service import as_service


def run(now: datetime) -> dict[str, int]:
    return referral_jobs.advance_referrals(as_service(), now)


lambda_handler = scheduled_job(run)
