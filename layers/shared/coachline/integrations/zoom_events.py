"""What Zoom's meeting events mean for us. Any order, any repetition: the earliest start counts, and the latest end."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from coachline.database import Database
from coachline.events import PermanentFailure

EVENT_TYPES = ("meeting.started", "meeting.ended", "meeting.participant_joined", "meeting.participant_left")
_TIME_OF = {
    "meeting.started": "start_time",
    "meeting.ended": "end_time",
    "meeting.participant_joined": "join_time",
    "meeting.participant_left": "leave_time",
}
_Text = Annotated[str, Field(max_length=200)]
# A number in some events and text in others.
_Number = Annotated[
    int, BeforeValidator(lambda value: int(value) if isinstance(value, str) else value), Field(gt=0, lt=2**63)
]


def _sensible(at: datetime) -> datetime:
    if not 2000 <= at.year <= 2200:
        raise PermanentFailure("The event names a time that is none of this system")
    return at


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, defer_build=True)


class _Participant(_Model):
    participant_uuid: _Text | None = None
    user_id: _Text | None = None
    id: _Text | None = None
    participant_user_id: _Text | None = None
    join_time: AwareDatetime | None = None
    leave_time: AwareDatetime | None = None

    @property
    def key(self) -> str:
        """What is the same in joining and leaving, and another when somebody comes back."""
        if key := self.participant_uuid or self.user_id:
            return key
        raise PermanentFailure("The participant has neither participant_uuid nor user_id")


class _Object(_Model):
    id: _Number
    uuid: Annotated[str, Field(min_length=1, max_length=200)]
    host_id: _Text | None = None
    start_time: AwareDatetime | None = None
    end_time: AwareDatetime | None = None
    participant: _Participant | None = None


class _Payload(_Model):
    object: _Object


class _Event(_Model):
    event: str
    event_ts: Annotated[int, Field(strict=True, ge=0, le=10**14)] | None = None
    payload: _Payload


def apply(database: Database, event_id: str, event_type: str, payload: Mapping[str, Any]) -> None:
    """Apply one stored event and mark it handled, in one transaction. ValidationError when it can never be applied."""
    event = _Event.model_validate(payload)
    meeting, who = event.payload.object, event.payload.object.participant
    if (who is None) != (event_type in {"meeting.started", "meeting.ended"}):
        raise PermanentFailure("The event and its participant do not go together")
    at = getattr(who or meeting, _TIME_OF[event_type]) or _told_at(event)
    given: dict[str, Any] = {}
    if who:
        is_host = bool(meeting.host_id) and meeting.host_id in {who.id, who.participant_user_id}
        given = {"participant": who.key, "is_host": is_host}
    database.write(
        "apply_zoom_event",
        event_id=event_id,
        kind=event_type,
        zoom_id=meeting.id,
        zoom_uuid=meeting.uuid,
        at=_sensible(at).isoformat(),
        **given,
    )


def identity(_: str, payload: Mapping[str, Any]) -> str:
    """What names an event and is the same in each retry: Zoom's own tracking id is another for every delivery."""
    inner = payload.get("payload")
    meeting = inner.get("object") if isinstance(inner, Mapping) else None
    meeting = meeting if isinstance(meeting, Mapping) else {}
    who = meeting.get("participant")
    who = who if isinstance(who, Mapping) else {}
    parts = (
        payload.get("event"),
        meeting.get("uuid") or meeting.get("id"),
        who.get("participant_uuid") or who.get("user_id"),
        who.get("join_time") or who.get("leave_time") or payload.get("event_ts"),
    )
    return "|".join("" if part is None else str(part)[:120] for part in parts)


def _told_at(event: _Event) -> datetime:
    if event.event_ts is None:
        raise PermanentFailure("The event has no time")
    return datetime.fromtimestamp(event.event_ts / 1000, tz=UTC)
