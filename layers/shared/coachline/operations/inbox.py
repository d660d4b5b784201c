"""The inbox of webhooks: stored once, handed to a queue, claimed with a lease, applied once (DESIGN 5)."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from coachline.database import Database
from coachline.events import PermanentFailure, RetryLater
from coachline.problems import Problem, Unavailable

LEASE_SECONDS = 60

Apply = Callable[[Database, str, str, Mapping[str, Any]], None]


def receive(
    database: Database, queue_url: str, *, provider: str, external_id: str, event_type: str, payload: Any
) -> None:
    """Store a verified event once and enqueue its id unless it is handled already.

    A redelivery of an event that was stored and whose message was lost is enqueued again. Raises when the queue cannot
    be reached, so that the provider delivers once more.
    """
    stored = database.write(
        "record_webhook_event", provider=provider, external_id=external_id, type=event_type, payload=payload
    )
    if stored["needs_queue"]:
        enqueue(queue_url, stored["event_id"])


def enqueue(queue_url: str, event_id: str) -> None:
    """Put the id of a stored event on its provider's queue."""
    _sqs().send_message(QueueUrl=queue_url, MessageBody=json.dumps({"eventId": event_id}))


def process(database: Database, message: Mapping[str, Any], apply: Apply) -> None:
    """Claim the event of a queue message and apply it; a second message for it finds it done.

    Raises RetryLater when another worker holds the event or the database is away. An event that can never be applied is
    stored as failed, and the message is done.
    """
    event_id = message["eventId"]
    claim = database.write("claim_webhook_event", event_id=event_id, lease_seconds=LEASE_SECONDS)
    if claim["state"] == "leased":
        raise RetryLater(LEASE_SECONDS)
    if claim["state"] != "claimed":
        return
    try:
        apply(database, event_id, claim["type"], claim["payload"])
    except PermanentFailure as failure:
        database.write("fail_webhook_event", event_id=event_id, error=str(failure), permanent=True)
        raise
    except Unavailable:
        raise
    except Problem as problem:
        database.write("fail_webhook_event", event_id=event_id, error=str(problem), permanent=False)
        raise


def sweep(database: Database, queues: Mapping[str, str], *, quiet_seconds: int = 120, batch: int = 500) -> int:
    """Enqueue again what was stored and never handled: how many. `queues` maps providers to queue URLs."""
    swept = 0
    while True:
        events = database.write("sweep_webhook_events", quiet_seconds=quiet_seconds, batch=batch)["events"]
        for event in events:
            enqueue(queues[event["provider"]], event["event_id"])
        swept += len(events)
        if len(events) < batch:
            return swept


_clients: dict[str, Any] = {}


def _sqs() -> Any:
    if "sqs" not in _clients:
        import boto3  # noqa: PLC0415 - costs about 340 ms of CPU: only once something is to be sent

        _clients["sqs"] = boto3.client("sqs")
    return _clients["sqs"]
