"""Faults on demand and webhook retries, on the simulated Clerk."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from devstack.simulators import base
from devstack.simulators.base import Fault
from tests.unit.devstack.simulated import Simulated, simulate


async def fault(clerk: Simulated, on: str, kind: str, **more: Any) -> None:
    answer = await clerk.api("POST", "/_control", {"faults": [{"on": on, "kind": kind, **more}]})
    assert answer["faults"][0]["kind"] == kind


async def names(clerk: Simulated, count: int) -> list[str]:
    return [event["data"]["first_name"] for event in await clerk.arrived(count)]


@pytest.mark.parametrize(
    ("on", "call", "hits"),
    [
        ("GET /v1/users", "GET /v1/users", True),
        ("GET /v1/users", "POST /v1/users", False),
        ("GET /v1/users", "GET /v1/users/u1", False),
        ("GET /v1/users/{id}", "GET /v1/users/u1", True),
        ("GET /v1/users/{id}", "GET /v1/users/u1/metadata", False),
        ("PATCH /v1/users/{id}/metadata", "PATCH /v1/users/u1/metadata", True),
        ("POST /v2/…", "POST /v2/anything/below", True),
        ("POST /v2/*", "POST /v1/anything", False),
        ("GET /v1.users", "GET /v1xusers", False),
        ("webhook", "webhook", True),
    ],
)
def test_what_a_fault_hits(on: str, call: str, hits: bool) -> None:
    assert Fault.parse({"on": on, "kind": "500"}).hits(call) is hits


@pytest.mark.parametrize(
    "given",
    [
        {"on": "webhook", "kind": "explode"},
        {"on": "users", "kind": "500"},
        {"kind": "500"},
        {"on": "webhook", "kind": "500", "times": -1},
        {"on": "webhook", "kind": "500", "times": "2"},
        {"on": "webhook", "kind": "500", "delay": 1},
        "500",
    ],
)
def test_what_is_no_fault_is_refused(tmp_path: Path, given: Any) -> None:
    async def scenario(clerk: Simulated) -> None:
        status, body = await clerk.api("POST", "/_control", {"faults": [given]})
        assert status == 400
        assert body["error"]
        assert (await clerk.api("POST", "/_control", {"unknown": 1}))[0] == 400

    simulate(tmp_path, scenario)


@pytest.mark.parametrize(("kind", "made"), [("429", False), ("500", False), ("500-after", True)])
def test_a_call_fails_as_often_as_asked_with_or_without_effect(tmp_path: Path, kind: str, made: bool) -> None:
    async def scenario(clerk: Simulated) -> None:
        await fault(clerk, "POST /v1/users", kind)
        async with clerk.http.post("/_sim/clerk/v1/users", json={}) as response:
            assert response.status == int(kind[:3])
            assert (await response.json())["errors"]
            assert response.headers.get("Retry-After") == ("1" if kind == "429" else None)
        assert len(await clerk.api("GET", "/v1/users")) == made
        await clerk.api("POST", "/v1/users", {})
        assert len(await clerk.api("GET", "/v1/users")) == made + 1

    simulate(tmp_path, scenario)


@pytest.mark.parametrize(("kind", "more"), [("drop", {}), ("timeout", {"delayMs": 1})])
def test_a_call_may_get_no_answer(tmp_path: Path, kind: str, more: dict[str, int]) -> None:
    async def scenario(clerk: Simulated) -> None:
        await fault(clerk, "POST /v1/users", kind, **more)
        with pytest.raises(aiohttp.ClientConnectionError):
            await clerk.api("POST", "/v1/users", {})
        assert await clerk.api("GET", "/v1/users") == []

    simulate(tmp_path, scenario)


def test_a_call_may_be_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def scenario(clerk: Simulated) -> None:
        await fault(clerk, "GET /v1/users", "delay", delayMs=1500)
        monkeypatch.setattr("devstack.simulators.base.asyncio.sleep", sleep)
        assert await clerk.api("GET", "/v1/users") == []
        assert slept == [1.5]
        monkeypatch.undo()

    simulate(tmp_path, scenario)


@pytest.mark.parametrize(("kind", "arrivals"), [("429", 1), ("500", 1), ("500-after", 3), ("timeout", 3)])
def test_a_message_is_sent_again_until_it_is_accepted(tmp_path: Path, kind: str, arrivals: int) -> None:
    async def scenario(clerk: Simulated) -> None:
        await fault(clerk, "webhook", kind, times=2)
        await clerk.api("POST", "/v1/users", {})
        assert (await clerk.clerk.webhooks.flush())[1] == 0
        assert len(clerk.received) == arrivals
        assert len({received.headers["svix-id"] for received in clerk.received}) == 1

    simulate(tmp_path, scenario)


def test_a_receiver_that_fails_gets_the_message_again_later(tmp_path: Path) -> None:
    async def scenario(clerk: Simulated) -> None:
        clerk.answers += [503, 302]
        await clerk.api("POST", "/v1/users", {})
        assert await clerk.clerk.webhooks.flush() == (1, 0)
        assert len(clerk.received) == 3

    simulate(tmp_path, scenario)


def test_what_a_receiver_never_takes_stays_due(tmp_path: Path) -> None:
    async def scenario(clerk: Simulated) -> None:
        clerk.answers += [500] * (base.FLUSH_ATTEMPTS + 1)
        await clerk.api("POST", "/v1/users", {})
        assert await clerk.clerk.webhooks.flush() == (0, 1)
        clerk.answers.clear()
        assert await clerk.clerk.webhooks.flush() == (1, 0)

    simulate(tmp_path, scenario)


def test_a_message_may_be_lost(tmp_path: Path) -> None:
    async def scenario(clerk: Simulated) -> None:
        await fault(clerk, "webhook", "drop")
        for name in ("lost", "kept"):
            await clerk.api("POST", "/v1/users", {"first_name": name})
        await clerk.clerk.webhooks.flush()
        assert await names(clerk, 1) == ["kept"]

    simulate(tmp_path, scenario)


def test_a_message_may_come_twice(tmp_path: Path) -> None:
    async def scenario(clerk: Simulated) -> None:
        await fault(clerk, "webhook", "duplicate")
        await clerk.api("POST", "/v1/users", {"first_name": "twin"})
        assert await names(clerk, 2) == ["twin", "twin"]
        assert len({received.headers["svix-id"] for received in clerk.received}) == 1

    simulate(tmp_path, scenario)


def test_a_message_may_be_late(tmp_path: Path) -> None:
    async def scenario(clerk: Simulated) -> None:
        await fault(clerk, "webhook", "delay", delayMs=3_600_000)
        for name in ("late", "early"):
            await clerk.api("POST", "/v1/users", {"first_name": name})
        assert await names(clerk, 1) == ["early"]
        assert await clerk.clerk.webhooks.flush() == (1, 0)
        assert await names(clerk, 2) == ["early", "late"]

    simulate(tmp_path, scenario)


def test_messages_may_change_places_the_same_way_each_time(tmp_path: Path) -> None:
    orders: list[list[str]] = []

    async def scenario(clerk: Simulated) -> None:
        await fault(clerk, "webhook", "reorder", times=6, seed=7, delayMs=3_600_000)
        for name in "abcdef":
            await clerk.api("POST", "/v1/users", {"first_name": name})
        await clerk.clerk.webhooks.flush()
        orders.append(await names(clerk, 6))

    for run in range(2):
        simulate(tmp_path / str(run), scenario)
    assert orders[0] == orders[1] != list("abcdef")
    assert sorted(orders[0]) == list("abcdef")


def test_reordered_messages_come_by_themselves(tmp_path: Path) -> None:
    async def scenario(clerk: Simulated) -> None:
        await fault(clerk, "webhook", "reorder", times=3, delayMs=20)
        await asyncio.gather(*(clerk.api("POST", "/v1/users", {"first_name": name}) for name in "abc"))
        assert sorted(await names(clerk, 3)) == ["a", "b", "c"]

    simulate(tmp_path, scenario)
