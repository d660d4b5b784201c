"""A webhook with 50 in flight: nothing is lost. How fast it answers, and at what cost, is for `make bench-webhooks`."""

import asyncio
import os
import time
from uuid import uuid4

import httpx

from tests.support.stack import Stack, wait_until
from tests.support.webhooks import ZOOM
from tests.support.zoom import zoom_event

COUNT = 200
IN_FLIGHT = 50


async def sent(stack: Stack, bodies: list[bytes]) -> list[float]:
    """Seconds until each delivery was answered 204, with so many in flight at any time."""
    secret, places = ZOOM.secret(stack), asyncio.Semaphore(IN_FLIGHT)
    limits = httpx.Limits(max_connections=IN_FLIGHT)

    async with httpx.AsyncClient(base_url=stack.base_url, limits=limits, timeout=30) as http:

        async def one(raw: bytes) -> float:
            async with places:
                headers = ZOOM.sign(raw, secret, int(time.time()))
                started = time.perf_counter()
                answer = await http.post("/webhooks/zoom", content=raw, headers=headers)
                assert answer.status_code == 204, answer.text
                return time.perf_counter() - started

        return list(await asyncio.gather(*map(one, bodies)))


def test_no_delivery_is_lost_with_fifty_in_flight(stack: Stack) -> None:
    marker = uuid4().hex
    bodies = [
        zoom_event("meeting.started", number + 1, f"{marker}-{number}", "2027-03-08T14:00:00Z")
        for number in range(COUNT)
    ]
    asyncio.run(sent(stack, bodies[:IN_FLIGHT]))  # warm, and delivered once more below
    started = time.perf_counter()
    times = sorted(asyncio.run(sent(stack, bodies)))
    rate = COUNT / (time.perf_counter() - started)

    def handled() -> int:
        with stack.database() as database:
            query = """select count(*) filter (where handled_at is not null) as handled, count(*) as stored
                       from private.webhook_event where external_id like %s"""
            row = database.execute(query, [f"%|{marker}-%"]).fetchone()
        assert row is not None
        assert row["stored"] == COUNT
        return int(row["handled"])

    wait_until(lambda: stack.drain() and handled() == COUNT, seconds=120, what="all of them handled")
    p50, p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.99))
    load = os.getloadavg()[0]
    print(
        f"{COUNT} deliveries, {IN_FLIGHT} in flight: {rate:.0f}/s, p50 {p50:.0f} ms, p99 {p99:.0f} ms, load {load:.1f}"
    )
