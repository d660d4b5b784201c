"""What Clerk's user events mean for us. Any order, any repetition: the database keeps the newest and the tombstone."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from coachline.database import Database
from coachline.events import PermanentFailure

EVENT_TYPES = ("user.created", "user.updated", "user.deleted")


class _Verification(BaseModel):
    status: str | None = None


class _Address(BaseModel):
    id: str | None = None
    email_address: Annotated[str, Field(max_length=320)] | None = None
    verification: _Verification | None = None


class _User(BaseModel):
    """What we read of Clerk's user. Milliseconds in its documentation, seconds in some of its examples."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True, defer_build=True)

    id: Annotated[str, Field(min_length=1, max_length=255)]
    first_name: str | None = None
    last_name: str | None = None
    email_addresses: list[_Address] | None = None
    primary_email_address_id: str | None = None
    created_at: Annotated[int | float | None, Field(ge=0, le=10**14)] = None
    updated_at: Annotated[int | float | None, Field(ge=0, le=10**14)] = None

    @property
    def changed_at(self) -> datetime:
        value = self.updated_at or self.created_at
        if value is None:
            raise PermanentFailure("The user has no updated_at")
        return datetime.fromtimestamp(value / 1000 if value > 10**11 else value, tz=UTC)

    @property
    def primary_email(self) -> tuple[str | None, bool]:
        """The address that the user signs in with and whether it is verified; phone-only users have none."""
        for entry in self.email_addresses or ():
            if entry.id is not None and entry.id == self.primary_email_address_id:
                return entry.email_address, entry.verification is not None and entry.verification.status == "verified"
        return None, False


class _Deleted(BaseModel):
    model_config = ConfigDict(strict=True, hide_input_in_errors=True, defer_build=True)

    id: Annotated[str, Field(min_length=1, max_length=255)]


def apply(database: Database, event_id: str, event_type: str, payload: Mapping[str, Any]) -> None:
    """Apply one stored event and mark it handled, in one transaction; ValidationError when it can never be applied."""
    _HANDLERS[event_type](database, event_id, payload.get("data"))


def _upsert(database: Database, event_id: str, data: Any) -> None:
    user = _User.model_validate(data)
    email, verified = user.primary_email
    database.write(
        "apply_clerk_user",
        event_id=event_id,
        clerk_id=user.id,
        email=email,
        email_verified=verified,
        first_name=user.first_name,
        last_name=user.last_name,
        updated_at=user.changed_at.isoformat(),
    )


def _delete(database: Database, event_id: str, data: Any) -> None:
    database.write("delete_clerk_user", event_id=event_id, clerk_id=_Deleted.model_validate(data).id)


_HANDLERS: dict[str, Callable[[Database, str, Any], None]] = {
    "user.created": _upsert,
    "user.updated": _upsert,
    "user.deleted": _delete,
}
