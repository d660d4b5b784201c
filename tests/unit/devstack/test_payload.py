"""Payload format 2.0: events and responses."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from devstack.payload import BadResponseError, Reply, Request, decoded_headers, split_target, to_event, to_reply

REQUEST = Request(
    method="POST",
    path="/api/orders/a b",
    query="tag=x&tag=y&empty=&q=caf%C3%A9+au%20lait",
    headers=[
        ("host", "127.0.0.1:3000"),
        ("content-type", "application/json"),
        ("x-many", "one"),
        ("cookie", "a=1; b=2"),
        ("x-many", "two"),
        ("cookie", "c=3"),
        ("user-agent", "test"),
    ],
    body='{"ok": "é"}'.encode(),
    source_ip="127.0.0.1",
    protocol="HTTP/1.1",
    id="request-1",
)


def event(request: Request = REQUEST, **parameters: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(to_event(request, "POST /api/orders/{id}", parameters))
    return made


def test_the_event_has_the_shape_of_payload_2() -> None:
    made = event(id="a b")
    context = made.pop("requestContext")
    assert made == {
        "version": "2.0",
        "routeKey": "POST /api/orders/{id}",
        "rawPath": "/api/orders/a b",
        "rawQueryString": "tag=x&tag=y&empty=&q=caf%C3%A9+au%20lait",
        "cookies": ["a=1", "b=2", "c=3"],
        "headers": {
            "host": "127.0.0.1:3000",
            "content-type": "application/json",
            "x-many": "one,two",
            "user-agent": "test",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-port": "3000",
            "x-forwarded-proto": "http",
        },
        "queryStringParameters": {"tag": "x,y", "empty": "", "q": "café au lait"},
        "pathParameters": {"id": "a b"},
        "body": '{"ok": "é"}',
        "isBase64Encoded": False,
    }
    assert context["http"] == {
        "method": "POST",
        "path": "/api/orders/a b",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "test",
    }
    assert (context["stage"], context["requestId"], context["routeKey"]) == ("$default", "request-1", made["routeKey"])
    assert isinstance(context["timeEpoch"], int)
    assert context["time"].endswith(" +0000")


def test_what_a_request_does_not_have_is_not_in_the_event() -> None:
    made = event(replace(REQUEST, query="", headers=[], body=b""))
    assert not {"cookies", "queryStringParameters", "pathParameters", "body"} & made.keys()
    assert made["isBase64Encoded"] is False


@pytest.mark.parametrize(
    ("content_type", "body", "encoded"),
    [
        ("application/json; charset=utf-8", b"{}", False),
        ("APPLICATION/JSON", b"{}", False),
        ("text/csv", b"a,b", False),
        ("application/json", b"\xff", True),
        ("application/x-www-form-urlencoded", b"a=1", True),
        ("application/problem+json", b"{}", True),
        ("application/jsonp", b"{}", True),
        ("multipart/form-data; boundary=x", b"--x", True),
        (None, b"{}", True),
    ],
)
def test_only_text_arrives_as_text(content_type: str | None, body: bytes, encoded: bool) -> None:
    headers = [("content-type", content_type)] if content_type else []
    made = event(replace(REQUEST, headers=headers, body=body))
    assert made["isBase64Encoded"] is encoded
    assert (base64.b64decode(made["body"]) if encoded else made["body"].encode()) == body


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/a/b?x=1&y=?", ("/a/b", "x=1&y=?")),
        ("/a%20b/%C3%A9/%2Fc%00?q=%20", ("/a b/é//c\0", "q=%20")),
        ("//double", ("//double", "")),
        ("/bad%FFbyte%zz", ("/bad�byte%zz", "")),
        ("http://other.example/path?q", ("/path", "q")),
        ("*", None),
        ("", None),
        ("http://other.example", None),
    ],
)
def test_targets(target: str, expected: tuple[str, str] | None) -> None:
    assert split_target(target) == expected


def test_header_bytes_that_are_no_utf8_do_no_harm() -> None:
    headers = decoded_headers([(b"X-Name", b" caf\xe9 "), (b"X-Other", "☃".encode())])
    assert headers == [("x-name", "caf�"), ("x-other", "☃")]
    assert event(replace(REQUEST, headers=headers))["headers"]["x-other"] == "☃"


@pytest.mark.parametrize(
    ("result", "body"),
    [({"a": 1}, '{"a": 1}'), ("plain", "plain"), ([1], "[1]"), (None, "null"), (True, "true")],
)
def test_a_result_without_a_status_is_the_body(result: Any, body: str) -> None:
    assert to_reply(json.dumps(result).encode()) == Reply(200, [("content-type", "application/json")], body.encode())


def test_a_full_response() -> None:
    result = {
        "statusCode": "201",
        "headers": {"Content-Type": "application/json", "X-Count": 3, "X-On": True, "Content-Length": "99"},
        "cookies": ["a=1; Path=/", "b=2"],
        "body": "é",
    }
    reply = to_reply(json.dumps(result).encode())
    assert reply.status == 201
    assert reply.headers == [
        ("content-type", "application/json"),
        ("x-count", "3"),
        ("x-on", "true"),
        ("set-cookie", "a=1; Path=/"),
        ("set-cookie", "b=2"),
    ]
    assert reply.body == "é".encode()


def test_a_binary_response() -> None:
    result = {"statusCode": 200, "body": base64.b64encode(b"\x00\xff").decode(), "isBase64Encoded": True}
    reply = to_reply(json.dumps(result).encode())
    assert (reply.body, reply.headers) == (b"\x00\xff", [("content-type", "text/plain;charset=UTF-8")])


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": "many"},
        {"statusCode": None},
        {"statusCode": 99},
        {"statusCode": 600},
        {"statusCode": 200, "body": {"not": "a string"}},
        {"statusCode": 200, "headers": ["x"]},
        {"statusCode": 200, "headers": {"x": "a\r\nset-cookie: b"}},
        {"statusCode": 200, "headers": {"": "x"}},
        {"statusCode": 200, "cookies": ["a\n"]},
        {"statusCode": 200, "body": "no base64!", "isBase64Encoded": True},
    ],
)
def test_what_is_no_response(result: Any) -> None:
    with pytest.raises(BadResponseError):
        to_reply(json.dumps(result).encode())
