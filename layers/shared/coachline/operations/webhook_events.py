"""The inbox as operators see it. Payloads are personal: a redacted one keeps shape, ids, kinds and times."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Instant, Output, example
from coachline.pagination import Keyset, PageQuery

_ORDER = Keyset(before_at=("received_at", datetime), before_id=("id", UUID))
ProviderName = Literal["clerk", "stripe", "zoom", "calendly"]

_EXAMPLE = {
    "id": "5b7c1e0e-6f0f-4f4e-9d55-5a1c1f2f9a10",
    "provider": "clerk",
    "type": "user.created",
    "externalId": "msg_2abc",
    "state": "FAILED",
    "attempts": 6,
    "replays": 0,
    "lastError": "Unavailable",
    "receivedAt": "2027-03-08T14:00:00Z",
    "handledAt": None,
    "failedAt": "2027-03-08T14:16:00Z",
}


class WebhookEventState(StrEnum):
    """FAILED was tried often enough, or can never be applied; only an operator sends it on its way again."""

    WAITING = "WAITING"
    HANDLED = "HANDLED"
    FAILED = "FAILED"


class WebhookEvent(Output):
    """An event as it was stored. `externalId` is the provider's name for it, by which it is stored once."""

    model_config = example(**_EXAMPLE)

    id: UUID
    provider: ProviderName
    type: str
    external_id: str
    state: WebhookEventState
    attempts: int
    replays: int
    last_error: str | None
    received_at: Instant
    handled_at: Instant | None
    failed_at: Instant | None


class WebhookEventDetail(WebhookEvent):
    """With what the provider sent, its personal texts replaced by `[redacted]`."""

    model_config = example(**_EXAMPLE, payload={"type": "user.created", "data": {"first_name": "[redacted]"}})

    payload: dict[str, Any]


class WebhookEventQuery(PageQuery):
    """Filters; all that are given must fit."""

    provider: ProviderName | None = None
    state: WebhookEventState | None = None
    type: Annotated[str | None, Field(max_length=100)] = None


def list_events(caller: Caller, query: WebhookEventQuery) -> tuple[list[Any], str | None]:
    """A page of `WebhookEvent`, latest first; and the next cursor."""
    rows = as_caller(caller).read(
        "list_webhook_events",
        wanted_provider=query.provider,
        wanted_state=query.state,
        wanted_type=query.type,
        **_ORDER.arguments(query),
    )
    return _ORDER.page(rows, query)


def get_event(caller: Caller, event_id: UUID) -> Any:
    """One `WebhookEventDetail`."""
    return as_caller(caller).read("get_webhook_event", event_id=str(event_id))


def replay(caller: Caller, event_id: UUID) -> Any:
    """The `WebhookEvent` as it is now: WAITING if it had failed, unchanged otherwise."""
    return as_caller(caller).write("replay_webhook_event", event_id=str(event_id))
