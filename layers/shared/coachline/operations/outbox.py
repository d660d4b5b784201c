"""The outbox: domain events written with the change that made them, published by the relay alone (DESIGN 5)."""

import json
from typing import Any

from coachline.database import Database

SOURCE = "coachline"
_BATCH = 100
_LEASE_SECONDS = 30
_ENTRIES_PER_CALL = 10  # EventBridge's own limit


def relay(database: Database, bus: Any, bus_name: str) -> int:
    """Publish what is due, oldest first: how many events. `bus` is a boto3 `events` client.

    An event that the bus refuses, or a relay that dies before marking, is published again when its lease runs out:
    consumers apply an event id once.
    """
    published = 0
    while True:
        events = database.write("claim_outbox_events", batch=_BATCH, lease_seconds=_LEASE_SECONDS)["events"]
        accepted = [
            event_id
            for start in range(0, len(events), _ENTRIES_PER_CALL)
            for event_id in _publish(bus, bus_name, events[start : start + _ENTRIES_PER_CALL])
        ]
        if accepted:
            published += database.write("mark_outbox_published", event_ids=accepted)["published"]
        if len(accepted) < _BATCH:
            return published


def _publish(bus: Any, bus_name: str, events: list[dict[str, Any]]) -> list[str]:
    answer = bus.put_events(
        Entries=[
            {
                "EventBusName": bus_name,
                "Source": SOURCE,
                "DetailType": event["type"],
                "Time": event["occurred_at"],
                "Detail": json.dumps({"eventId": event["id"], "occurredAt": event["occurred_at"], **event["payload"]}),
            }
            for event in events
        ]
    )
    return [event["id"] for event, entry in zip(events, answer["Entries"], strict=True) if "EventId" in entry]
