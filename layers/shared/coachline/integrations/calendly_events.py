"""What Calendly's events mean for us, and what we ask of it through the same inbox. Any order, any repetition."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from coachline import clock
from coachline.database import Database
from coachline.integrations import calendly_sync
from coachline.integrations.calendly_account import Account, NotConnected
from coachline.integrations.calendly_bookings import INVITEE_EVENTS, TYPE_EVENTS, apply_bookings
from coachline.integrations.calendly_payloads import EventType, InviteePayload
from coachline.providers import Unauthorized


class _Envelope(BaseModel):
    created_at: datetime


def apply(database: Database, event_id: str, event_type: str, payload: Mapping[str, Any]) -> None:
    """Apply one stored event and mark it handled. ValidationError or PermanentFailure when it can never be applied."""
    _HANDLERS[event_type](database, event_id, payload)


def _invitee(database: Database, event_id: str, payload: Mapping[str, Any]) -> None:
    invitee = InviteePayload.model_validate(payload.get("payload"))
    seen_at = _Envelope.model_validate(payload).created_at
    apply_bookings(database, None, [invitee.observed(invitee.scheduled_event, seen_at)], event_id)


def _event_type(database: Database, event_id: str, payload: Mapping[str, Any]) -> None:
    event_type = EventType.model_validate(payload.get("payload"))
    owner = event_type.profile.owner if event_type.profile else ""
    database.write("apply_calendly_event_type", event_id=event_id, owner_uri=owner, event_type=event_type.kept())


def _requested_sync(database: Database, event_id: str, payload: Mapping[str, Any]) -> None:
    calendly_sync.run(database, clock.now(), seconds=30, only_coach=payload["coachId"])
    database.write("finish_webhook_event", event_id=event_id)


def _requested_disconnect(database: Database, event_id: str, payload: Mapping[str, Any]) -> None:
    """Give back subscription and tokens, unless the coach has connected again since."""
    coach_id, generation = payload["coachId"], payload["generation"]
    found = database.read("calendly_account", coach_id=coach_id, generation=generation)
    if found and found["status"] == "DISCONNECTED":
        account = Account(database, coach_id)
        try:
            calendly_sync.unsubscribe(account, found)
            account.revoke()
        except (NotConnected, Unauthorized):
            pass  # the coach has removed our application there, which ends tokens and subscriptions
        database.write("forget_calendly_token", coach_id=coach_id, generation=generation)
    database.write("finish_webhook_event", event_id=event_id)


_HANDLERS: dict[str, Callable[[Database, str, Mapping[str, Any]], None]] = {
    **dict.fromkeys(INVITEE_EVENTS, _invitee),
    **dict.fromkeys(TYPE_EVENTS, _event_type),
    "request.sync": _requested_sync,
    "request.disconnect": _requested_disconnect,
}
