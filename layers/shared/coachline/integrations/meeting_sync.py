"""A session's meeting at Zoom, made to agree with the session: made once, changed to the latest state, deleted once."""

from collections.abc import Mapping
from typing import Any

from coachline.database import Database
from coachline.events import PermanentFailure, RetryLater
from coachline.integrations.zoom import NO_SUCH_HOST, Zoom
from coachline.logs import logger
from coachline.providers import Missing, Overloaded, Refused, Unauthorized

MOST_STEPS = 20
UNAUTHORIZED_SECONDS = 300


def sync(database: Database, zoom: Zoom, session_id: str, *, hurried: bool) -> None:
    """Do what is to be done for one session, until nothing is; leaves it to whoever is at it already.

    The database says what, one step at a time, and leases it (claim_meeting). A failure is recorded there and raised:
    RetryLater for the queue, PermanentFailure when Zoom refuses. A limit of the day is recorded alone: the job that
    looks for due meetings comes back to it. `hurried` is a queue's: it has waited after a failure by itself.
    """
    for _ in range(MOST_STEPS):
        claim = database.write("claim_meeting", session_id=session_id, default_host=zoom.default_host, hurried=hurried)
        if claim["action"] not in _ACTIONS:
            return
        try:
            result = _ACTIONS[claim["action"]](zoom, session_id, claim)
        except RetryLater as later:
            daily = isinstance(later, Overloaded) and later.daily
            outcome = "limited" if daily else "failed"
            _record(database, zoom, session_id, claim, outcome, error=str(later), seconds=later.seconds)
            if daily:
                logger.warning("meeting.limited", session=session_id, seconds=later.seconds)
                return
            raise
        except Unauthorized as refusal:  # an operator has to renew the app's credentials; then everything goes on
            error = str(refusal)
            _record(database, zoom, session_id, claim, "failed", error=error, seconds=UNAUTHORIZED_SECONDS)
            raise RetryLater(UNAUTHORIZED_SECONDS, error) from None
        except PermanentFailure as refusal:
            _record(database, zoom, session_id, claim, "refused", error=str(refusal))
            raise
        outcome = result.pop("outcome")
        logger.info("meeting.synced", session=session_id, outcome=outcome)
        if not _record(database, zoom, session_id, claim, outcome, **result)["again"]:
            return


def _create(zoom: Zoom, session_id: str, claim: Mapping[str, Any]) -> dict[str, Any]:
    try:
        made = zoom.find(claim["host"], session_id) if claim["search"] else None
        if made:  # by an attempt that did not live to say so; what it was told may be old
            return {"outcome": "created", "zoom_id": made.id, "join_url": made.join_url}
        made = zoom.create(claim["host"], session_id, claim["wanted"])
    except Refused as refusal:
        if claim["default_host"] or not (isinstance(refusal, Missing) or refusal.code in NO_SUCH_HOST):
            raise
        return {"outcome": "no_host"}
    return {"outcome": "created", "zoom_id": made.id, "join_url": made.join_url, "wanted": claim["wanted"]}


def _update(zoom: Zoom, session_id: str, claim: Mapping[str, Any]) -> dict[str, Any]:
    try:
        zoom.update(claim["zoom_id"], session_id, claim["wanted"])
    except Missing:  # somebody deleted it at Zoom
        return {"outcome": "lost"}
    return {"outcome": "updated", "wanted": claim["wanted"]}


def _delete(zoom: Zoom, session_id: str, claim: Mapping[str, Any]) -> dict[str, Any]:
    meeting_id = claim["zoom_id"]
    try:
        if claim["search"]:
            found = zoom.find(claim["host"], session_id)
            meeting_id = found and found.id
        if meeting_id:
            zoom.delete(meeting_id)
    except Missing:
        logger.info("meeting.gone_already", session=session_id)
    return {"outcome": "deleted"}


_ACTIONS = {"create": _create, "update": _update, "delete": _delete}


def _record(
    database: Database, zoom: Zoom, session_id: str, claim: Mapping[str, Any], outcome: str, **result: Any
) -> Any:
    lease = {"lease": claim["lease"], "default_host": zoom.default_host}
    return database.write("record_meeting", session_id=session_id, outcome=outcome, **lease, **result)
