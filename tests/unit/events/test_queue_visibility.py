"""Against SQS as moto plays it: a postponed message stays hidden, under the URL that its ARN says."""

from typing import Any

import boto3
import pytest
from moto import mock_aws

from coachline import events
from coachline.events import RetryLater, queue_consumer


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    events._sqs.cache_clear()
    with mock_aws():
        yield boto3.client("sqs")
    events._sqs.cache_clear()


def test_a_postponed_message_is_hidden_for_as_long_as_was_asked(aws: Any) -> None:
    queue = aws.create_queue(QueueName="Events", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
    arn = aws.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.send_message(QueueUrl=queue, MessageBody="{}")
    (message,) = aws.receive_message(QueueUrl=queue)["Messages"]
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSourceARN": arn,
    }

    def handler(_: dict[str, Any]) -> None:
        raise RetryLater(600)

    assert queue_consumer(handler)({"Records": [record]}, None)["batchItemFailures"]
    assert "Messages" not in aws.receive_message(QueueUrl=queue)
