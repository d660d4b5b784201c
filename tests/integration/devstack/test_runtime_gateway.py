"""The gateway over real HTTP: what reaches a function, what comes back, and API Gateway's own limits."""

import asyncio
import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from devstack import gateway
from tests.integration.devstack.local import Local, until

ECHO = """
import json, os, time

def lambda_handler(event, context):
    match event["rawPath"]:
        case "/binary":
            png = {"content-type": "image/png"}
            return {"statusCode": 200, "headers": png, "body": "AP8=", "isBase64Encoded": True}
        case "/cookies":
            cors = {"Access-Control-Allow-Origin": "*"}
            return {"statusCode": 200, "cookies": ["a=1; Path=/", "b=2"], "headers": cors}
        case "/nothing":
            return {"statusCode": 204}
        case "/text":
            return "plain"
        case "/size":
            return {"statusCode": 200, "body": "x" * int(event["queryStringParameters"]["bytes"])}
        case "/no-response":
            return {"statusCode": "never"}
        case "/raise":
            raise RuntimeError("secret detail")
        case "/slow":
            time.sleep(int(event["queryStringParameters"]["seconds"]))
        case "/until":
            while not os.path.exists(event["queryStringParameters"]["file"]):
                time.sleep(0.005)
            open(event["queryStringParameters"]["file"] + ".done", "w").close()
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(event)}
"""
EVENTS = """{
  Default: {Type: HttpApi, Properties: {ApiId: !Ref Api}},
  Item: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: '/items/{id}'}},
  Scarce: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: /scarce}},
}"""
ORIGIN = "https://app.example"
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def local(new_local: Callable[[], Local]) -> Local:
    local = new_local()
    local.resources(f"""
        Api:
          Type: AWS::Serverless::HttpApi
          Properties:
            CorsConfiguration:
              AllowOrigins: ['{ORIGIN}']
              AllowMethods: [GET, POST]
              AllowHeaders: [authorization]
              ExposeHeaders: [location]
              MaxAge: 600
            RouteSettings:
              GET /scarce: {{ThrottlingRateLimit: 0.01, ThrottlingBurstLimit: 2}}
    """)
    local.function("echo", ECHO, events=EVENTS, timeout=2)
    only_post = "{Post: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: POST, Path: /broken}}}"
    local.function("broken", "def lambda_handler(:\n", events=only_post)
    local.start()
    return local


class Answer:
    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def json(self) -> Any:
        return json.loads(self.body)


def call(local: Local, method: str, path: str, **options: Any) -> Answer:
    async def scenario() -> Answer:
        async with local.http.request(method, path, **options) as response:
            return Answer(response.status, response.headers, await response.read())

    answer: Answer = local.run(scenario())
    return answer


def raw(local: Local, request: bytes) -> bytes:
    """What the server sends for these bytes, until it has closed the connection."""

    async def scenario() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", local.port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        return answer

    answer: bytes = local.run(scenario())
    return answer


def test_a_function_gets_the_request_as_payload_2(local: Local) -> None:
    answer = call(
        local,
        "GET",
        "/items/a%20b?tag=x&tag=y",
        headers=[("X-Many", "1"), ("X-Many", "2"), ("Cookie", "a=1"), ("Host", "shop.example:81")],
    )
    event = answer.json()
    assert (event["version"], event["routeKey"]) == ("2.0", "GET /items/{id}")
    assert (event["rawPath"], event["rawQueryString"]) == ("/items/a b", "tag=x&tag=y")
    assert event["pathParameters"] == {"id": "a b"}
    assert event["headers"]["x-many"] == "1,2"
    assert event["cookies"] == ["a=1"]
    assert event["requestContext"]["domainName"] == "shop.example:81"
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
    assert answer.headers["apigw-requestid"] == event["requestContext"]["requestId"]


def test_every_method_reaches_the_default_route(local: Local) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"):
        event = call(local, method, "/anything").json()
        assert (event["routeKey"], event["requestContext"]["http"]["method"]) == ("$default", method)
    head = call(local, "HEAD", "/anything")
    assert (head.status, head.body) == (200, b"")


def test_bodies_are_text_or_base64_and_never_decompressed(local: Local) -> None:
    as_json = {"content-type": "application/json"}
    text = call(local, "POST", "/", data="é".encode(), headers=as_json).json()
    assert (text["body"], text["isBase64Encoded"]) == ("é", False)
    packed = gzip.compress(b"{}")
    binary = call(local, "POST", "/", data=packed, headers={**as_json, "content-encoding": "gzip"}).json()
    assert (base64.b64decode(binary["body"]), binary["isBase64Encoded"]) == (packed, True)
    form = call(local, "POST", "/", data={"a": "1"}).json()
    assert form["isBase64Encoded"] is True


def test_kinds_of_responses(local: Local) -> None:
    binary = call(local, "GET", "/binary")
    assert (binary.body, binary.headers["content-type"]) == (b"\x00\xff", "image/png")
    assert call(local, "GET", "/cookies").headers.getall("set-cookie") == ["a=1; Path=/", "b=2"]
    nothing = call(local, "GET", "/nothing")
    assert (nothing.status, nothing.body) == (204, b"")
    plain = call(local, "GET", "/text")
    assert (plain.body, plain.headers["content-type"]) == (b"plain", "application/json")


@pytest.mark.parametrize("path", ["/no-response", "/raise", "/slow?seconds=60"])
def test_a_failing_function_is_a_500_without_details(local: Local, path: str) -> None:
    answer = call(local, "GET", path)
    assert (answer.status, answer.json()) == (500, {"message": "Internal Server Error"})


def test_code_that_does_not_load_says_why_in_the_answer(local: Local) -> None:
    answer = call(local, "POST", "/broken")
    assert answer.status == 500
    assert "functions/broken/app.py, line 1" in answer.json()["errorMessage"]


def test_the_gateway_gives_up_after_its_limit_and_the_function_runs_on(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "INTEGRATION_SECONDS", 0.3)
    gate = local.root / "gate"
    answer = call(local, "GET", f"/until?file={gate}")
    assert (answer.status, answer.json()) == (503, {"message": "Service Unavailable"})
    gate.touch()
    local.run(until(gate.with_suffix(".done").exists))


def test_bodies_over_six_megabytes_are_refused_after_they_were_read(local: Local) -> None:
    headers = {"content-type": "text/plain"}
    assert call(local, "POST", "/nothing", data=b"x" * (6 * MEGABYTE - 2000), headers=headers).status == 204
    for size in (6 * MEGABYTE - 10, 6 * MEGABYTE + 1, 20 * MEGABYTE):
        answer = call(local, "POST", "/nothing", data=b"x" * size, headers=headers)
        assert (answer.status, answer.json()) == (413, {"message": "Request Too Long"})


def test_responses_over_six_megabytes_are_a_500(local: Local) -> None:
    assert len(call(local, "GET", f"/size?bytes={6 * MEGABYTE - 100}").body) == 6 * MEGABYTE - 100
    assert call(local, "GET", f"/size?bytes={6 * MEGABYTE}").status == 500


def test_header_limits(local: Local) -> None:
    assert len(call(local, "GET", "/", headers={"x-long": "h" * 10_000}).json()["headers"]["x-long"]) == 10_000
    for headers in ({"x-long": "h" * 10_241}, {f"x-{number}": "h" * 1000 for number in range(11)}):
        answer = call(local, "GET", "/", headers=headers)
        assert (answer.status, answer.json()) == (431, {"message": "Request Header Fields Too Large"})
    assert call(local, "GET", "/", headers={"x-long": "h" * 100_000}).status == 400


def test_throttling_is_per_route(local: Local) -> None:
    statuses = [call(local, "GET", "/scarce").status for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    assert call(local, "GET", "/scarce").json() == {"message": "Too Many Requests"}
    assert call(local, "POST", "/scarce").status == 200


def test_preflights_are_answered_by_the_gateway(local: Local) -> None:
    asking = {"Access-Control-Request-Method": "POST"}
    allowed = call(local, "OPTIONS", "/items/1", headers={"Origin": ORIGIN, **asking})
    assert (allowed.status, allowed.body) == (204, b"")
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert allowed.headers["access-control-allow-methods"] == "GET,POST"
    assert allowed.headers["access-control-allow-headers"] == "authorization"
    assert allowed.headers["access-control-max-age"] == "600"
    other = call(local, "OPTIONS", "/items/1", headers={"Origin": "https://evil.example", **asking})
    assert other.status == 204
    assert not [name for name in other.headers if name.lower().startswith("access-control-")]


def test_only_configured_origins_get_cors_headers_whatever_the_function_says(local: Local) -> None:
    allowed = call(local, "GET", "/cookies", headers={"Origin": ORIGIN})
    assert allowed.headers.getall("access-control-allow-origin") == [ORIGIN]
    assert allowed.headers["access-control-expose-headers"] == "location"
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {}):
        assert "access-control-allow-origin" not in call(local, "GET", "/cookies", headers=headers).headers
    assert call(local, "GET", "/raise", headers={"Origin": ORIGIN}).headers["access-control-allow-origin"] == ORIGIN


def test_pipelined_requests_are_answered_in_order(local: Local) -> None:
    one = b"GET /items/%d HTTP/1.1\r\nHost: a\r\n"
    requests = b"".join(one % number + b"\r\n" for number in range(5)) + one % 5 + b"Connection: close\r\n\r\n"
    answer = raw(local, requests)
    assert answer.count(b"HTTP/1.1 200 OK") == 6
    positions = [answer.index(b'"rawPath": "/items/%d"' % number) for number in range(6)]
    assert positions == sorted(positions)


@pytest.mark.parametrize(
    "request_",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nnot a size\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ],
)
def test_what_is_no_request_is_a_400(local: Local, request_: bytes) -> None:
    assert raw(local, request_).startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))


@pytest.mark.parametrize(
    "target", ["/%", "/%00", "/%ff", "//x/../y", "/items/..%2f..%2fetc", "/?%00=%ff&&=", "http://b.example/x", "/é☃"]
)
def test_strange_targets_do_no_harm(local: Local, target: str) -> None:
    request = b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % target.encode()
    assert raw(local, request)[8:12] in (b" 200", b" 400")


def test_a_client_that_leaves_harms_nobody(local: Local) -> None:
    async def scenario() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", local.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    local.run(scenario())
    assert call(local, "GET", "/nothing").status == 204


def test_every_request_leaves_one_line_on_the_console(local: Local) -> None:
    local.lines.clear()
    call(local, "GET", "/items/1?secret=1")
    (line,) = local.lines
    assert line.startswith("GET /items/1 200 ")
    assert line.endswith(" ms echo")
