"""API Gateway HTTP API, payload format 2.0: from an HTTP request to a Lambda's event, from its result to a response.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html, and for what it
leaves open (which bodies are text, that rawPath is decoded) what people captured from the real service.
"""

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from devstack.intrinsics import ACCOUNT

# Every other type arrives in base64: forms, problem+json, and bodies without a type too.
_TEXT = re.compile(r"(text/[^;]*|application/(json|xml|javascript))\s*(;|$)", re.IGNORECASE)
_GATEWAYS_OWN = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding", "upgrade"}


class BadResponseError(Exception):
    """The function's result is not a response: the caller gets a 500."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str  # decoded, as in rawPath
    query: str
    headers: list[tuple[str, str]]  # names in lower case, in the order in which they came
    body: bytes
    source_ip: str
    protocol: str
    id: str

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


@dataclass(frozen=True)
class Reply:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


def split_target(target: str) -> tuple[str, str] | None:
    """A request line's target as decoded path and raw query; None when it has no path."""
    target = target.encode(errors="surrogateescape").decode(errors="replace")
    path, _, query = target.partition("#")[0].partition("?")
    path = re.sub(r"^https?://[^/]*", "", path, flags=re.IGNORECASE)
    return (unquote(path, errors="replace"), query) if path.startswith("/") else None


def decoded_headers(raw: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1").lower(), value.decode(errors="replace").strip()) for name, value in raw]


def to_event(request: Request, route_key: str, parameters: dict[str, str]) -> bytes:
    """The event as JSON."""
    now = datetime.now(UTC)
    host = request.header("host")
    headers: dict[str, str] = {}
    cookies: list[str] = []
    port = host.rpartition(":")[2] if ":" in host else "80"
    forwarded = {"x-forwarded-for": request.source_ip, "x-forwarded-port": port, "x-forwarded-proto": "http"}
    for name, value in [*request.headers, *forwarded.items()]:
        if name == "cookie":
            cookies += [cookie.strip() for cookie in value.split(";") if cookie.strip()]
        else:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    query: dict[str, str] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": request.protocol,
                "sourceIp": request.source_ip,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request.id,
            "routeKey": route_key,
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        event["queryStringParameters"] = query
    if parameters:
        event["pathParameters"] = parameters
    if request.body:
        event["body"], event["isBase64Encoded"] = _body(request)
    return json.dumps(event, ensure_ascii=False).encode()


def _body(request: Request) -> tuple[str, bool]:
    if _TEXT.match(request.header("content-type")):
        try:
            return request.body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(request.body).decode(), True


def to_reply(payload: bytes) -> Reply:
    """The response that a function's result means; BadResponseError when it means none."""
    result = json.loads(payload)
    if not isinstance(result, dict) or "statusCode" not in result:
        body = result.encode() if isinstance(result, str) else payload
        return Reply(200, [("content-type", "application/json")], body)
    try:
        return _explicit_reply(result)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadResponseError(f"{type(error).__name__}: {error}") from error


def _explicit_reply(result: dict[str, Any]) -> Reply:
    status, body = int(result["statusCode"]), result.get("body")
    if not 200 <= status <= 599:
        raise ValueError(f"statusCode {status}")
    if body is not None and not isinstance(body, str):
        raise TypeError(f"body is a {type(body).__name__}, not a string")
    headers = [(name.lower(), _text(value)) for name, value in (result.get("headers") or {}).items()]
    headers = [(name, value) for name, value in headers if name not in _GATEWAYS_OWN]
    headers += [("set-cookie", _text(cookie)) for cookie in result.get("cookies") or []]
    if any(re.search(r"[\r\n\0]", name + value) or not name for name, value in headers):
        raise ValueError("a header has a line break in it")
    if status != 204 and not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain;charset=UTF-8"))
    raw = base64.b64decode(body or "", validate=True) if result.get("isBase64Encoded") else (body or "").encode()
    return Reply(status, headers, raw)


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)
