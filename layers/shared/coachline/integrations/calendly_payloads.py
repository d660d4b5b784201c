"""Calendly's objects as far as we read them. What is unknown is ignored; what is needed and not there is refused."""

from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

Uri = Annotated[str, Field(min_length=1, max_length=500)]


class _Object(BaseModel):
    model_config = ConfigDict(defer_build=True, hide_input_in_errors=True)


class _Membership(_Object):
    user: Uri | None = None


class ScheduledEvent(_Object):
    """A meeting. Its host is the first member who is connected here."""

    uri: Uri
    event_type: Uri
    status: Literal["active", "canceled"]
    start_time: datetime
    end_time: datetime
    updated_at: datetime
    event_memberships: list[_Membership]


class _Cancellation(_Object):
    canceler_type: str | None = None
    reason: str | None = None
    created_at: datetime | None = None


class _NoShow(_Object):
    created_at: datetime


class Invitee(_Object):
    """Who booked a meeting, and what became of it."""

    uri: Uri
    email: Annotated[str, Field(max_length=320)]
    name: Annotated[str, Field(max_length=1000)] = ""
    timezone: Annotated[str, Field(max_length=100)] | None = None
    status: Literal["active", "canceled"]
    rescheduled: bool = False
    old_invitee: Uri | None = None
    new_invitee: Uri | None = None
    cancellation: _Cancellation | None = None
    no_show: _NoShow | None = None
    created_at: datetime

    def observed(self, event: ScheduledEvent, at: datetime) -> dict[str, Any]:
        """This booking as the database merges it, seen at an instant."""
        cancellation = self.cancellation or _Cancellation()
        return {
            "invitee_uri": self.uri,
            "event_uri": event.uri,
            "event_type_uri": event.event_type,
            "host_uris": [member.user for member in event.event_memberships if member.user],
            "email": self.email,
            "name": self.name[:200],
            "timezone": self.timezone or "UTC",
            "starts_at": event.start_time.isoformat(),
            "ends_at": event.end_time.isoformat(),
            "canceled": self.status == "canceled",
            "rescheduled": self.rescheduled,
            "old_invitee_uri": self.old_invitee,
            "new_invitee_uri": self.new_invitee,
            "canceler_type": cancellation.canceler_type,
            "cancellation_reason": cancellation.reason,
            "canceled_at": cancellation.created_at.isoformat() if cancellation.created_at else None,
            "no_show_at": self.no_show.created_at.isoformat() if self.no_show else None,
            "observed_at": at.isoformat(),
            "booked_at": self.created_at.isoformat(),
            "event_changed_at": event.updated_at.isoformat(),
        }


class InviteePayload(Invitee):
    """What an invitee event carries: the invitee, with the meeting inside."""

    scheduled_event: ScheduledEvent


class _Profile(_Object):
    owner: Uri


class EventType(_Object):
    """What a coach offers at Calendly."""

    uri: Uri
    name: Annotated[str, Field(max_length=500)] | None = None
    active: bool
    duration: Annotated[int, Field(ge=1, le=100_000)]
    duration_options: list[int] | None = None
    kind: Annotated[str, Field(max_length=50)]
    pooling_type: Annotated[str, Field(max_length=50)] | None = None
    scheduling_url: Annotated[str, Field(max_length=2000)]
    before_buffer: Annotated[int, Field(ge=0, le=100_000)] = 0
    after_buffer: Annotated[int, Field(ge=0, le=100_000)] = 0
    deleted_at: datetime | None = None
    updated_at: datetime
    profile: _Profile | None = None

    def kept(self) -> dict[str, Any]:
        """This event type as the database keeps it."""
        return {
            **self.model_dump(
                include={"uri", "duration", "duration_options", "kind", "pooling_type", "scheduling_url"}
            ),
            **self.model_dump(include={"before_buffer", "after_buffer"}),
            "name": self.name or "Without a name",
            "active": self.active and self.deleted_at is None,
            "changed_at": self.updated_at.isoformat(),
        }


def path_of(uri: str) -> str:
    """The path of one of Calendly's resources: a URI says which, and never where to ask."""
    return urlsplit(uri).path
