"""What sessions, payments and time do to referrals. The database works it out from states (docs/adr/048)."""

from datetime import datetime

from coachline.batches import in_batches
from coachline.database import Database
from coachline.events import DomainEvent
from coachline.logs import logger

BATCH = 50


def settle(database: Database, event: DomainEvent) -> None:
    """Look at the referral of whoever booked the event's session, whatever happened to it."""
    session_id = event.payload.get("sessionId")
    if session_id is None:  # a dispute about something else
        return
    happened = database.write("settle_referral", session_id=session_id)["happened"]
    if happened:
        logger.info("referral.moved", session=session_id, happened=happened)


def advance_referrals(database: Database, now: datetime, *, batch: int = BATCH) -> dict[str, int]:
    """Reward those whose hold is over, and end those that led to nothing in time.

    `rewarded`, `expired`, what else a referral turned out to be, and `failed` rows, which the next run tries again.
    """
    return in_batches(
        lambda cursor: database.write("advance_referrals", now_at=now.isoformat(), batch=batch, after_id=cursor),
        failed="referral.job_failed",
    )
