"""Child processes: logs, ends, and nothing left behind, however the stack ends."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from devstack import watchdog
from devstack.config import StackError
from devstack.processes import PROBE, Processes

ROOT = Path(__file__).parents[3]
FOREVER = "import signal; print('up', flush=True); signal.pause()"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {FOREVER}"
FORKING = f"import os; os.fork() or os.setsid(); {FOREVER}"
# A stack that starts each of its arguments and then waits.
STACK = """
import asyncio, sys
from pathlib import Path
from devstack.processes import Processes

async def main():
    processes = Processes(Path(sys.argv[1]))
    for number, source in enumerate(sys.argv[2:]):
        await processes.start(f"part{number}", [sys.executable, "-c", source])
    print(processes._token, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> float:
    """Poll until the condition holds; how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not come true in time"
        time.sleep(0.01)
    return time.monotonic() - began


def ups(directory: Path) -> int:
    return sum(path.read_text().count("up") for path in (directory / "logs").glob("*.log"))


def test_stop_all_stops_every_part_the_latest_first(tmp_path: Path) -> None:
    # Each says when by the machine's one monotonic clock: the times of files are too coarse to tell which came first.
    say = "print('down', time.monotonic_ns()) or sys.exit()"
    source = f"import signal, sys, time; signal.signal(15, lambda *_: {say}); {FOREVER}"

    async def scenario() -> list[int | None]:
        processes = Processes(tmp_path)
        parts = [await processes.start(name, [sys.executable, "-c", source]) for name in ("first", "second")]
        await asyncio.to_thread(wait_until, lambda: ups(tmp_path) == 2)
        await processes.stop_all()
        return [part.returncode for part in parts]

    assert asyncio.run(scenario()) == [0, 0]
    first, second = ((tmp_path / f"logs/{name}.log").read_text().split() for name in ("first", "second"))
    assert first[:2] == second[:2] == ["up", "down"]
    assert int(first[2]) > int(second[2])


def test_stop_all_also_ends_what_the_parts_left_behind(tmp_path: Path) -> None:
    async def scenario() -> str:
        processes = Processes(tmp_path)
        await processes.start("forking", [sys.executable, "-c", FORKING])
        await asyncio.to_thread(wait_until, lambda: ups(tmp_path) == 2)
        await processes.stop_all()
        return processes._token

    assert watchdog.members(asyncio.run(scenario())) == {}


def test_a_part_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devstack.processes.STOP_SECONDS", 0.2)

    async def scenario() -> int | None:
        processes = Processes(tmp_path)
        part = await processes.start("stubborn", [sys.executable, "-c", STUBBORN])
        await asyncio.to_thread(wait_until, lambda: ups(tmp_path) == 1)
        await processes.stop_all()
        return part.returncode

    assert asyncio.run(scenario()) == -signal.SIGKILL


def test_the_signal_that_asks_a_part_to_stop_is_its_own(tmp_path: Path) -> None:
    # Not SIGINT: who is started in the background of a script ignores it, and so do the children.
    async def scenario() -> int | None:
        processes = Processes(tmp_path)
        part = await processes.start("part", ["sleep", "60"], stop_signal=signal.SIGUSR1)
        await processes.stop_all()
        return part.returncode

    assert asyncio.run(scenario()) == -signal.SIGUSR1


async def kept_alive(processes: Processes, restarts: dict[str, Callable[[], Awaitable[None]]], said: list[str]) -> str:
    """With what message the stack gives up."""
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(processes.keep_alive(restarts, said.append), 10)
    await processes.stop_all()
    (error,) = caught.value.exceptions
    assert isinstance(error, StackError)
    return str(error)


def test_a_part_that_dies_before_it_can_be_restarted_is_named_with_its_last_words(tmp_path: Path) -> None:
    async def scenario() -> str:
        processes = Processes(tmp_path)
        await processes.start("lasting", ["sleep", "60"])
        await processes.start("stopped", ["sleep", "60"])
        await processes.stop("stopped")
        await processes.start("dying", ["sh", "-c", f"echo no space left; echo GET /{PROBE}; exit 3"])
        return await kept_alive(processes, {}, [])

    message = asyncio.run(scenario())
    assert message.startswith("dying died during the start (exit code 3), so the stack stops:\n  no space left\n")
    assert PROBE not in message


def test_a_part_that_dies_is_started_again_until_it_is_clear_that_this_does_not_help(tmp_path: Path) -> None:
    said: list[str] = []

    async def scenario() -> str:
        processes = Processes(tmp_path)

        async def start() -> None:
            process = await processes.start("dying", ["sh", "-c", "kill -9 $$"])
            if said:  # as a start that waits for the part does
                await process.wait()
                raise StackError("it did not start")

        await start()
        return await kept_alive(processes, {"dying": start}, said)

    message = asyncio.run(scenario())
    assert message.startswith("dying died 3 times in 30 s (SIGKILL), so the stack stops:")
    assert said == ["dying: died (SIGKILL), is started again"] * 2


def test_a_part_that_lives_and_does_not_work_ends_the_stack(tmp_path: Path) -> None:
    async def scenario() -> str:
        processes = Processes(tmp_path)

        async def start() -> None:
            await processes.start("dumb", ["sleep", "60"])
            raise StackError("dumb is not ready")

        await processes.start("dumb", ["false"])
        return await kept_alive(processes, {"dumb": start}, [])

    assert asyncio.run(scenario()) == "dumb is not ready"


def test_a_command_that_fails_shows_the_end_of_its_output(tmp_path: Path) -> None:
    async def scenario() -> None:
        processes = Processes(tmp_path)
        try:
            await processes.run("fine", ["true"])
            await processes.run("failing", [sys.executable, "-c", "raise SystemExit('no such table')"])
        finally:
            await processes.stop_all()

    with pytest.raises(StackError, match=r"(?s)failing failed with exit code 1:.*no such table.*failing\.log"):
        asyncio.run(scenario())


def test_a_large_log_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devstack.processes.LOG_BYTES", 3)

    async def scenario() -> None:
        processes = Processes(tmp_path)
        for word in ("first", "second"):
            await processes.run("part", ["echo", word])
        await processes.stop_all()

    asyncio.run(scenario())

    assert (tmp_path / "logs/part.log").read_text() == "second\n"
    assert (tmp_path / "logs/part.log.1").read_text() == "first\n"


def test_nothing_survives_when_the_stack_is_killed(tmp_path: Path) -> None:
    sources = [FOREVER, STUBBORN, FORKING]
    command = [sys.executable, "-c", STACK, str(tmp_path), *sources]
    stack = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert stack.stdout
    token = stack.stdout.readline().strip()
    wait_until(lambda: ups(tmp_path) == 4)
    assert len(watchdog.members(token)) == 4

    stack.kill()
    stack.wait()

    assert wait_until(lambda: watchdog.members(token) == {}) < 2
