"""Events through the consumer that grants achievements: events a second, and one database round trip for each batch.

`make bench-growth`, GROWTH_EVENTS (200000) in batches of GROWTH_BATCH (1000). A stack of its own.
"""

import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.rows import DictRow

from coachline.database import Database
from coachline.events import DomainEvent, bus_batch_consumer
from coachline.growth import achievements
from tests.bench.table import machine, say
from tests.support.market import fill
from tests.support.mortal import Mortal
from tests.support.stack import Stack, running_stack

EVENTS, BATCH = int(os.environ.get("GROWTH_EVENTS", "200000")), int(os.environ.get("GROWTH_BATCH", "1000"))
SOURCES = """
    select 'SessionCompleted' as type, coach_id::text as coach, mentee_id::text as mentee, ends_at as at
    from session where status = 'COMPLETED'
    union all select 'ReviewPosted', coach_id::text, mentee_id::text, created_at from review order by at limit %s"""


class Counting(Mortal):
    """The service's database, which counts what it is asked."""

    trips = 0

    def write(self, function: str, **arguments: Any) -> Any:
        self.trips += 1
        return super().write(function, **arguments)


def records(database: psycopg.Connection[DictRow], limit: int) -> Iterator[dict[str, Any]]:
    """What SQS brings for each session and review, oldest first."""
    for row in database.execute(SOURCES, [limit]):
        detail = {"eventId": str(uuid4()), "occurredAt": row["at"].isoformat()}
        detail |= {"coachId": row["coach"], "menteeId": row["mentee"]}
        yield {
            "messageId": detail["eventId"],
            "receiptHandle": "x",
            "body": json.dumps({"detail-type": row["type"], "detail": detail}),
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:GrowthEventsQueue",
        }


def consume(database: Database, messages: list[dict[str, Any]], batch: int) -> float:
    """Deliver the messages batch by batch: seconds."""

    def handle(events: Sequence[DomainEvent]) -> None:
        achievements.apply_events(database, events)

    handler = bus_batch_consumer(handle)
    begun = time.perf_counter()
    for start in range(0, len(messages), batch):
        assert handler({"Records": messages[start : start + batch]}, None) == {"batchItemFailures": []}
    return time.perf_counter() - begun


def measure(stack: Stack) -> None:
    with stack.database() as database:
        fill(database, 2000, EVENTS + EVENTS // 6)
        messages = list(records(database, EVENTS))
        counting = Counting(stack)
        first = consume(counting, messages, BATCH)
        again = consume(Counting(stack), messages, BATCH)
        granted = database.execute("select count(*) as n from achievement_grant").fetchone()
    assert granted is not None
    speed = len(messages) / first
    say(f"{len(messages)} events in batches of {BATCH}: {speed:,.0f} a second, {counting.trips} round trips")
    say(f"The same delivered again: {len(messages) / again:,.0f} a second. {granted['n']} grants.")


def main() -> None:
    say(machine())
    environment = {"DEVSTACK_DEMO_DATA": "0", "LOG_LEVEL": "WARN"}
    with (
        tempfile.TemporaryDirectory(prefix="coachline-bench-") as folder,
        running_stack(Path(folder) / "stack", environment) as stack,
    ):
        measure(stack)


if __name__ == "__main__":
    main()
