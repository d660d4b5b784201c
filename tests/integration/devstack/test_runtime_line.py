"""The line before a function: short, and nobody is served who has left it."""

import asyncio
from collections.abc import Callable

import pytest

from devstack import workers
from tests.integration.devstack.local import Local, until

WAITS = """
import os, time

def lambda_handler(event, context):
    name = (event.get("queryStringParameters") or {}).get("file")
    while name and not os.path.exists(name):
        time.sleep(0.005)
    if name:
        open(name + ".done", "w").close()
    return {"statusCode": 200}
"""


@pytest.fixture(scope="module")
def local(new_local: Callable[[], Local]) -> Local:
    local = new_local()
    local.resources("Api: {Type: AWS::Serverless::HttpApi}")
    local.function("waits", WAITS, events="{Get: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: /}}}")
    local.start()
    return local


def test_who_finds_a_long_line_is_refused_at_once(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "LINE", 5)
    gate = local.root / "full"

    async def scenario() -> None:
        waiting = [asyncio.create_task(_asked(local, f"/?file={gate}")) for _ in range(5)]
        await until(lambda: local.workers.awaited == 5)
        assert await _asked(local, "/") == 503
        gate.touch()
        assert [await each for each in waiting] == [200] * 5
        assert await _asked(local, "/") == 200

    local.run(scenario())


def test_who_has_left_the_line_is_not_served(local: Local) -> None:
    gate = local.root / "line"

    async def scenario() -> None:
        busy = [asyncio.create_task(_asked(local, f"/?file={gate}")) for _ in range(4)]
        await until(lambda: local.workers.awaited == 4)
        _, writer = await asyncio.open_connection("127.0.0.1", local.port)
        writer.write(f"GET /?file={gate}-left HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await until(lambda: local.workers.awaited == 5)
        writer.close()
        await writer.wait_closed()
        stays = asyncio.create_task(_asked(local, f"/?file={gate}-stays"))
        await until(lambda: local.workers.awaited == 6)
        for name in ("line", "line-left", "line-stays"):
            (local.root / name).touch()
        assert [await each for each in [*busy, stays]] == [200] * 5

    local.run(scenario())
    assert (local.root / "line-stays.done").exists()
    assert not (local.root / "line-left.done").exists()


async def _asked(local: Local, path: str) -> int:
    async with local.http.get(path) as response:
        return response.status
