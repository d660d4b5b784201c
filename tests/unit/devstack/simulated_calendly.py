"""A simulated Calendly and a receiver of its webhooks, for tests without the rest of the stack."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from devstack.clock import Clock
from devstack.simulators.calendly import CLIENT_ID, Calendly
from tests.unit.devstack.simulated import PARTY, Receiver, keys, played, served

REDIRECT = f"{PARTY}/api/calendly/callback"
VERIFIER = "verifier-of-at-least-forty-three-characters-0123456789"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
SCOPES = "users:read event_types:read availability:read scheduled_events:write webhooks:write"
NOW = datetime(2027, 3, 1, 9, tzinfo=UTC)
CASEY = "casey.coach@example.com"


@dataclass
class Simulated(Receiver):
    calendly: Calendly = field(kw_only=True)
    clock: Clock = field(kw_only=True)
    http: aiohttp.ClientSession = field(kw_only=True)
    hook_url: str = field(kw_only=True)
    token: str = ""

    async def code(self, **changes: str) -> dict[str, str]:
        """What the browser brings back from the consent page."""
        query = {"client_id": CLIENT_ID, "redirect_uri": REDIRECT, "response_type": "code", "scope": SCOPES}
        query |= {"state": "s1", "code_challenge": CHALLENGE, "code_challenge_method": "S256", **changes}
        async with self.http.get("/_sim/calendly/oauth/authorize", params=query, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}

    async def grant(self, **form: str) -> tuple[int, Any]:
        headers = {"Authorization": aiohttp.encode_basic_auth(CLIENT_ID, keys().calendly_client_secret)}
        async with self.http.post("/_sim/calendly/oauth/token", data=form, headers=headers) as answer:
            return answer.status, await answer.json()

    async def signed_in(self, **changes: str) -> Any:
        back = await self.code(**changes)
        form = {"grant_type": "authorization_code", "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
        status, pair = await self.grant(code=back["code"], **form)
        assert status == 200, pair
        self.token = pair["access_token"]
        return pair

    async def api(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"/_sim/calendly{path}"
        async with self.http.request(method, url, json=body, params=query, headers=headers) as answer:
            return answer.status, json.loads(await answer.text() or "null")

    async def people(self, action: str, **arguments: Any) -> Any:
        async with self.http.post(f"/_sim/calendly/_people/{action}", json=arguments) as answer:
            return await answer.json()

    async def control(self, **options: Any) -> None:
        async with self.http.post("/_sim/calendly/_control", json=options) as answer:
            assert answer.status == 200, await answer.text()

    async def subscribed(self, **changes: Any) -> tuple[int, Any]:
        me = (await self.api("GET", "/users/me"))[1]["resource"]
        body = {"url": self.hook_url, "organization": me["current_organization"], "user": me["uri"], "scope": "user"}
        events = ["invitee.created", "invitee.canceled", "invitee_no_show.created", "event_type.updated"]
        return await self.api("POST", "/webhook_subscriptions", {**body, "events": events, **changes})


def simulate(directory: Path, scenario: Callable[[Simulated], Awaitable[None]]) -> None:
    played(simulated(directory), scenario)


@asynccontextmanager
async def simulated(directory: Path) -> AsyncIterator[Simulated]:
    """A Calendly with its state in a directory; its clock stands at NOW."""
    receiver, clock = Receiver(), Clock()
    await clock.pin(NOW)
    calendly = Calendly(directory, clock, keys(), url=PARTY)
    async with receiver.listening("/webhooks/calendly") as url, served(calendly) as http:
        yield Simulated(
            receiver.received, receiver.answers, calendly=calendly, clock=clock, http=http, hook_url=f"{url}?hook=1"
        )
