"""Calendly's bookings on their way into the database, which merges what was seen and settles what they are here."""

from typing import Any

from coachline import clock
from coachline.database import Database
from coachline.events import PermanentFailure
from coachline.integrations.calendly_account import Account
from coachline.integrations.calendly_payloads import Invitee, ScheduledEvent, path_of

INVITEE_EVENTS = ("invitee.created", "invitee.canceled", "invitee_no_show.created", "invitee_no_show.deleted")
TYPE_EVENTS = ("event_type.created", "event_type.updated", "event_type.deleted")
EVENT_TYPES = INVITEE_EVENTS + TYPE_EVENTS
_LONGEST_CHAIN = 20  # of reschedules that nobody told us of
_MOST_FOLLOWING = 200


def apply_bookings(
    database: Database, coach_id: str | None, observed: list[dict[str, Any]], event_id: str | None = None
) -> None:
    """Merge and settle what was seen of a booking; those before it that nobody told of are asked for."""
    complete = False
    while True:
        answer = database.write("apply_calendly_bookings", observed=observed, complete=complete, event_id=event_id)
        if "needs" not in answer:
            break
        earlier = (
            _fetched(database, coach_id or answer["coach_id"], answer["needs"])
            if len(observed) < _LONGEST_CHAIN
            else None
        )
        complete, observed = earlier is None, [*([earlier] if earlier else []), *observed]
    follow(database, answer["follow"], event_id)


def follow(database: Database, uris: list[str], event_id: str | None = None) -> None:
    """Settle bookings for which an effect may have changed something, each by itself, until none is left."""
    waiting, settled = list(uris), 0
    while waiting and settled < _MOST_FOLLOWING:
        uri = waiting.pop(0)
        last = not waiting and event_id is not None
        answer = database.write("settle_calendly_booking", invitee_uri=uri, event_id=event_id if last else None)
        waiting += [found for found in answer["follow"] if found not in waiting]
        settled += 1


def _fetched(database: Database, coach_id: str, invitee_uri: str) -> dict[str, Any] | None:
    """A booking as Calendly has it now; None when it cannot be asked for."""
    account, seen_at = Account(database, coach_id), clock.now()
    try:
        invitee = Invitee.model_validate(account.call("GET", path_of(invitee_uri))["resource"])
        path = path_of(invitee_uri).rpartition("/invitees/")[0]
        event = ScheduledEvent.model_validate(account.call("GET", path)["resource"])
    except PermanentFailure:  # refused, gone, or the coach has to connect again; RetryLater is for the queue
        return None
    return invitee.observed(event, seen_at)
