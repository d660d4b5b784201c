"""SQS batches: each message succeeds, waits, is refused or fails by itself."""

import json
from typing import Any
from unittest.mock import Mock

import pytest

from coachline import events
from coachline.events import PermanentFailure, RetryLater, queue_consumer
from tests.unit.conftest import Logged


def sqs_event(*bodies: Any, received: int = 1) -> dict[str, Any]:
    """What Lambda's SQS trigger hands over."""
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "receiptHandle": f"receipt-{number}",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {"ApproximateReceiveCount": str(received), "SentTimestamp": "1700000000000"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:ClerkEventsQueue",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


@pytest.fixture(autouse=True)
def sqs(monkeypatch: pytest.MonkeyPatch) -> Mock:
    client = Mock()
    client.meta.endpoint_url = "http://127.0.0.1:5000"
    monkeypatch.setattr(events, "_sqs", lambda: client)
    return client


def consume(handler: Any, event: dict[str, Any]) -> list[str]:
    """The ids of the messages that were reported as failed."""
    response = queue_consumer(handler)(event, None)
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def failing_with(error: Exception) -> Any:
    def handler(_: dict[str, Any]) -> None:
        raise error

    return handler


def test_every_message_is_handled_once() -> None:
    seen: list[dict[str, Any]] = []

    assert consume(seen.append, sqs_event({"eventId": "a"}, {"eventId": "b"})) == []
    assert seen == [{"eventId": "a"}, {"eventId": "b"}]


def test_only_the_message_that_failed_comes_back(logged: Logged) -> None:
    def handler(body: dict[str, Any]) -> None:
        if body["eventId"] == "b":
            raise KeyError("b")

    assert consume(handler, sqs_event({"eventId": "a"}, {"eventId": "b"}, {"eventId": "c"})) == ["message-1"]
    (failure,) = [entry for entry in logged() if entry["level"] == "ERROR"]
    assert (failure["message"], failure["message_id"], failure["received"]) == ("message.failed", "message-1", 1)


@pytest.mark.parametrize(("received", "seconds"), [(1, 30), (2, 60), (5, 480)])
def test_a_message_that_failed_waits_longer_each_time(sqs: Mock, received: int, seconds: int) -> None:
    assert consume(failing_with(KeyError("x")), sqs_event({}, received=received)) == ["message-0"]
    assert sqs.change_message_visibility.call_args.kwargs["VisibilityTimeout"] == seconds


def test_a_wait_that_somebody_named_does_not_grow(sqs: Mock) -> None:
    consume(failing_with(RetryLater(90, exact=True)), sqs_event({}, received=5))
    assert sqs.change_message_visibility.call_args.kwargs["VisibilityTimeout"] == 90


def test_a_whole_failing_batch_does_not_fail_the_function() -> None:
    assert consume(failing_with(ValueError()), sqs_event({}, {})) == ["message-0", "message-1"]


def test_a_permanent_failure_is_acknowledged_and_alarmed_on(logged: Logged) -> None:
    assert consume(failing_with(PermanentFailure("no such user")), sqs_event({})) == []
    (failure,) = logged()
    assert (failure["level"], failure["message"], failure["reason"]) == ("ERROR", "message.refused", "no such user")


@pytest.mark.parametrize("body", ["{", "[]", '"x"', "", "[" * 100_000])
def test_a_message_that_is_no_json_object_never_will_be(body: str) -> None:
    assert consume(lambda _: None, sqs_event(body)) == []


@pytest.mark.parametrize(("received", "seconds"), [(1, 30), (2, 60), (5, 480), (40, events.LONGEST_DELAY_SECONDS)])
def test_a_message_that_must_wait_waits_longer_each_time(sqs: Mock, received: int, seconds: int) -> None:
    assert consume(failing_with(RetryLater(30)), sqs_event({}, received=received)) == ["message-0"]

    sqs.change_message_visibility.assert_called_once_with(
        QueueUrl="http://127.0.0.1:5000/123456789012/ClerkEventsQueue",
        ReceiptHandle="receipt-0",
        VisibilityTimeout=seconds,
    )


def test_a_message_that_could_not_be_hidden_still_comes_back(sqs: Mock, logged: Logged) -> None:
    sqs.change_message_visibility.side_effect = OSError("no route")

    assert consume(failing_with(RetryLater(30, "the provider asked for it")), sqs_event({})) == ["message-0"]
    assert [entry["message"] for entry in logged()] == ["message.postponed", "message.not_postponed"]
