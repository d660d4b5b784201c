"""A simulated Clerk and a receiver of its webhooks, for tests without the rest of the stack."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from devstack.clock import Clock
from devstack.config import Keys
from devstack.simulators.clerk import Clerk

SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
PARTY = "http://127.0.0.1:3000"
ISSUER = f"{PARTY}/_sim/clerk"


@cache
def keys() -> Keys:
    with TemporaryDirectory() as directory:
        return replace(Keys.load(Path(directory)), clerk_webhook_secret=SECRET)


@dataclass
class Received:
    headers: dict[str, str]
    raw: bytes

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.raw)
        return event


@dataclass
class Simulated:
    clerk: Clerk
    http: aiohttp.ClientSession
    received: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)  # what the receiver answers next; then 204

    async def api(self, method: str, path: str, body: Any = None) -> Any:
        async with self.http.request(method, f"/_sim/clerk{path}", json=body) as response:
            return await response.json() if response.status < 300 else (response.status, await response.json())

    async def arrived(self, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(10):
            while len(self.received) < count:
                await asyncio.sleep(0.005)
        return [received.event for received in self.received]


def simulate(directory: Path, scenario: Callable[[Simulated], Awaitable[None]]) -> None:
    async def run() -> None:
        async with simulated(directory) as running:
            await scenario(running)

    asyncio.run(run())


@asynccontextmanager
async def simulated(directory: Path) -> AsyncIterator[Simulated]:
    """A Clerk with its state in a directory."""

    async def receive(request: web.Request) -> web.Response:
        running.received.append(Received(dict(request.headers), await request.read()))
        return web.Response(status=running.answers.pop(0) if running.answers else 204)

    receiver = web.Application()
    receiver.router.add_post("/webhooks/clerk", receive)
    async with TestServer(receiver) as target:
        clerk = Clerk(directory, Clock(), keys(), url=PARTY, receiver=str(target.make_url("/webhooks/clerk")))
        app = web.Application()
        app.add_subapp("/_sim/clerk", clerk.app)
        async with TestServer(app) as server, aiohttp.ClientSession(server.make_url("/")) as http:
            running = Simulated(clerk, http)
            await clerk.webhooks.start()
            yield running
            await clerk.webhooks.stop()
            clerk.store.close()
