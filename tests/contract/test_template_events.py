"""events/: one sample per function, each with the shape in which AWS delivers it."""

import base64
import json
import re
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types

from tests.contract.template_file import ROOT, events, folder, functions, group, routes


def samples(*groups: str) -> list[Any]:
    return [
        pytest.param(function, json.loads((ROOT / "events" / f"{folder(function).name}.json").read_text()), id=name)
        for name, function in functions().items()
        if group(function) in groups
    ]


def test_every_function_has_one_sample() -> None:
    names = {path.stem for path in (ROOT / "events").iterdir()}
    assert names == {folder(function).name for function in functions().values()}


@pytest.mark.parametrize(("function", "event"), samples("api", "webhooks"))
def test_a_request_is_one_of_the_function_s_routes(function: dict[str, Any], event: dict[str, Any]) -> None:
    keys = {path if path == "$default" else f"{method} {path}" for method, path in routes(function)}
    http = event["requestContext"]["http"]
    assert event["version"] == "2.0"
    assert event["routeKey"] == event["requestContext"]["routeKey"]
    assert event["routeKey"] in keys
    assert event["rawPath"] == http["path"]
    assert event["requestContext"]["stage"] == "$default"
    if event["routeKey"] != "$default":
        method, path = event["routeKey"].split(" ")
        assert http["method"] == method
        assert path.format(**event.get("pathParameters", {})) == event["rawPath"]


@pytest.mark.parametrize(("function", "event"), samples("api", "webhooks"))
def test_a_request_has_the_headers_and_body_of_payload_2(function: dict[str, Any], event: dict[str, Any]) -> None:
    headers = event["headers"]
    assert [name for name in headers if name != name.lower()] == []
    assert "multiValueHeaders" not in event
    assert bool(event["rawQueryString"]) == bool(event.get("queryStringParameters"))
    if "body" in event:
        body = base64.b64decode(event["body"]) if event["isBase64Encoded"] else event["body"].encode()
        assert headers["content-type"] == "application/json"
        assert int(headers["content-length"]) == len(body)
        assert isinstance(json.loads(body), dict)


@pytest.mark.parametrize(("function", "event"), samples("api", "webhooks"))
def test_a_sample_holds_no_credential(function: dict[str, Any], event: dict[str, Any]) -> None:
    assert event["headers"].get("authorization", "Bearer <session token>") == "Bearer <session token>"
    assert event["headers"].get("svix-signature", "v1,<signature>") == "v1,<signature>"


@pytest.mark.parametrize(("function", "event"), samples("consumers"))
def test_a_batch_names_what_is_stored(function: dict[str, Any], event: dict[str, Any]) -> None:
    [source] = events(function, "SQS")
    queue = source["Queue"]["Fn::GetAtt"].removesuffix(".Arn")
    assert len({record["messageId"] for record in event["Records"]}) == len(event["Records"]) >= 1
    for record in event["Records"]:
        assert record["eventSource"] == "aws:sqs"
        assert queue in record["eventSourceARN"]
        assert int(record["attributes"]["ApproximateReceiveCount"]) >= 1
        body = json.loads(record["body"])
        named = body["detail"]["eventId"] if "detail" in body else next(iter(body.values()))
        assert UUID(named)


@pytest.mark.parametrize(("function", "event"), samples("jobs"))
def test_a_schedule_s_event_carries_its_time(function: dict[str, Any], event: dict[str, Any]) -> None:
    assert (event["source"], event["detail-type"], event["detail"]) == ("aws.events", "Scheduled Event", {})
    assert re.fullmatch(r"arn:aws:events:[\w-]+:\d{12}:rule/[\w-]+", event["resources"][0])
    assert event["time"].endswith("Z")
    assert datetime.fromisoformat(event["time"]).second == 0


@pytest.mark.parametrize(("function", "event"), samples("api"))
def test_a_request_fits_the_published_document(function: dict[str, Any], event: dict[str, Any]) -> None:
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())
    if event["routeKey"] == "$default":
        return
    method, path = event["routeKey"].split(" ")
    operation = document["paths"][path][method.lower()]
    parameters = {p["name"]: p["schema"] for p in operation.get("parameters", []) if p["in"] == "query"}
    assert event.get("queryStringParameters", {}).keys() <= parameters.keys()
    assert ("body" in event) == ("requestBody" in operation)
    if "body" in event:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        Draft202012Validator(schema | {"components": document["components"]}).validate(json.loads(event["body"]))
