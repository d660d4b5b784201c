"""The local stack as a whole: starts every part, serves the one public port, stops everything again."""

import asyncio
import errno
import fcntl
import json
import logging
import os
import signal
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

import aiohttp
import watchfiles
from aiohttp import web

from devstack import database, demo_data, start_page
from devstack.aws import MAIL_VARIABLES, Aws
from devstack.clock import Clock
from devstack.config import Config, Keys, StackError
from devstack.dev_routes import DevRoutes
from devstack.gateway import SERVER, Gateway, is_local
from devstack.postgres import Postgres, free_port
from devstack.processes import Processes
from devstack.rest import Rest
from devstack.simulators.calendly import Calendly
from devstack.simulators.clerk import Clerk
from devstack.simulators.stripe import STRIPE_SECRETS_ID, Stripe
from devstack.simulators.zoom import ZOOM_SECRETS_ID, Zoom
from devstack.template import Template, load
from devstack.triggers import Triggers
from devstack.workers import Workers

HOST = "127.0.0.1"
logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # requests that are no HTTP: answered, not worth a trace
PREWARMED = ("clerk", "clerk_events", "outbox_relay")  # what a new user waits for
SERVICE_SECRETS_ID = "coachline/local/service"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def say(line: str) -> None:
    """One line on the console. A reader who is gone, or asleep on a pipe, must not stop the stack."""
    with suppress(BrokenPipeError, BlockingIOError):
        os.write(1, f"{datetime.now().astimezone():%H:%M:%S} {line}\n".encode(errors="backslashreplace"))


class Stack:
    aws: Aws
    calendly: Calendly
    clerk: Clerk
    keys: Keys
    postgres: Postgres
    rest: Rest
    stripe: Stripe
    template: Template
    triggers: Triggers
    workers: Workers
    zoom: Zoom

    def __init__(self, config: Config) -> None:
        self.config = config
        self.url = f"http://{HOST}:{config.port}"
        self.origins = [self.url, f"http://localhost:{config.port}"]
        self.clock = Clock()
        self._inside = f"http://{HOST}:{free_port()}"  # the same server for the stack's own use, open from the start
        self._processes = Processes(config.directory)
        self._closers: list[Callable[[], Awaitable[Any]]] = [self._processes.stop_all]
        self._gateway: Gateway | None = None
        self._ready = False
        self._watching: asyncio.Task[None] | None = None
        self._restarts: dict[str, Callable[[], Awaitable[None]]] = {}  # empty until everything is up

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM, or until a part fails for good (StackError); then everything is stopped."""
        loop, asked = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, asked.set)
        starting = asyncio.create_task(self.start())
        failing = asyncio.create_task(self._processes.keep_alive(self._restarts, say))
        stopping = asyncio.create_task(asked.wait())
        try:
            await asyncio.wait({starting, failing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await asyncio.wait({failing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if failing.done():
                failing.result()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            for task in (starting, failing, stopping):
                task.cancel()
            await asyncio.gather(starting, failing, stopping, return_exceptions=True)
            await self.stop()

    async def start(self) -> None:
        """Start every part; the public port answers 503 until all of them are ready."""
        began, config = time.monotonic(), self.config
        config.directory.mkdir(parents=True, exist_ok=True)
        self.lock()
        self.keys = Keys.load(config.directory)
        receiver = f"{self._inside}/webhooks/clerk"
        self.clerk = Clerk(config.directory, self.clock, self.keys, url=self.url, receiver=receiver)
        self.calendly = Calendly(config.directory, self.clock, self.keys, url=self.url)
        self.stripe = Stripe(config.directory, self.clock, self.keys, receiver=f"{self._inside}/webhooks/stripe")
        self.zoom = Zoom(config.directory, self.clock, self.keys, receiver=f"{self._inside}/webhooks/zoom")
        await self._listen()
        self.aws = Aws(self._processes)
        template, given = config.root / "template.yaml", self.variables()
        self.template = load(template, endpoint=self.aws.endpoint, parameters={"Stage": "local"}, variables=given)
        environment = {"AWS_ENDPOINT_URL": self.aws.endpoint}
        self.workers = Workers(self.template.functions, self._processes, config, self.clock, say, environment)
        self.postgres = Postgres(config, self._processes)
        self.rest = Rest(config=config, keys=self.keys, postgres=self.postgres, processes=self._processes)
        async with asyncio.TaskGroup() as group:
            for start in (self._start_functions, self._start_aws, self._start_database):
                group.create_task(start())
        self._gateway = Gateway(self.template, self.workers, say, self.origins)
        await self._start_triggers()
        await self._seed()
        self._ready = True
        self._restarts |= {"aws": self._restart_aws, "functions": self.workers.start}
        self._restarts |= {"postgres": self.postgres.start, "postgrest": self.rest.start}
        say(f"ready in {time.monotonic() - began:.1f} s; Ctrl-C stops it")
        for name, path in (("start", "/"), ("docs", "/api/docs"), ("Supabase", "/rest/v1"), ("keys", "/_dev/info")):
            say(f"  {name:<10} {self.url}{path}")
        say(f"  {'logs':<10} {config.directory / 'logs'}")

    async def stop(self) -> None:
        if self._watching:
            self._watching.cancel()
        for close in reversed(self._closers):
            try:
                await close()
            except Exception:  # noqa: BLE001 - whatever one part does, the others are stopped too
                traceback.print_exc()

    def lock(self) -> None:
        self._lock_file = (self.config.directory / "lock").open("w")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "stop it, or run this one with another PORT and DEVSTACK_DIR"
            raise StackError(f"another stack runs in {self.config.directory}: {hint}") from None

    async def _listen(self) -> None:
        app = web.Application(middlewares=[self._front])
        dev = DevRoutes(self)
        self._sql = dev.sql
        app.router.add_get("/", start_page.StartPage(self, dev.sql).show)
        app.add_subapp("/_dev", dev.app)
        for simulator in (self.calendly, self.clerk, self.stripe, self.zoom):
            app.add_subapp(f"/_sim/{simulator.name}", simulator.app)
        app.on_response_prepare.append(_without_server)
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=2.0, **SERVER)
        await runner.setup()
        self._closers += [dev.close, runner.cleanup]
        await web.TCPSite(runner, HOST, int(self._inside.rpartition(":")[2])).start()
        try:
            await web.TCPSite(runner, HOST, self.config.port).start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            port = self.config.port
            hint = f"stop what uses it, or choose another: PORT={port + 1} make dev"
            raise StackError(f"port {port} is in use: {hint}") from None

    @web.middleware
    async def _front(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Send a request to the part that serves it."""
        path = request.raw_path
        inside = request.transport and request.transport.get_extra_info("sockname")[1] != self.config.port
        serve: Handler | None = None
        if path.startswith("/_sim/"):
            serve = handler
        elif path.startswith("/rest/v1"):
            serve = self.rest.handle if self._gateway else None
        elif self._gateway and (self._ready or inside):
            own = path.startswith("/_dev/") or start_page.wanted(request)
            serve = handler if own else self._gateway.handle
        if serve is handler and not is_local(request):
            return _message(421, "The local stack shows its own pages as 127.0.0.1 or localhost only.")
        try:
            return await serve(request) if serve else _message(503, "Service Unavailable")
        except web.HTTPException:
            raise
        except ConnectionError:  # the client is gone
            return _message(400, "Bad Request")
        except Exception:  # noqa: BLE001 - a mistake of the stack is no reason to end it
            say(f"ERROR in the stack: {request.method} {path}\n{traceback.format_exc()}")
            return _message(500, "Internal Server Error")

    def variables(self) -> dict[str, str]:
        """The local values of the variables that functions read."""
        clerk = {"CLERK_ISSUER": self.clerk.issuer, "CLERK_JWKS_URL": f"{self.clerk.issuer}/.well-known/jwks.json"}
        clerk |= {"CLERK_JWT_KEY": self.clerk.public_key(), "CLERK_API_URL": f"{self._inside}/_sim/clerk"}
        return {
            "STAGE": "local",
            "SUPABASE_URL": self.url,
            "SUPABASE_PUBLISHABLE_KEY": self.keys.publishable_key,
            "API_GATE_KEY": self.keys.gate_key,
            **clerk,
            "CLERK_AUTHORIZED_PARTIES": ",".join(self.origins),
            "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO"),
            "SECRETS_ID": SERVICE_SECRETS_ID,
            **MAIL_VARIABLES
            | self.calendly.variables(self.url)
            | self.zoom.variables(self._inside)
            | self.stripe.variables(self._inside),
        }

    async def _start_aws(self) -> None:
        async with _step("queues, bus, secrets"):
            self._closers.append(self.aws.close)
            await self.aws.start()
            kept = {SERVICE_SECRETS_ID: self.keys.service_secret, ZOOM_SECRETS_ID: self.zoom.credentials}
            kept[STRIPE_SECRETS_ID] = self.stripe.credentials
            await self.aws.create(self.template, {name: json.dumps(value) for name, value in kept.items()})

    async def _restart_aws(self) -> None:
        await self.aws.start()
        say("aws: what its queues held is gone; the sweeper hands on again what is stored and not handled")

    async def _start_database(self) -> None:
        async with _step("Postgres"):
            await self.postgres.start()
        async with _step("schema"):
            if template := os.environ.get("DEVSTACK_TEMPLATE"):  # parallel tests copy what one of them prepared
                await database.create_from_template(self.postgres, template, self.config.database)
            await database.prepare(self.postgres, self.config, self.keys, say)
            parties = {"clerk_issuers": [self.clerk.issuer], "clerk_authorized_parties": self.origins}
            await database.write_settings(self.postgres, parties)
        async with _step("PostgREST"):
            self._closers.append(self.rest.close)
            await self.rest.trust(self.clerk.jwks())
            await self.rest.start()
            self.clerk.on_keys = self.rest.trust
        self.clock.followers.append(self._move_database)
        await self.clock.pin(None)

    async def _move_database(self, at: datetime | None) -> None:
        await self._sql("update devstack.clock set fixed_at = %(at)s", at=at)

    async def _start_functions(self) -> None:
        async with _step("functions"):
            self._closers.append(self.workers.stop)
            await self.workers.start()
            await asyncio.gather(*map(self.workers.prewarm, PREWARMED))

    async def _start_triggers(self) -> None:
        self.triggers = Triggers(self.template, self.workers, self.aws, self.clock, say)
        senders = [simulator.webhooks for simulator in (self.clerk, self.calendly, self.stripe, self.zoom)]
        self.triggers.deliver += [sender.flush for sender in senders]
        self._closers += [self.triggers.stop, *(sender.stop for sender in senders)]
        self.triggers.start()
        for sender in senders:
            await sender.start()
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        """Let an edit of the code act on the next request."""
        folders = [path for name in ("functions", "layers/shared") if (path := self.config.root / name).is_dir()]
        template = self.config.root / "template.yaml"
        async for changes in watchfiles.awatch(*folders, template, debounce=100, step=30):
            names = {os.path.relpath(path, self.config.root) for _, path in changes}
            if template.name in names:
                say("template.yaml changed: restart the stack to see it")
            if code := sorted(name for name in names if name.endswith(".py")):
                self.workers.recycle()
                say(f"reloaded: {', '.join(code)}")

    async def _seed(self) -> None:
        """Demo data, once: while nobody is there."""
        if os.environ.get("DEVSTACK_DEMO_DATA") == "0" or await self._sql("select from public.user_account limit 1"):
            return
        async with _step("demo data"):
            try:
                await demo_data.seed(self._inside)
            except aiohttp.ClientError as error:  # half-written code must not keep the stack from starting
                say(f"ERROR the demo data is not complete: {error}")


@asynccontextmanager
async def _step(name: str) -> AsyncIterator[None]:
    began = time.monotonic()
    yield
    say(f"{name:<22} {time.monotonic() - began:4.1f} s")


async def _without_server(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.popall("Server", None)


def _message(status: int, text: str) -> web.Response:
    headers = {"Retry-After": "1"} if status == 503 else {}
    return web.json_response({"message": text}, status=status, headers=headers)
