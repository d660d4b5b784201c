"""Calendly: OAuth, the API that a connected coach's data is read with, and signed webhooks to his subscriptions.

Shapes and limits: Calendly's API reference and OpenAPI document. `/_people/{action}` is what coaches and invitees do on
Calendly's own pages, `/_log` what was asked and answered since `_control {"record": true}`;
`/_captured` the deliveries that were kept back since `_control {"capture": true}`.
"""

import base64
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from multidict import MultiMapping

from devstack.clock import Clock
from devstack.config import Keys
from devstack.simulators.base import Row, Simulator
from devstack.simulators.calendly_hooks import Hooks
from devstack.simulators.calendly_oauth import OAuth
from devstack.simulators.calendly_people import People
from devstack.simulators.calendly_world import API, CalendlyError, World, instant, refuse, stamp

CLIENT_ID = "coachline-local"
REQUESTS_PER_MINUTE = 500


class Calendly(Simulator):
    """Calendly with one application, ours, whose redirects and webhooks come back to `url`."""

    name = "calendly"

    def __init__(self, directory: Path, clock: Clock, keys: Keys, *, url: str) -> None:
        super().__init__(directory, clock)
        self.hooks = Hooks(self.store, self.faults, key=keys.calendly_webhook_key, now=lambda: stamp(self.world.now()))
        self.webhooks = self.hooks.webhooks
        self.world = World(self.store, clock, self.hooks.notify)
        redirect = f"{url}/api/calendly/callback"
        secret = keys.calendly_client_secret
        self.oauth = OAuth(self.store, self.world, client_id=CLIENT_ID, secret=secret, redirect_uri=redirect)
        self._limit = REQUESTS_PER_MINUTE
        self._recording = False
        self._log: list[Row] = []
        self._grants = 0
        self._windows: dict[str, tuple[float, int]] = {}
        routes: dict[str, tuple[str, Callable[[_Call], Any]]] = {
            "GET /users/me": ("users:read", lambda call: {"resource": call.user}),
            "GET /event_types": ("event_types:read", self._event_types),
            "GET /event_types/{id}": ("event_types:read", self._event_type),
            "GET /scheduled_events": ("scheduled_events:read", self._events),
            "GET /scheduled_events/{id}": ("scheduled_events:read", self._event),
            "GET /scheduled_events/{id}/invitees": ("scheduled_events:read", self._invitees),
            "GET /scheduled_events/{id}/invitees/{invitee}": ("scheduled_events:read", self._invitee),
            "POST /scheduled_events/{id}/cancellation": ("scheduled_events:write", self._cancel),
            "POST /invitee_no_shows": ("scheduled_events:write", self._mark_no_show),
            "DELETE /invitee_no_shows/{id}": ("scheduled_events:write", self._withdraw_no_show),
            "GET /user_busy_times": ("availability:read", self._busy_times),
            "GET /webhook_subscriptions": ("webhooks:read", self._list_hooks),
            "POST /webhook_subscriptions": ("webhooks:write", lambda call: self.hooks.create(call.user, call.body)),
            "GET /webhook_subscriptions/{id}": ("webhooks:read", lambda call: self.hooks.one(call.user, call.id)),
            "DELETE /webhook_subscriptions/{id}": (
                "webhooks:write",
                lambda call: self.hooks.delete(call.user, call.id),
            ),
        }
        for route, (scope, handler) in routes.items():
            method, path = route.split()
            self.app.router.add_route(method, path, self._answered(scope, handler))
        self.app.router.add_get("/oauth/authorize", self.oauth.authorize)
        self.app.router.add_post("/oauth/token", self._token)
        self.app.router.add_post("/oauth/revoke", self.oauth.revoke)
        self.app.router.add_post("/_people/{action}", People(self.world, self.oauth, self.hooks).act)
        self.app.router.add_get("/_log", self._show_log)
        self.app.router.add_get("/_captured", self._show_captured)

    @staticmethod
    def variables(url: str) -> dict[str, str]:
        """What functions read to reach this Calendly, and to be reached."""
        there = dict.fromkeys(("CALENDLY_API_URL", "CALENDLY_AUTH_URL"), f"{url}/_sim/calendly")
        return {**there, "CALENDLY_CLIENT_ID": CLIENT_ID, "PUBLIC_URL": url, "WEB_URL": url}

    def error(self, status: int) -> web.Response:
        if status == 429:
            headers = {"Retry-After": "1", "X-RateLimit-Limit": str(self._limit), "X-RateLimit-Reset": "1"}
            return CalendlyError(429, "Too Many Requests", "Rate limit exceeded.", headers=headers).response
        return CalendlyError(500, "Internal Server Error", "The server encountered an unexpected condition.").response

    async def control(self, options: Row) -> None:
        self._limit = int(options.pop("rateLimit", self._limit))
        recording = options.pop("record", self._recording)
        if "capture" in options:
            self.hooks.captured = [] if options.pop("capture") else None
        await super().control(options)
        self._recording = bool(recording)
        if not self._recording:
            self._log, self._grants = [], 0

    async def reset(self) -> None:
        await self.webhooks.forget()
        await super().reset()
        self._limit, self._windows, self._log = REQUESTS_PER_MINUTE, {}, []

    # ---- Event types, bookings, busy times

    def _event_types(self, call: "_Call") -> Row:
        owner = self._subject(call)
        found = self.world.all("event_type", deleted_at=None)
        found = [row for row in found if row["profile"]["owner"] in owner]
        if active := call.query.get("active"):
            found = [row for row in found if row["active"] == (active == "true")]
        return _page(call, [_of_api(row) for row in sorted(found, key=lambda row: (row["name"], row["uri"]))])

    def _event_type(self, call: "_Call") -> Row:
        return {"resource": _of_api(self.world.get("event_type", f"{API}/event_types/{call.id}"))}

    def _events(self, call: "_Call") -> Row:
        hosts = self._subject(call)
        found = [e for e in self.world.all("event") if e["event_memberships"][0]["user"] in hosts]
        if status := call.query.get("status"):
            found = [event for event in found if event["status"] == status]
        if first := call.query.get("min_start_time"):
            found = [event for event in found if event["start_time"] >= stamp(instant(first, "min_start_time"))]
        if last := call.query.get("max_start_time"):
            found = [event for event in found if event["start_time"] < stamp(instant(last, "max_start_time"))]
        descending = call.query.get("sort") == "start_time:desc"
        return _page(call, sorted(found, key=lambda e: (e["start_time"], e["uri"]), reverse=descending))

    def _event(self, call: "_Call") -> Row:
        return {"resource": self.world.get("event", f"{API}/scheduled_events/{call.id}")}

    def _invitees(self, call: "_Call") -> Row:
        event = self.world.get("event", f"{API}/scheduled_events/{call.id}")
        self._own(call, event["event_memberships"][0]["user"])
        return _page(call, self.world.all("invitee", event=event["uri"]))

    def _invitee(self, call: "_Call") -> Row:
        uri = f"{API}/scheduled_events/{call.id}/invitees/{call.invitee}"
        return {"resource": self.world.get("invitee", uri)}

    def _cancel(self, call: "_Call") -> tuple[int, Row]:
        event = self.world.get("event", f"{API}/scheduled_events/{call.id}")
        self._own(call, event["event_memberships"][0]["user"])
        [invitee] = self.world.all("invitee", event=event["uri"])
        canceled = self.world.cancel(invitee["uri"], by="host", reason=call.body.get("reason"))
        return 201, {"resource": canceled["cancellation"]}

    def _mark_no_show(self, call: "_Call") -> tuple[int, Row]:
        return 201, {"resource": self.world.mark_no_show(str(call.body.get("invitee")))}

    def _withdraw_no_show(self, call: "_Call") -> tuple[int, None]:
        self.world.withdraw_no_show(f"{API}/invitee_no_shows/{call.id}")
        return 204, None

    def _busy_times(self, call: "_Call") -> Row:
        self._own(call, call.query.get("user", ""))
        start, end = (instant(call.query.get(name), name) for name in ("start_time", "end_time"))
        if end <= start or end - start > timedelta(days=7):
            raise refuse(400, "date range can not be greater than 1 week (7 days)", "end_time")
        return {"collection": self.world.busy_times(call.user["uri"], start, end)}

    def _list_hooks(self, call: "_Call") -> Row:
        self._subject(call)
        return _page(call, self.world.all("hook", user=call.user["uri"]))

    async def _token(self, request: web.Request) -> web.Response:
        response = await self.oauth.token(request)
        if self._recording and response.status == 200:
            self._grants += 1
        return response

    async def _show_log(self, _: web.Request) -> web.Response:
        return web.json_response({"calls": self._log, "grants": self._grants})

    async def _show_captured(self, _: web.Request) -> web.Response:
        return web.json_response(self.hooks.captured or [])

    # ---- Requests

    def _subject(self, call: "_Call") -> set[str]:
        """Whose rows are asked for: `user` or `organization`, one of which is needed; here everyone sees his own."""
        user, organization = call.query.get("user"), call.query.get("organization")
        if not user and not organization:
            raise refuse(400, "must be present", "user")
        self._own(call, user or call.user["uri"])
        if organization and organization != call.user["current_organization"]:
            raise refuse(403, "You do not have permission to access this resource.")
        return {call.user["uri"]}

    @staticmethod
    def _own(call: "_Call", user_uri: str) -> None:
        if user_uri != call.user["uri"]:
            raise refuse(403, "You do not have permission to access this resource.")

    def _limited(self, user_uri: str) -> dict[str, str]:
        """Count a request in real time, per user and minute; 429 past the limit."""
        began, used = self._windows.get(user_uri, (0.0, 0))
        if time.time() - began >= 60:
            began, used = time.time(), 0
        self._windows[user_uri] = began, used + 1
        reset = str(max(1, int(began + 60 - time.time())))
        left = max(0, self._limit - used - 1)
        headers = {
            "X-RateLimit-Limit": str(self._limit),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": reset,
        }
        if used >= self._limit:
            raise CalendlyError(
                429, "Too Many Requests", "Rate limit exceeded.", headers=headers | {"Retry-After": reset}
            )
        return headers

    def _answered(
        self, scope: str, handler: Callable[["_Call"], Any]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            raw = await request.read()
            headers: dict[str, str] = {}
            document: Any = None
            try:
                user = self.oauth.user_of(request.headers.get("Authorization", ""), scope)
                headers = self._limited(user["uri"])
                body = _json(raw)
                document = handler(_Call(user, request.query, body, **dict(request.match_info)))
                status, document = document if isinstance(document, tuple) else (200, document)
            except CalendlyError as error:
                status, document, headers = error.status, error.body, {**headers, **error.headers}
            if self._recording:
                asked = {"method": request.method, "path": request.path, "query": list(request.query.items())}
                sent = {"type": request.content_type if raw else None, "body": json.loads(raw) if raw else None}
                self._log.append({**asked, **sent, "status": status, "answer": document})
            text = None if document is None else json.dumps(document)
            return web.Response(status=status, text=text, content_type="application/json", headers=headers)

        return answer


@dataclass(frozen=True)
class _Call:
    user: Row
    query: MultiMapping[str]
    body: Row
    id: str = ""
    invitee: str = ""


Answer = Callable[[_Call], Any]


def _page(call: _Call, rows: list[Row]) -> Row:
    """A page as all of Calendly's lists have it; `page_token` is opaque, and count 1 to 100."""
    count, token = call.query.get("count", "20"), call.query.get("page_token", "")
    if not count.isdecimal() or not 1 <= int(count) <= 100:
        raise refuse(400, "must be a number between 1 and 100", "count")
    try:
        start = int(base64.urlsafe_b64decode(token)) if token else 0
    except ValueError:
        raise refuse(400, "is invalid", "page_token") from None
    tokens = {"next": start + int(count), "previous": start - int(count)}
    wanted = {"next": tokens["next"] < len(rows), "previous": start > 0}
    pagination: Row = {"count": len(rows[start : start + int(count)])}
    for name, offset in tokens.items():
        token = base64.urlsafe_b64encode(str(max(0, offset)).encode()).decode()
        query = {**{key: value for key, value in call.query.items() if key != "page_token"}, "page_token": token}
        pagination[f"{name}_page"] = f"{API}/page?{urlencode(query)}" if wanted[name] else None
        pagination[f"{name}_page_token"] = token if wanted[name] else None
    return {"collection": rows[start : start + int(count)], "pagination": pagination}


def _of_api(event_type: Row) -> Row:
    """An event type as lists show it: webhooks say nothing of kind_description."""
    kind = {"round_robin": "Round Robin", "collective": "Collective"}.get(event_type["pooling_type"] or "")
    return event_type | {"kind_description": kind or ("Group" if event_type["kind"] == "group" else "One-on-One")}


def _json(raw: bytes) -> Row:
    try:
        body = json.loads(raw or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise refuse(400, "The request body is not valid JSON.")
    return body
