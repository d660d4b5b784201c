"""What starts functions besides requests: queues and schedules, as the template declares them. And drain()."""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import aiohttp

from devstack.aws import Aws, AwsError
from devstack.clock import Clock
from devstack.config import StackError
from devstack.intrinsics import ACCOUNT, REGION
from devstack.schedules import Expression
from devstack.template import EventSource, Schedule, Template
from devstack.workers import DEFAULT_CONCURRENCY, Result, Workers

RELAY = "outbox_relay"
SWEEP = "inbox_sweep"
LOCAL_SECONDS = {RELAY: 1.0}  # schedules that would make a developer wait
LONG_POLL_SECONDS = 20
CROWD = 2 * DEFAULT_CONCURRENCY  # so many calls that somebody waits for come before queues
YIELD_SECONDS = 1.0  # but no longer than this
GATHER_SECONDS = 0.02  # at one message a call, receiving and deleting cost more than handling
DRAIN_SECONDS = 120
Message = dict[str, Any]


class Triggers:
    def __init__(
        self, template: Template, workers: Workers, aws: Aws, clock: Clock, say: Callable[[str], None]
    ) -> None:
        self._template = template
        self._workers = workers
        self._aws = aws
        self._clock = clock
        self._say = say
        self._tasks: set[asyncio.Task[None]] = set()
        self._jobs: dict[str, asyncio.Lock] = {schedule.function: asyncio.Lock() for schedule in template.schedules}
        for job in (RELAY, SWEEP):
            self._jobs.setdefault(job, asyncio.Lock())
        self._waiting: dict[tuple[str, str], str] = {}  # failed messages: queue, message id → receipt handle
        self._busy = 0
        self._processed = 0
        self._draining = 0
        self._drain_lock = asyncio.Lock()
        self._parked = 0
        self.deliver: list[Callable[[], Awaitable[tuple[int, int]]]] = []  # each: how many delivered, how many not

    def start(self) -> None:
        for source in self._template.sources:
            self._spawn(self._poll(source))
        for schedule in self._template.schedules:
            try:
                expression = Expression(schedule.expression, schedule.timezone)
            except (ValueError, KeyError) as error:
                raise StackError(f"template.yaml, {schedule.name}: {error}") from None
            self._spawn(self._keep(schedule, expression))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def drain(self) -> dict[str, int]:
        """Run everything that is due until nothing is left: {processed, failed}.

        Failed messages are tried again at once, until they succeed or are parked in their dead-letter queue: those
        count as failed, once.
        """
        processed, failed = self._processed, 0
        async with self._drain_lock, asyncio.timeout(DRAIN_SECONDS):
            self._draining = 1
            try:
                while True:
                    before = self._processed
                    await asyncio.gather(*(self._retry_now(*key) for key in list(self._waiting)))
                    results = [await deliver() for deliver in self.deliver]
                    self._processed += sum(delivered for delivered, _ in results)
                    relayed = await self._run_job(RELAY, self._scheduled_event("drain"))
                    self._processed += _count(relayed, "published")
                    swept = await self._run_job(SWEEP, self._scheduled_event("drain"))
                    self._processed += _count(swept, "enqueued")
                    await self._idle()
                    if self._processed == before:
                        failed = (
                            sum(undelivered for _, undelivered in results) + bool(relayed.error) + bool(swept.error)
                        )
                        break
            finally:
                self._draining = 0
            depths = await self._aws.depths()
            parked = sum(depths[queue]["visible"] for queue in set(self._template.dead_letters.values()))
        failed += max(0, parked - self._parked)
        self._parked = parked
        return {"processed": self._processed - processed, "failed": failed}

    async def _idle(self) -> None:
        """Wait until no queue with a consumer has a message that is visible or being worked on."""
        queues = {source.queue for source in self._template.sources}
        while True:
            depths = await self._aws.depths()
            if not self._busy and not any(depths[queue]["visible"] or depths[queue]["inFlight"] for queue in queues):
                return
            await asyncio.sleep(0.01)

    async def _poll(self, source: EventSource) -> None:
        places = asyncio.Semaphore(source.concurrency or DEFAULT_CONCURRENCY)
        while True:
            await places.acquire()
            await self._let_answers_pass()
            try:
                messages = await self._receive(source)
            except (aiohttp.ClientError, AwsError, TimeoutError) as error:
                if isinstance(error, TimeoutError):  # that queues are away, or not made again yet, is said elsewhere
                    self._say(f"ERROR {source.queue} cannot be read: {error}")
                messages = []
                await asyncio.sleep(0.2)
            if messages:
                self._busy += 1
                self._spawn(self._process(source, messages)).add_done_callback(lambda _: places.release())
                if len(messages) < source.batch_size and not self._draining:
                    await asyncio.sleep(GATHER_SECONDS)
            else:
                places.release()
                await asyncio.sleep(0.01)

    async def _let_answers_pass(self) -> None:
        until = time.monotonic() + YIELD_SECONDS
        while self._workers.awaited > CROWD and not self._draining and time.monotonic() < until:
            await asyncio.sleep(GATHER_SECONDS)

    async def _receive(self, source: EventSource) -> list[Message]:
        answer = await self._aws.call(
            "sqs",
            "ReceiveMessage",
            QueueUrl=self._aws.queue_url(source.queue),
            MaxNumberOfMessages=source.batch_size,
            WaitTimeSeconds=0 if self._draining else LONG_POLL_SECONDS,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages: list[Message] = answer.get("Messages", [])
        return messages

    async def _process(self, source: EventSource, messages: list[Message]) -> None:
        try:
            event = json.dumps({"Records": [_record(source.queue, message) for message in messages]}).encode()
            result = await self._workers.invoke(source.function, event)
            failed = _failed_ids(result, {message["MessageId"] for message in messages}, source.partial)
            done = [message for message in messages if message["MessageId"] not in failed]
            if done:
                entries = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(done)]
                url = self._aws.queue_url(source.queue)
                await self._aws.call("sqs", "DeleteMessageBatch", QueueUrl=url, Entries=entries)
            self._processed += len(done)
            for message in messages:
                key = source.queue, message["MessageId"]
                self._waiting.pop(key, None)
                if message not in done:
                    self._waiting[key] = message["ReceiptHandle"]
                    if self._draining:
                        await self._retry_now(*key)
        except (aiohttp.ClientError, AwsError, TimeoutError) as error:
            self._say(f"ERROR {source.queue} cannot be updated: {error}")
        finally:
            self._busy -= 1

    async def _retry_now(self, queue: str, message_id: str) -> None:
        """Make a failed message visible again without waiting for its visibility timeout."""
        handle = self._waiting.pop((queue, message_id), "")
        with suppress(AwsError):  # it became visible by itself in the meantime
            url = self._aws.queue_url(queue)
            await self._aws.call(
                "sqs", "ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0
            )

    async def _keep(self, schedule: Schedule, expression: Expression) -> None:
        """Run a schedule in real time; its events carry the stack's clock."""
        period = LOCAL_SECONDS.get(schedule.function) or expression.period
        while True:
            await asyncio.sleep(period or 60 - time.time() % 60)
            if not period and not expression.matches(datetime.now(UTC)):
                continue
            event = schedule.input.encode() if schedule.input else self._scheduled_event(schedule.name)
            await self._run_job(schedule.function, event)

    async def _run_job(self, function: str, event: bytes) -> Result:
        """Run a job, never twice at the same time."""
        async with self._jobs[function]:
            known = function in self._template.functions
            return await self._workers.invoke(function, event) if known else Result()

    def _scheduled_event(self, name: str) -> bytes:
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": ACCOUNT,
            "time": self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": REGION,
            "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}"],
            "detail": {},
        }
        return json.dumps(event).encode()

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _record(queue: str, message: Message) -> dict[str, Any]:
    attributes = {
        name: {"dataType": value["DataType"], "stringValue": value.get("StringValue")}
        for name, value in message.get("MessageAttributes", {}).items()
    }
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": attributes,
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
        "awsRegion": REGION,
    }


def _count(ran: Result, name: str) -> int:
    """A count that a job answered."""
    report = None if ran.error else ran.value()
    return int(report.get(name, 0)) if isinstance(report, dict) else 0


def _failed_ids(result: Result, ids: set[str], partial: bool) -> set[str]:
    """The messages that return to the queue: all of them after an error, or when the report makes no sense."""
    if result.error:
        return ids
    report = result.value() if partial else None
    failures = (report.get("batchItemFailures") if isinstance(report, dict) else None) or []
    try:
        named = {failure["itemIdentifier"] for failure in failures}
    except (TypeError, KeyError):
        return ids
    return named if named <= ids else ids
