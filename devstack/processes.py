"""The stack's child processes: started, logged, watched, and all gone when the stack is."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
from asyncio.subprocess import Process
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from devstack import watchdog
from devstack.config import StackError

STOP_SECONDS = 5.0
DEATHS, DEATHS_SECONDS = 3, 30  # of one part: then starting it once more would help nobody
LOG_BYTES = 5_000_000
PROBE = "devstack_probe"


class Processes:
    """Each child leads its own session, so that Ctrl-C reaches the stack alone, which then stops them in order."""

    def __init__(self, directory: Path) -> None:
        self._logs = directory / "logs"
        self._token = secrets.token_hex(8)
        self._running: dict[str, tuple[Process, signal.Signals]] = {}
        self._exits: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self._reviving: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._watchers: set[asyncio.Task[None]] = set()
        self._watchdog: subprocess.Popen[bytes] | None = None

    async def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> Process:
        """Start a part that is meant to run until stopped; its output goes to logs/<name>.log."""
        process = await self._spawn(name, argv, env, cwd, stop_signal)
        watcher = asyncio.create_task(self._watch(name, process))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)
        return process

    async def run(
        self, name: str, argv: Sequence[str], *, extra_env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        """Run a command that ends by itself; StackError with the end of its output when it fails."""
        process = await self._spawn(name, argv, {**os.environ, **(extra_env or {})}, cwd, signal.SIGTERM)
        try:
            code = await process.wait()
        finally:
            await self.stop(name)
        if code != 0:
            raise StackError(f"{name} failed with exit code {code}:\n{self.log_tail(name)}")

    async def stop(self, name: str) -> None:
        """Ask a part to stop and wait; whatever of it is left after a while is killed."""
        if name not in self._running:
            return
        process, stop_signal = self._running.pop(name)
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(stop_signal)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
        with suppress(ProcessLookupError):  # also what it forked
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    async def stop_all(self) -> None:
        """Stop every part, the latest first, then whatever they left behind."""
        for name in reversed(list(self._running)):
            await self.stop(name)
        if self._watchdog and self._watchdog.stdin:
            self._watchdog.stdin.close()
            await asyncio.to_thread(self._watchdog.wait)
            self._watchdog = None

    async def keep_alive(
        self, restarts: Mapping[str, Callable[[], Awaitable[None]]], say: Callable[[str], None]
    ) -> None:
        """Start again what dies by itself; StackError when it is not in `restarts`, or dies too often."""
        deaths: dict[str, list[float]] = {}
        async with asyncio.TaskGroup() as reviving:  # what dies while another part comes back is not kept waiting
            while True:
                name, code = await self._exits.get()
                how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
                now = time.monotonic()
                deaths[name] = [*(at for at in deaths.get(name, []) if now - at < DEATHS_SECONDS), now]
                if name not in restarts or len(deaths[name]) == DEATHS:
                    when = f"{DEATHS} times in {DEATHS_SECONDS} s" if name in restarts else "during the start"
                    raise StackError(f"{name} died {when} ({how}), so the stack stops:\n{self.log_tail(name)}")
                say(f"{name}: died ({how}), is started again")
                reviving.create_task(self._revive(name, restarts[name], say))

    async def _revive(self, name: str, start: Callable[[], Awaitable[None]], say: Callable[[str], None]) -> None:
        began = time.monotonic()
        async with self._reviving[name]:
            try:
                await start()
                say(f"{name}: back after {time.monotonic() - began:.1f} s")
            except Exception:
                if self._running[name][0].returncode is None:
                    raise  # it lives and is of no use; else its next death is in line

    def log_tail(self, name: str, lines: int = 15) -> str:
        """The end of a part's log, without the requests by which the stack itself looks whether the part is up."""
        path = self._logs / f"{name}.log"
        tail = [line for line in path.read_text(errors="replace").splitlines() if PROBE not in line][-lines:]
        return "\n".join([f"  {line}" for line in tail] + [f"  (whole log: {path})"])

    async def _spawn(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str] | None,
        cwd: Path | None,
        stop_signal: signal.Signals,
    ) -> Process:
        self._start_watchdog()
        path = self._logs / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *argv,
                env={**(os.environ if env is None else env), watchdog.MARK: f"{self._token}:{stop_signal:d}"},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running[name] = (process, stop_signal)
        return process

    async def _watch(self, name: str, process: Process) -> None:
        code = await process.wait()
        if name in self._running and self._running[name][0] is process:
            self._exits.put_nowait((name, code))

    def _start_watchdog(self) -> None:
        if self._watchdog is None:
            self._logs.mkdir(parents=True, exist_ok=True)
            self._watchdog = subprocess.Popen(
                [sys.executable, "-I", "-S", watchdog.__file__, self._token],
                env={},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
