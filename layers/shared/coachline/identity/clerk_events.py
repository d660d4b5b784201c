"""What Clerk's user events mean for us. Any order, any repetition: the database keeps the newest and the tombstone."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from coachline.database import Database
from coachline.events import PermanentFailure

EVENT_TYPES = ("user.created", "user.updated", "user.deleted")


def apply(database: Database, event_id: str, event_type: str, payload: Mapping[str, Any]) -> None:
    """Apply one stored event and mark it handled, in one transaction. PermanentFailure when it can never be applied."""
    data = payload.get("data")
    if not isinstance(data, Mapping) or not isinstance(data.get("id"), str):
        raise PermanentFailure("The event has no data.id")
    _HANDLERS[event_type](database, event_id, data)


def _upsert(database: Database, event_id: str, data: Mapping[str, Any]) -> None:
    email, verified = primary_email(data)
    database.write(
        "apply_clerk_user",
        event_id=event_id,
        clerk_id=data["id"],
        email=email,
        email_verified=verified,
        first_name=data.get("first_name"),
        last_name=data.get("last_name"),
        updated_at=updated_at(data).isoformat(),
    )


def _delete(database: Database, event_id: str, data: Mapping[str, Any]) -> None:
    database.write("delete_clerk_user", event_id=event_id, clerk_id=data["id"])


_HANDLERS: dict[str, Callable[[Database, str, Mapping[str, Any]], None]] = {
    "user.created": _upsert,
    "user.updated": _upsert,
    "user.deleted": _delete,
}


def primary_email(data: Mapping[str, Any]) -> tuple[str | None, bool]:
    """The address that the user signs in with and whether it is verified; phone-only users have none."""
    for entry in data.get("email_addresses") or ():
        if entry.get("id") == data.get("primary_email_address_id"):
            return entry.get("email_address"), (entry.get("verification") or {}).get("status") == "verified"
    return None, False


def updated_at(data: Mapping[str, Any]) -> datetime:
    """When Clerk last changed the user. Milliseconds in its documentation, seconds in some of its examples."""
    value = data.get("updated_at") or data.get("created_at")
    if not isinstance(value, int | float):
        raise PermanentFailure("The user has no updated_at")
    return datetime.fromtimestamp(value / 1000 if value > 10**11 else value, tz=UTC)
