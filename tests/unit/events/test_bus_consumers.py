"""Events of the bus on a consumer's queue: what the handler is given, and what is not one of ours."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest

from coachline import events
from coachline.events import DomainEvent, bus_batch_consumer, bus_consumer
from tests.unit.events.test_queue_consumers import sqs_event

EVENT_ID = "0b7c1e0e-6f0f-4f4e-9d55-5a1c1f2f9a10"


def bus_event(**detail: Any) -> dict[str, Any]:
    """What a rule's target receives."""
    given = {"eventId": EVENT_ID, "occurredAt": "2027-03-08T14:00:00.5+00:00", "sessionId": "s", **detail}
    return {
        "version": "0",
        "id": "another id, which changes when it is published again",
        "detail-type": "SessionScheduled",
        "source": "coachline",
        "time": "2027-03-08T14:00:00Z",
        "detail": {name: value for name, value in given.items() if value is not ...},
    }


def consume(*messages: Any) -> tuple[list[DomainEvent], list[str]]:
    seen: list[DomainEvent] = []
    answer = bus_consumer(seen.append)(sqs_event(*messages), None)
    return seen, [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_a_handler_is_given_the_event_of_the_outbox() -> None:
    occurred_at = datetime(2027, 3, 8, 14, 0, 0, 500_000, UTC)
    expected = DomainEvent(EVENT_ID, "SessionScheduled", occurred_at, {"sessionId": "s"})
    assert consume(bus_event()) == ([expected], [])


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"detail": None, "detail-type": "X"},
        {"detail": [], "detail-type": "X"},
        bus_event(eventId=...),
        bus_event(eventId="7"),
        bus_event(eventId=7),
        bus_event(occurredAt=...),
        bus_event(occurredAt="now"),
    ],
)
def test_what_is_no_event_of_the_outbox_is_refused_for_good(message: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_sqs", Mock())
    assert consume(message) == ([], [])


def test_a_batch_is_one_call_and_one_by_one_when_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_sqs", Mock())
    calls: list[list[str]] = []

    def handle(batch: Sequence[DomainEvent]) -> None:
        calls.append([event.payload["sessionId"] for event in batch])
        if "bad" in calls[-1]:
            raise ValueError

    def consume_all(*sessions: str) -> list[str]:
        answer = bus_batch_consumer(handle)(sqs_event(*(bus_event(sessionId=each) for each in sessions)), None)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    assert (consume_all("a", "b"), calls) == ([], [["a", "b"]])
    calls.clear()
    [failed] = consume_all("a", "bad", "c")
    assert calls == [["a", "bad", "c"], ["a"], ["bad"], ["c"]]
    assert failed == sqs_event(*"xyz")["Records"][1]["messageId"]
    calls.clear()
    broken = bus_batch_consumer(handle)(sqs_event(bus_event(sessionId="a"), bus_event(eventId="7")), None)
    assert (broken, calls) == ({"batchItemFailures": []}, [["a"]])
