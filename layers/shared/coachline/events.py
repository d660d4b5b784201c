"""The entrypoints of functions that no person calls: queue consumers and scheduled jobs."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from coachline import clock
from coachline.logs import logger

LambdaHandler = Callable[[dict[str, Any], Any], Any]

# SQS hides a message for 12 hours at most, counted from when it was received.
LONGEST_DELAY_SECONDS = 11 * 3600
# After a failure that nobody foresaw; doubled each time, so that six tries take a quarter of an hour.
FAILURE_SECONDS = 30


class RetryLater(Exception):  # noqa: N818 - says what it is - says what to do, as PermanentFailure says what is
    """The message cannot be handled yet: try again in `seconds`, and in twice as many each further time.

    `exact` when somebody else named the time, as a provider does with Retry-After: then it does not grow.
    """

    def __init__(self, seconds: int, reason: str = "", *, exact: bool = False) -> None:
        super().__init__(reason or f"retry in {seconds} s")
        self.seconds = seconds
        self.exact = exact


class PermanentFailure(Exception):  # noqa: N818 - says what it is
    """The message will never be handled: it is acknowledged and logged as an error, which an alarm watches."""


def queue_consumer(handler: Callable[[dict[str, Any]], None]) -> LambdaHandler:
    """An SQS consumer that calls `handler` with each message's JSON object and reports the failed ones one by one.

    A whole failing batch is no failure of the function: age and dead letters are what is alarmed on.
    """

    def lambda_handler(event: dict[str, Any], _context: Any) -> dict[str, list[dict[str, str]]]:
        failed = [record["messageId"] for record in event["Records"] if not _handled(record, handler)]
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    return lambda_handler


@dataclass(frozen=True)
class DomainEvent:
    """What the outbox published: `id` stays the same however often it comes, `payload` is what was emitted."""

    id: str
    type: str
    occurred_at: datetime
    payload: Mapping[str, Any]


def bus_consumer(handler: Callable[[DomainEvent], None]) -> LambdaHandler:
    """An SQS consumer of events that a rule of the bus put on its queue.

    Events come more than once and in any order. So the database function that has the effect begins with
    `if private.seen_event('<consumer>', event_id) then …`, which keeps the id in the effect's own transaction.
    """

    def handle(message: dict[str, Any]) -> None:
        handler(_domain_event(message))

    return queue_consumer(handle)


def bus_batch_consumer(handler: Callable[[Sequence[DomainEvent]], None]) -> LambdaHandler:
    """As `bus_consumer`, with a whole batch in one call, for an effect that is done once for many events.

    When that fails, they are handled one by one: what is at fault comes again alone.
    """
    alone = bus_consumer(lambda event: handler([event]))

    def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
        started, records = time.perf_counter(), event["Records"]
        try:
            handler([_domain_event(_body(record)) for record in records])
        except Exception:  # noqa: BLE001 - whatever it is, it is met again below, and reported there
            logger.warning("batch.split", size=len(records))
            answer: dict[str, list[dict[str, str]]] = alone(event, context)
            return answer
        logger.info("batch.handled", size=len(records), ms=_since(started))
        return {"batchItemFailures": []}

    return lambda_handler


def scheduled_job(handler: Callable[[datetime], Mapping[str, Any] | None]) -> LambdaHandler:
    """A job that calls `handler` with the instant of the schedule's event, and logs and returns the counts it answers.

    What it counts as `failed` is a metric that an alarm watches. A job that is run by hand, with an event that has no
    time, is told the current one.
    """

    def lambda_handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        started = time.perf_counter()
        counts = dict(handler(_scheduled_at(event)) or {})
        logger.info("job.finished", ms=_since(started), **counts)
        if failed := counts.get("failed"):
            with single_metric(name="JobRowsFailed", unit=MetricUnit.Count, value=failed):
                pass
        return counts

    return lambda_handler


def _handled(record: Mapping[str, Any], handler: Callable[[dict[str, Any]], None]) -> bool:
    started, received = time.perf_counter(), int(record["attributes"]["ApproximateReceiveCount"])
    with logger.append_context_keys(message_id=record["messageId"], received=received):
        try:
            handler(_body(record))
        except PermanentFailure as failure:
            logger.exception("message.refused", reason=str(failure))
        except RetryLater as later:
            delay = _delay(later.seconds, 1 if later.exact else received)
            logger.warning("message.postponed", seconds=delay, reason=str(later))
            _hide(record, delay)
            return False
        except Exception:  # noqa: BLE001 - one bad message must not take the rest of its batch along
            logger.exception("message.failed")
            _hide(record, _delay(FAILURE_SECONDS, received))
            return False
        else:
            logger.info("message.handled", ms=_since(started))
        return True


def _delay(seconds: int, received: int) -> int:
    return int(min(seconds * 2 ** min(received - 1, 16), LONGEST_DELAY_SECONDS))


def _domain_event(message: Mapping[str, Any]) -> DomainEvent:
    try:
        detail = dict(message["detail"])
        event_id, occurred_at = str(UUID(detail.pop("eventId"))), datetime.fromisoformat(detail.pop("occurredAt"))
        return DomainEvent(event_id, message["detail-type"], occurred_at, detail)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PermanentFailure("the message is not an event of the outbox") from error


def _body(record: Mapping[str, Any]) -> dict[str, Any]:
    try:
        body = json.loads(record["body"])
    except (ValueError, RecursionError) as error:
        raise PermanentFailure("the message is not JSON") from error
    if not isinstance(body, dict):
        raise PermanentFailure("the message is not a JSON object")
    return body


def _hide(record: Mapping[str, Any], seconds: int) -> None:
    """Keep a message out of sight; when that fails, the queue's own timeout decides when it comes back."""
    _, _, _, _, account, queue = record["eventSourceARN"].split(":")
    try:
        client = _sqs()
        client.change_message_visibility(
            QueueUrl=f"{client.meta.endpoint_url.rstrip('/')}/{account}/{queue}",
            ReceiptHandle=record["receiptHandle"],
            VisibilityTimeout=seconds,
        )
    except Exception:  # noqa: BLE001 - whatever it is, the message stays on the queue
        logger.exception("message.not_postponed")


@cache
def _sqs() -> Any:
    import boto3  # noqa: PLC0415 - a third of a second, for the rare message that has to wait

    return boto3.client("sqs")


def _scheduled_at(event: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(event["time"]).astimezone(UTC) if "time" in event else clock.now()


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
