"""A simulated Clerk and a receiver of its webhooks, for tests without the rest of the stack."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from devstack.clock import Clock
from devstack.config import Keys
from devstack.simulators.calendly import Calendly
from devstack.simulators.clerk import Clerk

SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
PARTY = "http://127.0.0.1:3000"
ISSUER = f"{PARTY}/_sim/clerk"
T = TypeVar("T")


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
class Receiver:
    """Who webhooks are sent to."""

    received: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)  # what it answers next; then 204

    @asynccontextmanager
    async def listening(self, path: str) -> AsyncIterator[str]:
        """Its URL."""
        app = web.Application()
        app.router.add_post(path, self._receive)
        async with TestServer(app) as server:
            yield str(server.make_url(path))

    async def _receive(self, request: web.Request) -> web.Response:
        self.received.append(Received(dict(request.headers), await request.read()))
        return web.Response(status=self.answers.pop(0) if self.answers else 204)

    async def arrived(self, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(10):
            while len(self.received) < count:
                await asyncio.sleep(0.005)
        return [received.event for received in self.received]


@asynccontextmanager
async def served(simulator: Clerk | Calendly) -> AsyncIterator[aiohttp.ClientSession]:
    """The simulator at /_sim/{name}, its deliveries under way, and a client of it."""
    app = web.Application()
    app.add_subapp(f"/_sim/{simulator.name}", simulator.app)
    async with TestServer(app) as server, aiohttp.ClientSession(server.make_url("/")) as http:
        await simulator.webhooks.start()
        yield http
        await simulator.webhooks.stop()
        simulator.store.close()


def played(running: AbstractAsyncContextManager[T], scenario: Callable[[T], Awaitable[None]]) -> None:
    async def play() -> None:
        async with running as it:
            await scenario(it)

    asyncio.run(play())


@dataclass
class Simulated(Receiver):
    clerk: Clerk = field(kw_only=True)
    http: aiohttp.ClientSession = field(kw_only=True)

    async def api(self, method: str, path: str, body: Any = None) -> Any:
        async with self.http.request(method, f"/_sim/clerk{path}", json=body) as response:
            return await response.json() if response.status < 300 else (response.status, await response.json())


def simulate(directory: Path, scenario: Callable[[Simulated], Awaitable[None]]) -> None:
    played(simulated(directory), scenario)


@asynccontextmanager
async def simulated(directory: Path) -> AsyncIterator[Simulated]:
    """A Clerk with its state in a directory."""
    receiver = Receiver()
    async with receiver.listening("/webhooks/clerk") as url:
        clerk = Clerk(directory, Clock(), keys(), url=PARTY, receiver=url)
        async with served(clerk) as http:
            yield Simulated(receiver.received, receiver.answers, clerk=clerk, http=http)
