"""Queues, the rules that feed them, and what watches over them."""

from typing import Any

import pytest

from tests.contract.template_file import environment, events, functions, group, resources, template


def alarms_on(queue: str, metric: str) -> list[str]:
    return [
        name
        for name, alarm in resources("AWS::CloudWatch::Alarm").items()
        if alarm.get("MetricName") == metric
        and alarm["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": f"{queue}.QueueName"}}]
    ]


def queues() -> list[str]:
    return [name for name in resources("AWS::SQS::Queue") if not name.endswith("DeadLetterQueue")]


def consumers(queue: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    return [
        (name, function, event)
        for name, function in functions().items()
        for event in events(function, "SQS")
        if event["Queue"] == {"Fn::GetAtt": f"{queue}.Arn"}
    ]


@pytest.mark.parametrize("queue", queues())
def test_a_queue_has_a_dead_letter_queue_and_alarms(queue: str) -> None:
    redrive = resources("AWS::SQS::Queue")[queue]["RedrivePolicy"]
    dead = redrive["deadLetterTargetArn"]["Fn::GetAtt"].removesuffix(".Arn")
    assert dead == f"{queue.removesuffix('Queue')}DeadLetterQueue"
    assert resources("AWS::SQS::Queue")[dead]["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert 5 <= redrive["maxReceiveCount"] <= 8
    assert alarms_on(dead, "ApproximateNumberOfMessagesVisible")
    assert alarms_on(queue, "ApproximateAgeOfOldestMessage")


@pytest.mark.parametrize("queue", queues())
def test_a_queue_stands_beside_its_one_consumer(queue: str) -> None:
    [(name, function, event)] = consumers(queue)
    order = list(template()["Resources"])
    assert order.index(queue) == order.index(name) + 1
    assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert event["ScalingConfig"]["MaximumConcurrency"] >= 2
    timeout = function.get("Timeout", template()["Globals"]["Function"]["Timeout"])
    assert resources("AWS::SQS::Queue")[queue]["VisibilityTimeout"] >= 6 * timeout


def rules() -> list[str]:
    return list(resources("AWS::Events::Rule"))


@pytest.mark.parametrize("rule", rules())
def test_a_rule_of_the_bus_feeds_the_queue_it_is_named_after_and_alone_may(rule: str) -> None:
    name, given = rule.removesuffix("Rule"), resources("AWS::Events::Rule")[rule]
    queue, dead = f"{name}Queue", f"{name}DeadLetterQueue"
    assert given["EventBusName"] == {"Ref": "EventBus"}
    assert given["EventPattern"]["source"] == ["coachline"]
    [target] = given["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": f"{queue}.Arn"}
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": f"{dead}.Arn"}}
    policy = resources("AWS::SQS::QueuePolicy")[f"{name}QueuePolicy"]
    assert policy["Queues"] == [{"Ref": queue}, {"Ref": dead}]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert (statement["Principal"], statement["Action"]) == ({"Service": "events.amazonaws.com"}, "sqs:SendMessage")
    assert statement["Resource"] == [{"Fn::GetAtt": f"{each}.Arn"} for each in (queue, dead)]
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": f"{rule}.Arn"}}}
    order = list(template()["Resources"])
    assert order.index(rule) == order.index(dead) + 1


def test_the_sweeper_knows_every_queue_that_a_webhook_fills() -> None:
    filled = {
        (variable, value["Ref"])
        for function in functions().values()
        if group(function) == "webhooks"
        for variable, value in environment(function).items()
        if variable.endswith("_QUEUE_URL")
    }
    assert filled <= {
        (k, v["Ref"])
        for k, v in environment(functions()["InboxSweepFunction"]).items()
        if isinstance(v, dict) and "Ref" in v
    }
