"""Serves the template's routes over HTTP as an API Gateway HTTP API does, limits and error answers included."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from devstack.payload import BadResponseError, Reply, Request, decoded_headers, split_target, to_event, to_reply
from devstack.template import Route, Template
from devstack.workers import AWAY, PAYLOAD_BYTES, Workers

HEADER_BYTES = 10_240
DISCARDED_BYTES = 64 * 1024 * 1024
INTEGRATION_SECONDS = 30.0
LOCAL_NAMES = ("127.0.0.1", "localhost")
SERVER: dict[str, Any] = {  # how aiohttp has to listen for this
    "access_log": None,
    "auto_decompress": False,
    "keepalive_timeout": 75.0,
    "max_field_size": 65_536,  # what API Gateway refuses is refused below
    "max_line_size": 65_536,
}


class Router:
    """Finds the most specific route: fixed segments before {variables}, those before {greedy+}, then $default."""

    def __init__(self, routes: list[Route]) -> None:
        self._default = next((route for route in routes if route.path == "$default"), None)
        self._routes = sorted(
            ((route, route.path.split("/")) for route in routes if route.path != "$default"),
            key=lambda item: ([_rank(segment) for segment in item[1]], item[0].method == "ANY"),
        )

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route and its path parameters."""
        segments = path.split("/")
        for route, pattern in self._routes:
            if route.method in (method, "ANY") and (parameters := _parameters(pattern, segments)) is not None:
                return route, parameters
        return (self._default, {}) if self._default else None


def _rank(segment: str) -> int:
    return 2 if segment.endswith("+}") else 1 if segment.startswith("{") else 0


def _parameters(pattern: list[str], segments: list[str]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for index, part in enumerate(pattern):
        rest = segments[index:]
        if part.endswith("+}") and rest != [""] and rest:
            return found | {part[1:-2]: "/".join(rest)}
        if not rest or (part.startswith("{") and not rest[0]) or (not part.startswith("{") and part != rest[0]):
            return None
        if part.startswith("{"):
            found[part[1:-1]] = rest[0]
    return found if len(pattern) == len(segments) else None


@dataclass
class Bucket:
    """A token bucket: `burst` calls at once, refilled by `rate` a second."""

    rate: float
    burst: float
    tokens: float
    filled: float

    def take(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + (now - self.filled) * self.rate)
        self.filled = now
        allowed = self.tokens >= 1
        self.tokens -= allowed
        return allowed


class RefusedError(Exception):
    """The gateway answers by itself."""

    def __init__(self, status: int, message: str, **more: object) -> None:
        body = json.dumps({"message": message, **more}, indent=2 if more else None)
        self.reply = Reply(status, [("content-type", "application/json")], body.encode())


class Gateway:
    def __init__(self, template: Template, workers: Workers, say: Callable[[str], None], origins: list[str]) -> None:
        """`origins` are allowed besides those that the template allows: where the local stack itself is served."""
        self._router = Router(template.routes)
        self._throttling = template.throttling
        self._cors = template.cors
        self._origins = {*template.cors.get("AllowOrigins", []), *origins}
        self._workers = workers
        self._say = say
        self._buckets: dict[str, Bucket | None] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        started, request_id, function = time.perf_counter(), str(uuid.uuid4()), "-"
        try:
            body = await _read(request)
            if preflight := self._preflight(request):
                reply = preflight
            else:
                function, event = self._admit(request, request_id, body)
                reply = await self._integrate(request, function, event)
        except RefusedError as refused:
            reply = refused.reply
        milliseconds = (time.perf_counter() - started) * 1000
        path = request.raw_path.partition("?")[0][:200]
        self._say(f"{request.method} {path} {reply.status} {milliseconds:.0f} ms {function}")
        response = web.Response(status=reply.status, body=None if reply.status in (204, 304) else reply.body)
        for name, value in [*reply.headers, *self._cors_headers(request.headers.get("Origin"))]:
            response.headers.add(name, value)
        response.headers["apigw-requestid"] = request_id
        return response

    def _admit(self, request: web.Request, request_id: str, body: bytes | None) -> tuple[str, bytes]:
        """The function that serves a request and the event that it gets, else RefusedError."""
        if sum(len(value) for _, value in request.raw_headers) + len(request.raw_path) > HEADER_BYTES:
            raise RefusedError(431, "Request Header Fields Too Large")
        target = split_target(request.raw_path)
        if target is None:
            raise RefusedError(400, "Bad Request")
        found = self._router.match(request.method, target[0])
        if found is None:
            raise RefusedError(404, "Not Found")
        route, parameters = found
        key = route.path if route.path == "$default" else f"{route.method} {route.path}"
        if not self._within_rate(key):
            raise RefusedError(429, "Too Many Requests")
        if body is None:
            raise RefusedError(413, "Request Too Long")
        protocol, remote = f"HTTP/{request.version.major}.{request.version.minor}", request.remote or "127.0.0.1"
        headers = decoded_headers(request.raw_headers)
        event = to_event(Request(request.method, *target, headers, body, remote, protocol, request_id), key, parameters)
        if len(event) > PAYLOAD_BYTES:
            raise RefusedError(413, "Request Too Long")
        return route.function, event

    async def _integrate(self, request: web.Request, function: str, event: bytes) -> Reply:
        until = time.monotonic() + INTEGRATION_SECONDS

        def given_up() -> bool:
            return request.transport is None or time.monotonic() > until

        # Shielded: when the gateway gives up, a function that has begun runs on, as it does in Lambda.
        running = asyncio.create_task(self._workers.invoke(function, event, given_up))
        try:
            result = await asyncio.wait_for(asyncio.shield(running), INTEGRATION_SECONDS)
        except TimeoutError:
            raise RefusedError(503, "Service Unavailable") from None
        if result.error and result.error["errorType"] == AWAY:
            raise RefusedError(503, "Service Unavailable")
        if result.error:  # code that does not load says why: help that only the local gateway gives
            details = {"function": function, **result.error} if result.in_init else {}
            raise RefusedError(500, "Internal Server Error", **details)
        try:
            reply = to_reply(result.payload)
        except BadResponseError as error:
            self._say(f"ERROR {function} answered what is no response: {error}")
            raise RefusedError(500, "Internal Server Error") from None
        if self._cors:  # the configuration decides alone
            reply.headers[:] = [item for item in reply.headers if not item[0].startswith("access-control-")]
        return reply

    def _within_rate(self, key: str) -> bool:
        if key not in self._buckets:
            settings = self._throttling.get("", {}) | self._throttling.get(key, {})
            rate, burst = (float(settings.get(f"Throttling{kind}Limit", 0)) for kind in ("Rate", "Burst"))
            self._buckets[key] = Bucket(rate, burst, burst, time.monotonic()) if rate and burst else None
        bucket = self._buckets[key]
        return bucket is None or bucket.take(time.monotonic())

    def _preflight(self, request: web.Request) -> Reply | None:
        asked = request.method == "OPTIONS" and {"Origin", "Access-Control-Request-Method"} <= request.headers.keys()
        if not self._cors or not asked:
            return None
        headers = []
        if self._allowed(request.headers["Origin"]):
            for key, name in (("AllowMethods", "methods"), ("AllowHeaders", "headers")):
                if values := self._cors.get(key):
                    headers.append((f"access-control-allow-{name}", ",".join(values)))
            if "MaxAge" in self._cors:
                headers.append(("access-control-max-age", str(self._cors["MaxAge"])))
        return Reply(204, headers, b"")

    def _allowed(self, origin: str) -> bool:
        return origin in self._origins or "*" in self._origins

    def _cors_headers(self, origin: str | None) -> Iterator[tuple[str, str]]:
        if self._cors and origin and self._allowed(origin):
            yield "access-control-allow-origin", "*" if "*" in self._origins else origin
            yield "vary", "origin"
            if self._cors.get("AllowCredentials"):
                yield "access-control-allow-credentials", "true"
            if exposed := self._cors.get("ExposeHeaders"):
                yield "access-control-expose-headers", ",".join(exposed)


async def _read(request: web.Request) -> bytes | None:
    """The body; None when it is over the limit: even then it is read to its end, or clients see a reset."""
    body, size = bytearray(), 0
    try:
        async for part in request.content.iter_any():
            size += len(part)
            if size <= PAYLOAD_BYTES:
                body += part
            elif size > DISCARDED_BYTES:
                break
    except web.RequestPayloadError:
        raise RefusedError(400, "Bad Request") from None
    return bytes(body) if size <= PAYLOAD_BYTES else None


def is_local(request: web.Request) -> bool:
    """A page elsewhere whose name was pointed at this machine (DNS rebinding) must not read keys and sign-ins."""
    return request.host.rpartition(":")[0] in LOCAL_NAMES or request.host in LOCAL_NAMES
