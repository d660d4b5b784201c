"""Which of Calendly's deliveries are one event: it gives them no id (docs/adr/036)."""

import hashlib
from collections.abc import Mapping
from typing import Any


def identify(_: str, payload: Mapping[str, Any]) -> str:
    """A name for an event, the same for each of its deliveries, also by two subscriptions."""
    inner = payload.get("payload")
    inner = inner if isinstance(inner, Mapping) else {}
    event, told = str(payload.get("event")), payload.get("created_at")
    match event:
        case "invitee.created":
            mark = inner.get("created_at")
        case "invitee.canceled":
            mark = _inside(inner, "cancellation", "created_at")
        case "invitee_no_show.created":
            mark = _inside(inner, "no_show", "uri")
        case "invitee_no_show.deleted":
            mark = told  # nothing in the invitee says that it was marked before, and when
        case _:
            mark = inner.get("updated_at")
    return hashlib.sha256("\n".join(map(str, (event, inner.get("uri"), mark or told))).encode()).hexdigest()


def _inside(payload: Mapping[str, Any], name: str, key: str) -> Any:
    part = payload.get(name)
    return part.get(key) if isinstance(part, Mapping) else None
