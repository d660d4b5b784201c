"""What a user was told, and what he wants to be told."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Input, Instant, Output, Page, Query, example
from coachline.notifications.catalogue import BY_NAME, CHANNELS, TYPES
from coachline.notifications.rendering import in_app
from coachline.pagination import Keyset, PageQuery

_ORDER = Keyset(before_at=("created_at", datetime), before_id=("id", UUID))


class Notification(Output):
    """One thing that happened, in words; `link` is a path of the web front end."""

    model_config = example(
        id="4f8a7f0e-6a7d-4f0e-8a53-5b4f9c1c2a77",
        type="session_scheduled",
        title="Booked: Casey Morgan, Mon Mar 8, 9:00 AM EST",
        body="Your session with Casey Morgan is booked.",
        link="/sessions/7f1c7b8e-2a4d-4e0b-9c55-3f7a9d21e6b0",
        readAt=None,
        createdAt="2027-02-22T10:00:00Z",
    )

    id: UUID
    type: str
    title: str
    body: str
    link: str | None
    read_at: Instant | None
    created_at: Instant


class NotificationPage(Page[Notification]):
    """A page; `unread` counts everything that is unread, on whatever page."""

    unread: int


class NotificationQuery(PageQuery):
    """`unread=true`: only what was not read yet."""

    unread: Literal["true", "false"] = "false"


class Nothing(Query):
    """What marking as read is asked with: the path alone, which a repeated Idempotency-Key is held to."""


class AllRead(Output):
    """How many were unread until now."""

    model_config = example(read=3)

    read: int


class TypePreference(Output):
    """One type: whether it comes in the app and by e-mail. `required`: its default channels cannot be switched off."""

    model_config = example(
        type="session_reminder", title="Reminders of sessions", inApp=True, email=True, required=False
    )

    type: str
    title: str
    in_app: bool
    email: bool
    required: bool


class Preferences(Output):
    """Every type there is; `version` is 0 until something was chosen."""

    model_config = example(
        version=0,
        types=[
            {
                "type": "session_reminder",
                "title": "Reminders of sessions",
                "inApp": True,
                "email": True,
                "required": False,
            }
        ],
    )

    version: int
    types: list[TypePreference]


class TypeChoice(Input):
    """A type as it shall be."""

    model_config = example(type="session_reminder", inApp=True, email=False)

    type: str
    in_app: bool
    email: bool

    @field_validator("type")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in BY_NAME:
            raise PydanticCustomError("unknown_type", "There is no such type; GET lists them")
        return value


class PreferencesChoice(Input):
    """All choices: a type that is left out is at its defaults again. `version` as it was read."""

    model_config = example(types=[{"type": "session_reminder", "inApp": True, "email": False}], version=0)

    types: Annotated[list[TypeChoice], Field(max_length=100)]
    version: Annotated[int, Field(ge=0, le=2**31 - 1)]

    @field_validator("types")
    @classmethod
    def _possible(cls, value: list[TypeChoice]) -> list[TypeChoice]:
        names = [choice.type for choice in value]
        if len(set(names)) < len(names):
            raise PydanticCustomError("type_repeated", "A type stands here twice")
        for choice in value:
            kind = BY_NAME[choice.type]
            if kind.required and any(getattr(kind, c) and not getattr(choice, c) for c in CHANNELS):
                text = f"{choice.type} is about the account itself and cannot be switched off"
                raise PydanticCustomError("type_required", "{detail}", {"detail": text})
        return value


def list_mine(caller: Caller, query: NotificationQuery) -> dict[str, Any]:
    """A `NotificationPage`, newest first."""
    found = as_caller(caller).read(
        "list_notifications",
        only_unread=query.unread == "true",
        **_ORDER.arguments(query),
    )
    rows, cursor = _ORDER.page(found["rows"], query)
    return {"data": [in_app(row) for row in rows], "next_cursor": cursor, "unread": found["unread"]}


def read(caller: Caller, notification_id: UUID) -> Any:
    """The `Notification`, read from now on."""
    return in_app(as_caller(caller).write("read_notification", notification_id=str(notification_id)))


def read_all(caller: Caller) -> Any:
    """`AllRead`."""
    return as_caller(caller).write("read_all_notifications")


def preferences(caller: Caller) -> Any:
    """The caller's `Preferences`."""
    return _shown(as_caller(caller).read("get_notification_preferences"))


def choose(caller: Caller, body: PreferencesChoice) -> Any:
    """The `Preferences` as they are now; 409 version_conflict."""
    choices = {c.type: _differing(c) for c in body.types if _differing(c)}
    stored = as_caller(caller).write("save_notification_preferences", choices=choices, expected_version=body.version)
    return _shown(stored)


def _differing(choice: TypeChoice) -> dict[str, bool]:
    """Only what is not the default: whoever never chose follows a default that changes."""
    kind = BY_NAME[choice.type]
    return {c: getattr(choice, c) for c in CHANNELS if getattr(choice, c) != getattr(kind, c)}


def _shown(stored: dict[str, Any]) -> dict[str, Any]:
    types = []
    for kind in TYPES:
        chosen = {} if kind.required else stored["choices"].get(kind.type, {})
        channels = {channel: chosen.get(channel, getattr(kind, channel)) for channel in CHANNELS}
        types.append({"type": kind.type, "title": kind.title, "required": kind.required, **channels})
    return {"version": stored["version"], "types": types}
