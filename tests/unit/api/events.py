"""HTTP API events (payload 2.0) as API Gateway makes them, and what handlers answer."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def http_event(
    method: str,
    path: str,
    *,
    json_body: Any = None,
    body: str | bytes | None = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """An event; a body of bytes arrives in base64, and `json_body` with its media type."""
    if json_body is not None:
        body, headers = json.dumps(json_body), {"content-type": "application/json", **(headers or {})}
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": urlencode(query or {}),
        "headers": dict(headers or {}),
        **({"queryStringParameters": dict(query)} if query else {}),
        "requestContext": {"stage": "$default", "http": {"method": method, "path": path, "sourceIp": "127.0.0.1"}},
        "isBase64Encoded": isinstance(body, bytes),
        **({"body": base64.b64encode(body).decode() if isinstance(body, bytes) else body} if body is not None else {}),
    }


@dataclass
class Answer:
    """A Lambda response, read as a client would."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        return str(self.json["code"])

    @property
    def places(self) -> list[str]:
        """Where the problem says that something is wrong."""
        return [error.get("pointer") or error["parameter"] for error in self.json.get("errors", [])]


def ask(handler: Handler, event: dict[str, Any]) -> Answer:
    """Invoke a handler; its answer has to be what API Gateway and the Lambda runtime can pass on."""
    response = handler(event, None)
    json.dumps(response, ensure_ascii=False).encode()
    assert isinstance(response["body"], str)
    assert all(isinstance(value, str) for value in response["headers"].values())
    return Answer(response["statusCode"], response["headers"], response["body"])


def asking(handler: Handler) -> Callable[..., Answer]:
    """`ask(handler, http_event(…))` in one word."""

    def asked(method: str, path: str, **parts: Any) -> Answer:
        return ask(handler, http_event(method, path, **parts))

    return asked
