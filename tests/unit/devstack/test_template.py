"""template.yaml as the local stack reads it."""

import json
from pathlib import Path

import pytest

from devstack.config import StackError
from devstack.template import EventSource, Queue, Route, Rule, Schedule, Template, load

TEXT = """
AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  Stage: {Type: String, Default: dev}
  Origins: {Type: String, Default: 'https://a.example,https://b.example'}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsNotProd: !Not [!Condition IsProd]
Globals:
  Function:
    Handler: app.lambda_handler
    Timeout: 15
    MemorySize: 512
    Environment:
      Variables:
        STAGE: !Ref Stage
        API_GATE_KEY: !Sub '{{resolve:secretsmanager:${Stage}-gate:SecretString}}'
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      CorsConfiguration: {AllowOrigins: !Split [',', !Ref Origins], MaxAge: 600}
      DefaultRouteSettings: {ThrottlingRateLimit: 5, ThrottlingBurstLimit: 10}
      RouteSettings:
        GET /api/orders: {ThrottlingBurstLimit: 1}
  OrdersFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/api/orders/
      MemorySize: !If [IsProd, 1024, 256]
      ReservedConcurrentExecutions: !If [IsProd, !Ref AWS::NoValue, 2]
      Environment:
        Variables:
          QUEUE_URL: !Ref OrdersQueue
          QUEUE_ARN: !GetAtt OrdersQueue.Arn
          BUS: !Ref Bus
          NAME: !Sub ['${Stage}-${what}-${!kept}-${AWS::Region}-${OrdersQueue.QueueName}', {what: orders}]
      Events:
        List: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: get, Path: /api/orders}}
        Any: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: '*', Path: '/files/{path+}'}}
        Rest: {Type: HttpApi, Properties: {ApiId: !Ref Api}}
        Queue:
          Type: SQS
          Properties:
            Queue: !GetAtt OrdersQueue.Arn
            BatchSize: 5
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: {MaximumConcurrency: 3}
        Nightly: {Type: ScheduleV2, Properties: {ScheduleExpression: 'cron(0 2 * * ? *)'}}
        Off: {Type: Schedule, Properties: {Schedule: rate(1 minute), Enabled: false}}
  OrdersQueue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub '${Stage}-orders'
      VisibilityTimeout: 90
      RedrivePolicy: {deadLetterTargetArn: !GetAtt OrdersDead.Arn, maxReceiveCount: 4}
  OrdersDead: {Type: AWS::SQS::Queue}
  OnlyProdQueue: {Type: AWS::SQS::Queue, Condition: IsProd}
  NotProdQueue: {Type: AWS::SQS::Queue, Condition: IsNotProd}
  Bus: {Type: AWS::Events::EventBus, Properties: {Name: !Join ['-', [bus, !Ref Stage]]}}
  Shipped:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      EventPattern: {detail-type: [OrderShipped]}
      Targets: [{Id: orders, Arn: !GetAtt OrdersQueue.Arn}]
  Role: {Type: AWS::IAM::Role, Properties: {Policies: [!Sub '${AWS::Partition}']}}
"""
ARN = "arn:aws:sqs:us-east-1:123456789012:"


def read(tmp_path: Path, text: str = TEXT, **parameters: str) -> Template:
    path = tmp_path / "template.yaml"
    path.write_text(text)
    return load(path, endpoint="http://aws", parameters=parameters, variables={"API_GATE_KEY": "local"})


def test_functions_have_their_settings_and_resolved_environment(tmp_path: Path) -> None:
    function = read(tmp_path).functions["orders"]
    assert function.code_dir == tmp_path / "functions/api/orders"
    assert (function.handler, function.timeout) == ("app.lambda_handler", 15)
    assert (function.memory, function.reserved) == (256, 2)
    assert function.environment == {
        "STAGE": "dev",
        "API_GATE_KEY": "local",
        "QUEUE_URL": "http://aws/123456789012/dev-orders",
        "QUEUE_ARN": f"{ARN}dev-orders",
        "BUS": "bus-dev",
        "NAME": "dev-orders-${kept}-us-east-1-dev-orders",
    }


def test_parameters_decide_conditions(tmp_path: Path) -> None:
    template = read(tmp_path, Stage="prod")
    function = template.functions["orders"]
    assert (function.memory, function.reserved) == (1024, None)
    assert [queue.name for queue in template.queues] == ["prod-orders", "OrdersDead", "OnlyProdQueue"]


def test_routes_queues_rules_and_schedules(tmp_path: Path) -> None:
    template = read(tmp_path)
    assert template.routes == [
        Route("GET", "/api/orders", "orders"),
        Route("ANY", "/files/{path+}", "orders"),
        Route("ANY", "$default", "orders"),
    ]
    redrive = json.dumps({"deadLetterTargetArn": f"{ARN}OrdersDead", "maxReceiveCount": 4})
    assert template.queues == [
        Queue("dev-orders", {"VisibilityTimeout": "90", "RedrivePolicy": redrive}),
        Queue("OrdersDead", {}),
        Queue("NotProdQueue", {}),
    ]
    assert template.dead_letters == {"dev-orders": "OrdersDead"}
    assert template.sources == [EventSource("dev-orders", "orders", batch_size=5, partial=True, concurrency=3)]
    assert template.schedules == [Schedule("orders", "OrdersFunctionNightly", "cron(0 2 * * ? *)", "UTC", None)]
    targets = [{"Id": "orders", "Arn": f"{ARN}dev-orders"}]
    assert template.rules == [Rule("bus-dev", "Shipped", {"detail-type": ["OrderShipped"]}, targets)]
    assert template.buses == ["bus-dev"]


def test_the_api_has_its_cors_and_throttling(tmp_path: Path) -> None:
    template = read(tmp_path)
    assert template.cors == {"AllowOrigins": ["https://a.example", "https://b.example"], "MaxAge": 600}
    assert template.throttling == {
        "": {"ThrottlingRateLimit": 5, "ThrottlingBurstLimit": 10},
        "GET /api/orders": {"ThrottlingBurstLimit": 1},
    }


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("!Ref Bus", "!Ref Boss", "OrdersFunction: .*Boss"),
        ("API_GATE_KEY: !Sub '{{", "OTHER: !Sub '{{", "no value for the variable OTHER"),
        ("Type: SQS", "Type: Kinesis", "no event source of type Kinesis"),
        ("Resources:", "Resources: [", "cannot read"),
    ],
)
def test_what_it_cannot_read_is_named(tmp_path: Path, before: str, after: str, message: str) -> None:
    with pytest.raises(StackError, match=message):
        read(tmp_path, TEXT.replace(before, after, 1))
