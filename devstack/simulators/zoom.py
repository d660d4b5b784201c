"""Zoom: server-to-server tokens, meetings, reports, rate limits, and signed webhooks about what happens in a meeting.

Shapes: Zoom's OpenAPI of 2021 with what changed since; limits and webhooks: developers.zoom.us. Every address is a user
of the account, except those that /_control calls strangers.
"""

import asyncio
import base64
import hmac
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import aiohttp
from aiohttp import web
from multidict import MultiMapping

from devstack.clock import Clock
from devstack.config import Keys
from devstack.simulators.base import Row, Simulator, Webhooks
from devstack.simulators.zoom_limits import PER_SECOND, Limits, ZoomError
from devstack.simulators.zoom_meetings import ACCOUNT_ID, InvalidFieldsError, Meetings, report_row

ZOOM_SECRETS_ID = "coachline/local/zoom"
CLIENT_ID = "zoomLocalStack"
DEFAULT_HOST = "studio@coachline.example"
RETRY_SECONDS = (0, 300, 1200, 3600)
DELIVERY_SECONDS = 3.0
TOKEN_SECONDS = 3600
PAGE_TOKEN_SECONDS = 900
DELETE_SECONDS = 0.01  # in which another call to delete is one too many


class Zoom(Simulator):
    """One account and its app."""

    name = "zoom"

    def __init__(self, directory: Path, clock: Clock, keys: Keys, *, receiver: str) -> None:
        super().__init__(directory, clock)
        self._client = (CLIENT_ID, keys.zoom_client_secret)
        self._secret = keys.zoom_webhook_secret
        self._receiver = receiver
        self._limits = Limits(self.store, clock)
        self._deleting: set[str] = set()
        self._pages: dict[str, tuple[int, float]] = {}
        self.meetings = Meetings(self.store, clock, self._notify)
        self.webhooks = Webhooks(
            self.store, self.faults, url=receiver, sign=self._signed, schedule=RETRY_SECONDS, seconds=DELIVERY_SECONDS
        )
        self.app.router.add_post("/oauth/token", self._token)
        routes: dict[str, tuple[str, int, Callable[[_Call], Awaitable[Any]]]] = {
            "POST /v2/users/{user}/meetings": ("Medium", 201, self._create),
            "GET /v2/users/{user}/meetings": ("Medium", 200, self._list),
            "GET /v2/meetings/{id}": ("Light", 200, self._get),
            "PATCH /v2/meetings/{id}": ("Light", 204, self._change),
            "DELETE /v2/meetings/{id}": ("Light", 204, self._delete),
            "PUT /v2/meetings/{id}/status": ("Light", 204, self._status),
            "GET /v2/past_meetings/{id}/instances": ("Medium", 200, self._instances),
            "GET /v2/past_meetings/{uuid}": ("Light", 200, self._past),
            "GET /v2/past_meetings/{uuid}/participants": ("Medium", 200, self._participants),
            "GET /v2/report/meetings/{uuid}/participants": ("Heavy", 200, self._participants),
        }
        for route, (category, status, handler) in routes.items():
            method, path = route.split()
            self.app.router.add_route(method, path, self._answered(category, status, handler))

    @property
    def credentials(self) -> Row:
        """What the app's secret holds."""
        client_id, client_secret = self._client
        named = {"accountId": ACCOUNT_ID, "clientId": client_id, "clientSecret": client_secret}
        return named | {"defaultHost": DEFAULT_HOST}

    def variables(self, url: str) -> dict[str, str]:
        """What functions that talk to Zoom read from their environment, when this is served at `url`."""
        base = f"{url}/_sim/zoom"
        return {"ZOOM_SECRETS_ID": ZOOM_SECRETS_ID, "ZOOM_API_URL": f"{base}/v2", "ZOOM_AUTH_URL": base}

    def error(self, status: int) -> web.Response:
        if status == 429:
            return self._limits.too_fast("Light").response
        return ZoomError(status, status, "Internal error").response

    async def control(self, options: Row) -> None:
        """Besides faults: `act` (what happens in meetings), `strangers` (no users of ours), revokeTokens, challenge."""
        actions, strangers = options.pop("act", []), options.pop("strangers", None)
        revoke, challenge = options.pop("revokeTokens", False), options.pop("challenge", False)
        await super().control(options)
        for action in actions:
            self.meetings.act(action)
        if strangers is not None:
            self.store.put("strangers", "all", {"emails": [str(email).lower() for email in strangers]})
        if revoke:
            for row in self.store.all("token"):
                self.store.delete("token", row["id"])
        if challenge:
            await self.challenge()

    async def reset(self) -> None:
        await self.webhooks.forget()
        await super().reset()

    async def challenge(self) -> bool:
        """Validate the webhook's address, as Zoom does every 72 hours."""
        token = secrets.token_urlsafe(16)
        raw = json.dumps(self._envelope("endpoint.url_validation", {"plainToken": token})).encode()
        headers = {"content-type": "application/json", **self._signed("", raw)}
        expected = {
            "plainToken": token,
            "encryptedToken": hmac.new(self._secret.encode(), token.encode(), "sha256").hexdigest(),
        }
        timeout = aiohttp.ClientTimeout(total=DELIVERY_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.post(self._receiver, data=raw, headers=headers) as answer,
        ):
            if answer.status != 200 or await answer.json() != expected:
                raise ValueError(f"the challenge was answered {answer.status}")
        return True

    # ---- Tokens

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        try:
            scheme, _, given = request.headers.get("Authorization", "").partition(" ")
            client = tuple(base64.b64decode(given).decode().split(":", 1)) if scheme == "Basic" else ()
        except ValueError:
            client = ()
        if client != self._client:
            return web.json_response(
                {"reason": "Invalid client_id or client_secret", "error": "invalid_client"}, status=400
            )
        if form.get("grant_type") != "account_credentials" or form.get("account_id") != ACCOUNT_ID:
            return web.json_response({"reason": "Bad Request", "error": "invalid_request"}, status=400)
        token = f"eyJ{secrets.token_urlsafe(40)}"
        self.store.put("token", token, {"id": token, "until": time.time() + TOKEN_SECONDS})
        scope = "meeting:write:admin meeting:read:admin report:read:admin"
        body = {"access_token": token, "token_type": "bearer", "expires_in": TOKEN_SECONDS - 1, "scope": scope}
        return web.json_response(body)

    # ---- Calls

    def _answered(self, category: str, status: int, handler: Callable[["_Call"], Awaitable[Any]]) -> Any:
        async def answer(request: web.Request) -> web.Response:
            try:
                self._authenticate(request)
                left = self._limits.take(category)
                body = await _body(request)
                result = await handler(_Call(dict(request.match_info), request.query, body))
            except ZoomError as error:
                return error.response
            except InvalidFieldsError as invalid:
                errors = [{"field": field, "message": message} for field, message in invalid.faults]
                return ZoomError(400, 300, str(invalid), errors=errors).response
            limits = {"X-RateLimit-Category": category, "X-RateLimit-Type": "QPS"}
            limits |= {"X-RateLimit-Limit": str(PER_SECOND[category]), "X-RateLimit-Remaining": str(left)}
            if status == 204:
                return web.Response(status=204, headers=limits)
            return web.json_response(result, status=status, headers=limits)

        return answer

    def _authenticate(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        row = self.store.get("token", token) if scheme.lower() == "bearer" else None
        if row is None or row["until"] < time.time():
            raise ZoomError(401, 124, "Invalid access token.")

    async def _create(self, call: "_Call") -> Row:
        email = self._user(call.path["user"])
        self._limits.count_change(email)
        return self.meetings.shown(self.meetings.create(email, call.body))

    async def _list(self, call: "_Call") -> Row:
        rows = self.meetings.of_host(self._user(call.path["user"]), call.query.get("type", "live"))
        return self._page(call, "meetings", rows)

    async def _get(self, call: "_Call") -> Row:
        return self.meetings.shown(self._meeting(call))

    async def _change(self, call: "_Call") -> None:
        meeting = self._meeting(call)
        self._limits.count_change(meeting["host_email"])
        self.meetings.change(meeting, call.body)

    async def _delete(self, call: "_Call") -> None:
        meeting = self._meeting(call)
        host = meeting["host_email"]
        if host in self._deleting:
            headers = {"X-RateLimit-Category": "Light", "X-RateLimit-Type": "QPS"}
            raise ZoomError(
                429, 429, "Too many concurrent requests. A request to delete is in progress.", headers=headers
            )
        self._deleting.add(host)
        try:
            await asyncio.sleep(DELETE_SECONDS)
            self.meetings.delete(meeting)
        finally:
            self._deleting.discard(host)

    async def _status(self, call: "_Call") -> None:
        meeting = self._meeting(call)
        if call.body.get("action") != "end":
            raise InvalidFieldsError(("action", "action must be end."))
        if meeting["status"] == "started":
            self.meetings.act({"meeting": meeting["id"], "do": "end"})

    async def _instances(self, call: "_Call") -> Row:
        rows = self.meetings.instances(call.path["id"])
        if not rows and self.meetings.find(call.path["id"]) is None:
            raise ZoomError(404, 3001, f"Meeting does not exist: {call.path['id']}.")
        return {"meetings": [{key: row[key] for key in ("uuid", "start_time")} for row in rows]}

    async def _past(self, call: "_Call") -> Row:
        row = self._instance(call)
        people = self.meetings.participants(row["uuid"])
        total = sum(report_row(each, row)["duration"] for each in people) // 60
        return row | {"total_minutes": total, "participants_count": len(people)}

    async def _participants(self, call: "_Call") -> Row:
        instance = self._instance(call)
        rows = [report_row(row, instance) for row in self.meetings.participants(instance["uuid"])]
        return self._page(call, "participants", rows)

    def _user(self, name: str) -> str:
        strangers = (self.store.get("strangers", "all") or {"emails": []})["emails"]
        if name == "me" or "@" not in name or name.lower() in strangers:
            raise ZoomError(404, 1001, f"User does not exist: {name}.")
        return name.lower()

    def _meeting(self, call: "_Call") -> Row:
        if meeting := self.meetings.find(call.path["id"]):
            return meeting
        raise ZoomError(404, 3001, f"Meeting does not exist: {call.path['id']}.")

    def _instance(self, call: "_Call") -> Row:
        """By a uuid, which has to be encoded twice when it holds what a router takes for a separator."""
        once = call.path["uuid"]
        row = None if once.startswith("/") or "//" in once else self.meetings.instance(unquote(once))
        if row is None:
            raise ZoomError(404, 3001, "Meeting does not exist.")
        return row

    def _page(self, call: "_Call", field: str, rows: list[Row]) -> Row:
        size, token = call.query.get("page_size", "30"), call.query.get("next_page_token", "")
        if not size.isdecimal() or not 1 <= int(size) <= 300:
            raise InvalidFieldsError(("page_size", "page_size must be 1 to 300."))
        offset, until = self._pages.get(token, (0, 0.0)) if token else (0, time.monotonic() + 1)
        if until < time.monotonic():
            raise ZoomError(400, 300, "The next page token is invalid or expired.")
        page, more = rows[offset : offset + int(size)], offset + int(size) < len(rows)
        following = secrets.token_urlsafe(24) if more else ""
        if more:
            self._pages[following] = offset + int(size), time.monotonic() + PAGE_TOKEN_SECONDS
        count = -(-len(rows) // int(size))
        about = {"page_count": count, "page_size": int(size), "total_records": len(rows), "next_page_token": following}
        return {**about, field: page}

    # ---- Webhooks

    def _notify(self, event: str, meeting: Row) -> None:
        payload = {"account_id": ACCOUNT_ID, "object": meeting}
        self.webhooks.send(secrets.token_hex(12), json.dumps(self._envelope(event, payload)).encode())

    def _envelope(self, event: str, payload: Row) -> Row:
        return {"event": event, "event_ts": int(self.clock.now().timestamp() * 1000), "payload": payload}

    def _signed(self, _: str, raw: bytes) -> dict[str, str]:
        stamp = str(int(time.time()))
        digest = hmac.new(self._secret.encode(), b"v0:" + stamp.encode() + b":" + raw, "sha256").hexdigest()
        headers = {"x-zm-request-timestamp": stamp, "x-zm-signature": f"v0={digest}"}
        return headers | {"x-zm-trackingid": f"v=2.0;clid=us06;rid=WEB_{secrets.token_hex(16)}"}


@dataclass(frozen=True)
class _Call:
    path: dict[str, str]
    query: MultiMapping[str]
    body: Row


async def _body(request: web.Request) -> Row:
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ZoomError(400, 300, "Request Body should be a valid JSON object.")
    return body
