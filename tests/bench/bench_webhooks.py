"""A webhook under load: `make bench-webhooks`.

First WEBHOOKS deliveries of each of WEBHOOK_PROVIDERS with 50 in flight: how fast they are answered, and what each part
computes for one. Then RATES deliveries a second of the first of them, each for SECONDS, from callers who give up after
three seconds (Zoom's limit) and come again: nothing may be lost, and every event is handled once. Fails on a loss; with
WEBHOOK_P99_MS also past that.
"""

import asyncio
import os
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles
from uuid import uuid4

import aiohttp

from tests.bench.table import machine, say, show
from tests.support.processes import cpu_seconds
from tests.support.stack import Stack, running_stack, wait_until
from tests.support.webhooks import SENDERS, Sender

PROVIDERS = (os.environ.get("WEBHOOK_PROVIDERS") or "zoom calendly stripe clerk").split()
COUNT = int(os.environ.get("WEBHOOKS") or 5000)
IN_FLIGHT = 50
RATES = [int(rate) for rate in os.environ.get("RATES", "50 100 200 500").split()]
SECONDS = int(os.environ.get("SECONDS") or 60)
PATIENCE = 3.0  # seconds; https://developers.zoom.us/docs/api/webhooks/#notification-delivery
LONGEST_MS = float(os.environ.get("WEBHOOK_P99_MS") or "inf")


@dataclass
class Run:
    """What happened to one load: seconds until each 204, and how often a caller had to come again, and why."""

    sender: Sender
    sent: int
    began_at: datetime | None = None
    times: list[float] = field(default_factory=list)
    again: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    drained: float = 0.0

    def bodies(self) -> list[bytes]:
        return [self.sender.event(uuid4().hex) for _ in range(self.sent)]

    def p(self, percent: int) -> float:
        return quantiles(self.times, n=100)[percent - 1] * 1000


class Caller:
    """A provider: signs each attempt anew, and repeats what was not answered 2xx."""

    def __init__(self, stack: Stack, run: Run) -> None:
        self._url = f"{stack.base_url}/webhooks/{run.sender.name}"
        self._secret = run.sender.secret(stack)
        self._run = run

    async def deliver(self, http: aiohttp.ClientSession, raw: bytes) -> None:
        pause = 2.0
        while (failure := await self._attempt(http, raw)) is not None:
            self._run.again[failure] += 1
            # Doubled, as providers do: who comes again at once keeps an overload going for ever.
            await asyncio.sleep(random.uniform(0.5, 1.5) * pause)  # noqa: S311 - no secret
            pause *= 2

    async def _attempt(self, http: aiohttp.ClientSession, raw: bytes) -> str | None:
        headers = {**self._run.sender.sign(raw, self._secret, int(time.time())), "Content-Type": "application/json"}
        began = time.perf_counter()
        try:
            async with http.post(self._url, data=raw, headers=headers) as answer:
                await answer.read()
        except TimeoutError:
            return "no answer"
        except aiohttp.ClientError as error:
            return type(error).__name__
        if answer.status != 204:
            return str(answer.status)
        self._run.times.append(time.perf_counter() - began)
        return None


async def in_flight(stack: Stack, run: Run) -> None:
    """Everything, with so many under way at any time."""
    caller, waiting = Caller(stack, run), iter(run.bodies())
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def lane() -> None:
            for raw in waiting:
                await caller.deliver(http, raw)

        began = time.perf_counter()
        await asyncio.gather(*(lane() for _ in range(IN_FLIGHT)))
        run.seconds = time.perf_counter() - began


async def at_rate(stack: Stack, run: Run, rate: int) -> None:
    """Each at its own instant, whatever has become of those before it."""
    caller, timeout = Caller(stack, run), aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as http:
        began, tasks = time.perf_counter(), []
        for number, raw in enumerate(run.bodies()):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(caller.deliver(http, raw)))
        await asyncio.gather(*tasks)
        run.seconds = time.perf_counter() - began


def measured(stack: Stack, run: Run, rate: int | None) -> Run:
    """The load, and then until everything of it is handled; processor time over both."""
    assert stack.process is not None
    with stack.database() as database:
        row = database.execute("select clock_timestamp() as now").fetchone()
        assert row is not None
        run.began_at = row["now"]
    own, before = time.process_time(), cpu_seconds(stack.process.pid)
    asyncio.run(at_rate(stack, run, rate) if rate else in_flight(stack, run))
    own = time.process_time() - own
    began = time.perf_counter()
    wait_until(lambda: stored(stack, run)[1] == run.sent, seconds=300, what="all of them handled")
    run.drained = time.perf_counter() - began
    after = cpu_seconds(stack.process.pid)
    run.cpu = {part: after[part] - before.get(part, 0.0) for part in after} | {"callers": own}
    return run


def stored(stack: Stack, run: Run) -> tuple[int, int, int]:
    """How many of a load are stored, handled, and were begun more than once."""
    with stack.database() as database:
        query = """select count(*) as stored, count(handled_at) as handled,
                     count(*) filter (where attempts > 1) as again
                   from private.webhook_event where provider = %s and received_at >= %s"""
        row = database.execute(query, [run.sender.name, run.began_at]).fetchone()
    assert row is not None
    return row["stored"], row["handled"], row["again"]


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        with running_stack(Path(directory) / "stack", {"DEVSTACK_DEMO_DATA": "0"}) as stack:
            say(machine())
            senders = [sender for name in PROVIDERS for sender in SENDERS if sender.name == name]
            for sender in senders:
                measured(stack, Run(sender, 4 * IN_FLIGHT), None)  # warm
            closed = [measured(stack, Run(sender, COUNT), None) for sender in senders]
            lost = _said([(f"{run.sender.name}, {IN_FLIGHT} in flight", run) for run in closed], stack)
            say()
            _said_of_parts(closed)
            for rate in RATES:
                say()
                lost += _said(
                    [(f"{senders[0].name}, {rate}/s", measured(stack, Run(senders[0], rate * SECONDS), rate))], stack
                )
    return int(lost > 0 or max(run.p(99) for run in closed) > LONGEST_MS)


def _said_of_parts(runs: list[Run]) -> None:
    """What each part computed for a delivery; a function under its group, which has one for each provider."""
    spent: dict[str, dict[str, float]] = {}
    for run in runs:
        for part, seconds in run.cpu.items():
            if seconds / run.sent > 5e-5:
                own = f"/{run.sender.name}" in part
                each = spent.setdefault(part.partition("/")[0] if own else part, {})
                each[run.sender.name] = each.get(run.sender.name, 0.0) + seconds / run.sent * 1000
    names = [run.sender.name for run in runs]
    rows = [[part, *(f"{by.get(name, 0.0):.2f}" for name in names)] for part, by in spent.items()]
    rows.sort(key=lambda row: -float(row[1]))
    rows.append(["all", *(f"{sum(by.get(name, 0.0) for by in spent.values()):.2f}" for name in names)])
    show(["processor, ms for each delivery", *names], rows)


def _said(runs: list[tuple[str, Run]], stack: Stack) -> int:
    rows, lost = [], 0
    for title, run in runs:
        kept, handled, tried_again = stored(stack, run)
        lost += run.sent - min(kept, handled)
        again = ", ".join(f"{number} {why}" for why, number in run.again.most_common()) or "0"
        times = [f"{median(run.times) * 1000:.0f}", f"{run.p(99):.0f}"]
        counts = [str(run.sent), again, str(kept), str(handled), str(tried_again)]
        rate = f"{run.sent / run.seconds:.0f}"
        rows.append([title, rate, *times, *counts, f"{run.drained:.0f}", f"{os.getloadavg()[0]:.1f}"])
    head = ["", "answered/s", "p50 ms", "p99 ms", "sent", "came again", "stored", "handled", "begun twice"]
    show([*head, "s until all handled", "load"], rows)
    return lost


if __name__ == "__main__":
    sys.exit(main())
