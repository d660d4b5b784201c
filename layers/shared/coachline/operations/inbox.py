"""The inbox of webhooks: stored once, handed to a queue, claimed with a lease, applied once (DESIGN 5)."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from coachline.database import Database
from coachline.events import PermanentFailure, RetryLater
from coachline.problems import BadRequest, Problem, Unavailable, Unprocessable, pointer

LEASE_SECONDS = 60
_IMPOSSIBLE = frozenset({BadRequest.status, Unprocessable.status})  # a value that Postgres has no place for

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

    What the event itself makes impossible is stored as failed at once, and the message is done (PermanentFailure): a
    shape that `apply` or its model refuses, a value that the database refuses. Everything else is tried again, and
    stored as failed after six attempts. RetryLater when another worker holds the event.
    """
    event_id = message["eventId"]
    claim = database.write("claim_webhook_event", event_id=event_id, lease_seconds=LEASE_SECONDS)
    match claim["state"]:
        case "leased":
            raise RetryLater(LEASE_SECONDS, exact=True)
        case "exhausted":
            raise PermanentFailure(f"event {event_id} was tried often enough")
        case "claimed":
            try:
                apply(database, event_id, claim["type"], claim["payload"])
            except Unavailable:
                raise  # and the lease runs out: what could give it back is away
            except Exception as error:
                reason, permanent = _judged(error)
                database.write("fail_webhook_event", event_id=event_id, error=reason, permanent=permanent)
                if permanent:
                    raise PermanentFailure(reason) from None
                raise


def _judged(error: Exception) -> tuple[str, bool]:
    """Why an event could not be applied, in words that may be kept, and whether it never can be."""
    match error:
        case PermanentFailure():
            return str(error), True
        case ValidationError():
            places = (pointer(found["loc"]) + " " + found["type"] for found in error.errors(include_input=False))
            return f"The event does not have the shape of its kind: {', '.join(places)}", True
        case Problem():
            return str(error), error.status in _IMPOSSIBLE
        case RetryLater():
            return str(error), False
    return type(error).__name__, False  # its own text may quote what somebody sent


def sweep(database: Database, queues: Mapping[str, str], *, quiet_seconds: int = 120, batch: int = 500) -> int:
    """Enqueue what was stored and never handled, or is replayed: how many. `queues` maps providers to queue URLs."""
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
