"""Queues, the bus and schedules start functions as the template says, and drain() leaves nothing behind."""

import asyncio
import http.client
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from devstack import triggers
from devstack.aws import AwsError
from tests.integration.devstack.local import Local, until

CONSUMER = """
import json, os, uuid

def lambda_handler(event, context):
    failures = []
    for record in event["Records"]:
        body = json.loads(record["body"])
        note = {"body": body, "record": {key: record[key] for key in ("eventSource", "eventSourceARN", "attributes")}}
        name = uuid.uuid4().hex
        with open(os.environ["NOTES"] + name, "w") as file:
            json.dump(note, file)
        os.rename(file.name, os.path.join(os.environ["NOTES"], name))  # whole, when it is seen
        if body.get("raise"):
            raise RuntimeError("all of them")
        if body.get("fail") or body.get("failTimes", 0) >= int(record["attributes"]["ApproximateReceiveCount"]):
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
"""
JOB = """
import json, os, uuid

def lambda_handler(event, context):
    with open(os.path.join(os.environ["NOTES"], "job-" + uuid.uuid4().hex), "w") as file:
        json.dump(event, file)
"""
RELAY = """
import json, os, boto3

def lambda_handler(event, context):
    outbox = os.path.join(os.environ["NOTES"], "..", "outbox")
    names = sorted(os.listdir(outbox)) if os.path.isdir(outbox) else []
    for name in names:
        entry = {"Source": "coachline", "DetailType": "Told", "Detail": json.dumps({"name": name})}
        boto3.client("events").put_events(Entries=[{**entry, "EventBusName": os.environ["EVENT_BUS_NAME"]}])
        os.remove(os.path.join(outbox, name))
    return {"published": len(names)}
"""
QUEUE = "{Queue: {Type: SQS, Properties: {Queue: !GetAtt Work.Arn, FunctionResponseTypes: [ReportBatchItemFailures]}}}"


@pytest.fixture(scope="module")
def local(new_local: Callable[[], Local]) -> Local:
    local = new_local()
    notes = local.root / "notes"
    notes.mkdir()
    local.resources("""
        Work:
          Type: AWS::SQS::Queue
          Properties:
            VisibilityTimeout: 600
            RedrivePolicy: {deadLetterTargetArn: !GetAtt WorkDead.Arn, maxReceiveCount: 3}
        WorkDead: {Type: AWS::SQS::Queue}
        Bus: {Type: AWS::Events::EventBus, Properties: {Name: bus}}
        Told:
          Type: AWS::Events::Rule
          Properties:
            EventBusName: !Ref Bus
            EventPattern: {detail-type: [Told]}
            Targets: [{Id: work, Arn: !GetAtt Work.Arn}]
    """)
    environment = f"Environment: {{Variables: {{NOTES: {notes}, EVENT_BUS_NAME: !Ref Bus}}}}"
    local.function("consumer", CONSUMER, events=QUEUE, more=environment)
    every_day = "{Daily: {Type: Schedule, Properties: {Schedule: rate(1 day)}}}"
    local.function("outbox_relay", RELAY, events=every_day, more=environment)
    every_hour = "{Hourly: {Type: Schedule, Properties: {Schedule: rate(1 hour)}}}"
    local.function("job", JOB, events=every_hour, more=environment)
    local.start(aws=True)
    return local


@pytest.fixture(autouse=True)
def _started(local: Local) -> None:
    for note in noted(local):
        note.unlink()

    async def start() -> None:
        if not local.triggers._tasks:
            local.triggers.start()

    local.run(start())


def noted(local: Local) -> list[Path]:
    return list((local.root / "notes").iterdir())


def bodies(local: Local) -> list[Any]:
    return [json.loads(note.read_text())["body"] for note in noted(local)]


async def send(local: Local, body: Any) -> None:
    url = local.aws.queue_url("Work")
    await local.aws.call("sqs", "SendMessage", QueueUrl=url, MessageBody=json.dumps(body))


def drain(local: Local) -> dict[str, int]:
    result: dict[str, int] = local.run(local.triggers.drain())
    return result


def test_a_message_reaches_its_consumer_at_once(local: Local) -> None:
    local.run(send(local, {"n": 1}))
    local.run(until(lambda: noted(local)))
    (note,) = [json.loads(path.read_text()) for path in noted(local)]
    assert note["body"] == {"n": 1}
    assert note["record"]["eventSource"] == "aws:sqs"
    assert note["record"]["eventSourceARN"] == "arn:aws:sqs:us-east-1:123456789012:Work"
    assert note["record"]["attributes"]["ApproximateReceiveCount"] == "1"
    drain(local)


def test_a_queue_waits_while_a_crowd_asks_unless_it_is_drained(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers, "YIELD_SECONDS", 600)
    monkeypatch.setattr(local.workers, "awaited", triggers.CROWD + 1)
    local.run(send(local, {"n": 1}))  # for which the stack may be waiting already
    drain(local)
    local.run(send(local, {"n": 2}))
    url = local.aws.queue_url("Work")
    own = local.run(local.aws.call("sqs", "ReceiveMessage", QueueUrl=url, VisibilityTimeout=0, AttributeNames=["All"]))
    (message,) = own["Messages"]
    assert (message["Body"], message["Attributes"]["ApproximateReceiveCount"]) == ('{"n": 2}', "1")
    assert drain(local)["failed"] == 0
    assert bodies(local) in ([{"n": 1}, {"n": 2}], [{"n": 2}, {"n": 1}])


def test_a_queue_does_not_wait_for_ever(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    drain(local)  # else one may be waiting as the test before has told it to
    monkeypatch.setattr(local.workers, "awaited", triggers.CROWD + 1)
    for number in range(3):
        local.run(send(local, {"n": number}))
    local.run(until(lambda: len(noted(local)) == 3))
    assert sorted(body["n"] for body in bodies(local)) == [0, 1, 2]


def test_a_queue_counts_what_waits_what_is_worked_on_and_what_is_held_back(local: Local) -> None:
    async def scenario() -> None:
        url = local.aws.queue_url("WorkDead")

        async def sqs(action: str, **arguments: Any) -> Any:
            return await local.aws.call("sqs", action, QueueUrl=url, **arguments)

        async def counts() -> list[int]:
            answer = (await sqs("GetQueueAttributes", AttributeNames=["All"]))["Attributes"]
            told = [int(answer[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible", "Delayed")]
            assert list((await local.aws.depths())["WorkDead"].values()) == told
            return told

        waiting, _, _ = await counts()
        assert await counts() == [waiting, 0, 0]
        for delay in (0, 0, 600):
            await sqs("SendMessage", MessageBody="x", DelaySeconds=delay)
        assert await counts() == [waiting + 2, 0, 1]
        taken = (await sqs("ReceiveMessage", MaxNumberOfMessages=1, VisibilityTimeout=600))["Messages"]
        assert await counts() == [waiting + 1, 1, 1]
        for _ in range(2):  # a second time is no mistake
            await sqs("DeleteMessage", ReceiptHandle=taken[0]["ReceiptHandle"])
        assert await counts() == [waiting + 1, 0, 1]
        with pytest.raises(AwsError):
            await sqs("DeleteMessage", ReceiptHandle="unknown")
        await sqs("PurgeQueue")
        assert await counts() == [0, 0, 0]

    local.run(scenario())


def test_drain_returns_when_everything_is_handled(local: Local) -> None:
    async def scenario() -> dict[str, int]:
        await asyncio.gather(*(send(local, {"n": number}) for number in range(40)))
        return await local.triggers.drain()

    result = local.run(scenario())
    assert sorted(body["n"] for body in bodies(local)) == list(range(40))
    assert result["failed"] == 0
    assert drain(local) == {"processed": 0, "failed": 0}


def test_drain_tries_a_failed_message_again_without_waiting(local: Local) -> None:
    local.run(send(local, {"failTimes": 2}))
    assert drain(local)["failed"] == 0
    assert bodies(local) == [{"failTimes": 2}] * 3


def test_only_the_failed_messages_of_a_batch_return(local: Local) -> None:
    async def scenario() -> dict[str, int]:
        url = local.aws.queue_url("Work")
        entries = [{"Id": str(n), "MessageBody": json.dumps({"n": n, "failTimes": n % 2})} for n in range(6)]
        await local.aws.call("sqs", "SendMessageBatch", QueueUrl=url, Entries=entries)
        return await local.triggers.drain()

    assert local.run(scenario())["failed"] == 0
    assert sorted(body["n"] for body in bodies(local)) == [0, 1, 1, 2, 3, 3, 4, 5, 5]


@pytest.mark.parametrize("poison", [{"fail": True}, {"raise": True}])
def test_a_message_that_never_succeeds_is_parked_and_counted_once(local: Local, poison: dict[str, bool]) -> None:
    before = local.run(local.aws.depths())["WorkDead"]["visible"]
    local.run(send(local, poison))
    assert drain(local)["failed"] == 1
    assert bodies(local) == [poison] * 3
    assert local.run(local.aws.depths())["WorkDead"]["visible"] == before + 1
    assert drain(local)["failed"] == 0


def test_drain_publishes_the_outbox_and_handles_what_follows(local: Local) -> None:
    outbox = local.root / "outbox"
    outbox.mkdir(exist_ok=True)
    for name in ("first", "second"):
        (outbox / name).touch()
    assert drain(local)["failed"] == 0
    assert sorted(body["detail"]["name"] for body in bodies(local)) == ["first", "second"]
    recorded = local.run(local.aws.events())
    assert [event["detail"] for event in recorded] == [{"name": "first"}, {"name": "second"}]
    assert recorded[0]["detail-type"] == "Told"


def test_drain_reports_what_simulators_could_not_deliver(local: Local) -> None:
    results = [(2, 1), (0, 1)]

    async def deliver() -> tuple[int, int]:
        return results.pop(0) if results else (0, 1)

    local.triggers.deliver.append(deliver)
    assert drain(local) == {"processed": 2, "failed": 1}
    local.triggers.deliver.clear()


def test_a_schedules_event_carries_the_stacks_clock(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(triggers.LOCAL_SECONDS, "job", 0.01)
    local.run(local.clock.pin(datetime(2027, 3, 8, 14, tzinfo=UTC)))

    async def scenario() -> None:
        await local.triggers.stop()
        local.triggers.start()
        await until(lambda: len(list((local.root / "notes").glob("job-*"))) >= 2)

    local.run(scenario())
    local.run(local.clock.pin(None))
    event = json.loads(next((local.root / "notes").glob("job-*")).read_text())
    assert event["time"] == "2027-03-08T14:00:00Z"
    assert (event["detail-type"], event["source"]) == ("Scheduled Event", "aws.events")
    assert event["resources"][0].endswith("rule/JobFunctionHourly")


def test_a_call_of_a_queue_leaves_its_connection_open(local: Local) -> None:
    signed = (
        "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=local"
    )
    headers = {"X-Amz-Target": "AmazonSQS.ListQueues", "Content-Type": "application/x-amz-json-1.0"}
    headers["Authorization"] = signed
    connection = http.client.HTTPConnection(local.aws.endpoint.removeprefix("http://"), timeout=10)
    for _ in range(2):
        connection.request("POST", "/", b"{}", headers)
        answer = connection.getresponse()
        assert (answer.status, answer.will_close) == (200, False)
        assert "QueueUrls" in json.loads(answer.read())
    connection.close()


def test_sent_mail_can_be_looked_at(local: Local) -> None:
    session = boto3.session.Session("local", "local", region_name="us-east-1")
    ses = session.client("sesv2", endpoint_url=local.aws.endpoint)
    ses.create_email_identity(EmailIdentity="coach@example.com")
    ses.send_email(
        FromEmailAddress="coach@example.com",
        Destination={"ToAddresses": ["mentee@example.com"]},
        Content={"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "See you"}}}},
    )
    (mail,) = local.run(local.aws.emails())
    assert mail["destinations"]["ToAddresses"] == ["mentee@example.com"]
    assert (mail["subject"], mail["body"]) == ("Hello", "See you")
