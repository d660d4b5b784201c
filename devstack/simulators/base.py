"""What every simulator has: state that outlives a restart, faults on demand, webhooks with retries."""

import asyncio
import json
import random
import re
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from devstack.clock import Clock

KINDS = ("429", "500", "500-after", "timeout", "drop", "drop-after", "duplicate", "delay", "delay-after", "reorder")
HANG_SECONDS = 60
DELIVERY_SECONDS = 15
FLUSH_ATTEMPTS = 5
Row = dict[str, Any]
FAULT = web.RequestKey("fault", str)  # what happens to a request, for answers that depend on it


class Store:
    """Rows by kind and id: in memory, and in SQLite for the next start."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.executescript(
            "pragma journal_mode = wal; pragma synchronous = off;"
            "create table if not exists item (kind text, id text, body text, primary key (kind, id)) without rowid;"
        )
        self._rows: dict[str, dict[str, Row]] = {}
        self.changes = 0  # grows with every change, for those who remember what they computed
        for kind, name, body in self._file.execute("select kind, id, body from item"):
            self._rows.setdefault(kind, {})[name] = json.loads(body)

    def put(self, kind: str, name: str, row: Row) -> None:
        self._rows.setdefault(kind, {})[name] = row
        self.changes += 1
        self._file.execute("insert or replace into item values (?, ?, ?)", (kind, name, json.dumps(row)))

    def get(self, kind: str, name: str) -> Row | None:
        return self._rows.get(kind, {}).get(name)

    def all(self, kind: str) -> list[Row]:
        return list(self._rows.get(kind, {}).values())

    def delete(self, kind: str, name: str) -> None:
        self._rows.get(kind, {}).pop(name, None)
        self.changes += 1
        self._file.execute("delete from item where kind = ? and id = ?", (kind, name))

    def clear(self) -> None:
        self._rows.clear()
        self.changes += 1
        self._file.execute("delete from item")

    def close(self) -> None:
        self._file.close()


@dataclass
class Fault:
    """`on` is "webhook", or "METHOD /path" where {x} stands for one segment and a final * for anything."""

    on: str
    kind: str
    times: int = 1
    delay_ms: int = 0
    seed: int = 0

    @classmethod
    def parse(cls, given: Any) -> "Fault":
        """ValueError with a sentence when this is no fault."""
        if not isinstance(given, dict) or not given.keys() <= {"on", "kind", "times", "delayMs", "seed"}:
            raise ValueError("a fault has on, kind and times, and may have delayMs and seed")
        fault = cls(
            str(given.get("on", "")),
            str(given.get("kind")),
            *(given.get(name, default) for name, default in (("times", 1), ("delayMs", 0), ("seed", 0))),
        )
        if fault.kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}")
        if fault.on != "webhook" and not re.match(r"[A-Z]+ /", fault.on):
            raise ValueError('on is "webhook" or "METHOD /path"')
        if not all(isinstance(number, int) and number >= 0 for number in (fault.times, fault.delay_ms, fault.seed)):
            raise ValueError("times, delayMs and seed are whole numbers")
        return fault

    def to_json(self) -> Row:
        row = asdict(self)
        return row | {"delayMs": row.pop("delay_ms")}

    def hits(self, call: str) -> bool:
        on, rest = (self.on[:-1], ".*") if self.on[-1] in "*…" else (self.on, "")
        parts = (re.escape(part) for part in re.split(r"\{[^}]*\}", on))
        return self.times > 0 and re.fullmatch("[^/]+".join(parts) + rest, call) is not None


class Faults:
    def __init__(self) -> None:
        self.table: list[Fault] = []

    def take(self, call: str, kinds: Sequence[str] = KINDS) -> Fault | None:
        """The first fault that hits a call, used up by one."""
        for fault in self.table:
            if fault.kind in kinds and fault.hits(call):
                fault.times -= 1
                return fault
        return None


class Webhooks:
    """Delivers messages as Svix-like senders do: signed at each attempt, retried on a schedule, in no sure order."""

    def __init__(
        self,
        store: Store,
        faults: Faults,
        *,
        url: str,
        sign: Callable[[str, bytes], dict[str, str]],
        schedule: Sequence[float],
        seconds: float = DELIVERY_SECONDS,
    ) -> None:
        """`sign` makes the headers of an attempt; `schedule` holds the seconds before each; each may take `seconds`."""
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._store = store
        self._faults = faults
        self._url = url
        self._sign = sign
        self._schedule = schedule
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._delivered = 0
        self.on_attempt: Callable[[Row, bool, bool], None] | None = None  # told row, accepted, whether it was the last

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(timeout=self._timeout)
        for row in self._store.all("delivery"):
            self._follow(row)

    async def stop(self) -> None:
        await self.forget()
        await self._session.close()

    async def forget(self) -> None:
        """Stop working on what is not delivered yet."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    def send(self, message_id: str, body: bytes, *, url: str = "") -> None:
        """Deliver a message to `url`, or to where all of this sender's go."""
        fault = self._faults.take("webhook", ("drop", "duplicate", "delay", "reorder"))
        kind = fault.kind if fault else ""
        if kind == "drop":
            return
        delay = (fault.delay_ms if fault else 0) / 1000
        if fault and kind == "reorder":  # each of them is late by its own time
            delay = random.Random(f"{fault.seed}/{fault.times}").random() * (delay or 1)  # noqa: S311 - no secret
        for copy in range(2 if kind == "duplicate" else 1):
            row: Row = {"id": f"{message_id}/{copy}", "message": message_id, "body": body.decode(), "attempt": 0}
            row["url"] = url
            row["due"] = time.time() + self._schedule[0] + delay
            self._store.put("delivery", row["id"], row)
            self._follow(row)

    async def flush(self) -> tuple[int, int]:
        """Try everything that waits, in the order in which it is due: how many were delivered, how many were not."""
        before = self._delivered
        for row in sorted(self._store.all("delivery"), key=lambda row: row["due"]):
            for _ in range(FLUSH_ATTEMPTS):
                await self._attempt(row)
        return self._delivered - before, len(self._store.all("delivery"))

    def _follow(self, row: Row) -> None:
        self._locks[row["id"]] = asyncio.Lock()
        task = self._tasks[row["id"]] = asyncio.create_task(self._deliver(row))
        task.add_done_callback(lambda _: (self._tasks.pop(row["id"], None), self._locks.pop(row["id"], None)))

    async def _deliver(self, row: Row) -> None:
        while self._store.get("delivery", row["id"]):
            wait = row["due"] - time.time()
            await (asyncio.sleep(wait) if wait > 0 else self._attempt(row))

    async def _attempt(self, row: Row) -> None:
        """One attempt, unless the message is settled; a failed one is put off, the last one is given up."""
        if row["id"] not in self._locks:
            return
        async with self._locks[row["id"]]:
            if not self._store.get("delivery", row["id"]):
                return
            fault = self._faults.take("webhook", ("429", "500", "500-after", "timeout"))
            arrives = not fault or fault.kind in ("500-after", "timeout")
            accepted = await self._post(row) if arrives else False
            if accepted and not fault:
                self._delivered += 1
                row["attempt"] = len(self._schedule)
            row["attempt"] += 1
            if self.on_attempt:
                self.on_attempt(row, accepted and not fault, row["attempt"] >= len(self._schedule))
            if row["attempt"] >= len(self._schedule):
                self._store.delete("delivery", row["id"])
            else:
                row["due"] = time.time() + self._schedule[row["attempt"]]
                self._store.put("delivery", row["id"], row)

    async def _post(self, row: Row) -> bool:
        body = row["body"].encode()
        headers = {"content-type": "application/json", **self._sign(row["message"], body)}
        url = row.get("url") or self._url
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                return 200 <= response.status < 300
        except (aiohttp.ClientError, TimeoutError):
            return False


class Simulator(ABC):
    """One provider at /_sim/{name}: its routes in `app`, its faults, its state."""

    name = ""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self.store = Store(directory / f"{self.name}.sqlite")
        self.faults = Faults()
        self.clock = clock
        self.app = web.Application(middlewares=[self._with_faults])
        self.app.router.add_get("/_control", self._show)
        self.app.router.add_post("/_control", self._control)
        self.app.router.add_post("/_reset", self._reset)

    @abstractmethod
    def error(self, status: int) -> web.Response:
        """The provider's own shape of a failure that a fault causes."""

    async def control(self, options: Row) -> None:
        """Apply what /_control takes besides faults; ValueError with a sentence when it makes no sense."""
        if options:
            raise ValueError(f"unknown: {', '.join(options)}")

    async def reset(self) -> None:
        self.store.clear()
        self.faults.table.clear()

    async def _control(self, request: web.Request) -> web.Response:
        try:
            options = json.loads(await request.read())
            faults = options.pop("faults", None)
            table = [Fault.parse(fault) for fault in faults] if faults is not None else self.faults.table
            await self.control(options)
        except (ValueError, TypeError, AttributeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        self.faults.table = table
        return web.json_response({"faults": [fault.to_json() for fault in table]})

    async def _show(self, _: web.Request) -> web.Response:
        routes = [(route.resource.canonical, route.method) for route in self.app.router.routes() if route.resource]
        shown = [f"{method} {path}" for path, method in sorted(routes) if method != "HEAD"]
        return web.json_response({"faults": [fault.to_json() for fault in self.faults.table], "routes": shown})

    async def _reset(self, _: web.Request) -> web.Response:
        await self.reset()
        return web.json_response({})

    @web.middleware
    async def _with_faults(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        path = request.path.removeprefix(f"/_sim/{self.name}")
        fault = None if path in ("/_control", "/_reset") else self.faults.take(f"{request.method} {path}")
        kind = fault.kind if fault else ""
        if kind in ("429", "500"):
            return self.error(int(kind))
        if fault and kind == "timeout":
            await asyncio.sleep(fault.delay_ms / 1000 or HANG_SECONDS)
        if fault and kind == "delay":
            await asyncio.sleep(fault.delay_ms / 1000)
        if kind in ("timeout", "drop"):
            if request.transport:
                request.transport.abort()
            return web.Response()
        request[FAULT] = kind
        response: web.StreamResponse = await handler(request)
        if fault and kind == "delay-after":  # carried out, and nobody is told yet
            await asyncio.sleep(fault.delay_ms / 1000)
        if kind == "drop-after" and request.transport:
            request.transport.abort()
        return self.error(500) if kind == "500-after" else response
