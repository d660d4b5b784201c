"""Runs functions as Lambda does: instances with one event at a time, timeouts, crashes, a fresh start after an edit."""

import asyncio
import json
import os
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from devstack import runtime
from devstack.clock import Clock
from devstack.config import Config, StackError
from devstack.intrinsics import ACCOUNT, REGION
from devstack.processes import Processes
from devstack.template import Function
from devstack.variables import lambda_variables

DEFAULT_CONCURRENCY = 4
LINE = 400  # calls of one function: a second or two of work, and callers wait three
INIT_SECONDS = 10
SOCKET = "functions.sock"
BEHIND = 5  # niceness of what nobody waits for: here queues and schedules share the processors with requests
PAYLOAD_BYTES = 6 * 1024 * 1024
AWAY = "ServiceException"  # what Lambda calls a failure of its own


@dataclass(frozen=True)
class Result:
    """What a call gave: JSON as bytes, or an error {errorType, errorMessage, stackTrace}."""

    payload: bytes = b"null"
    error: dict[str, Any] | None = None
    in_init: bool = False

    def value(self) -> Any:
        return json.loads(self.payload)


class _Instance:
    """One worker process and the connection to it."""

    def __init__(self, function: str, generation: int) -> None:
        self.id = uuid.uuid4().hex
        self.function = function
        self.generation = generation
        self.connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def receive(self) -> tuple[str, bytes]:
        message = await _receive(self.reader)
        return chr(message[0]), message[1:]


class Workers:
    """Every function's instances. `say` prints a line on the console."""

    def __init__(  # noqa: PLR0917 - the parts of the stack
        self,
        functions: dict[str, Function],
        processes: Processes,
        config: Config,
        clock: Clock,
        say: Callable[[str], None],
        environment: Mapping[str, str],
    ) -> None:
        self._functions = functions
        self._processes = processes
        self._config = config
        self._clock = clock
        self._say = say
        self._environment = environment
        self._generation = 0
        self.awaited = 0  # calls under way, or in line, that somebody waits for
        self._calls: Counter[str] = Counter()  # of each function, under way or in line
        limit = int(os.environ.get("DEVSTACK_CONCURRENCY") or DEFAULT_CONCURRENCY)
        limits = {f.name: limit if f.reserved is None else min(limit, f.reserved) for f in functions.values()}
        self._places = {name: asyncio.Semaphore(number) for name, number in limits.items() if number}
        self._idle: dict[str, list[_Instance]] = {name: [] for name in functions}
        self._starting: dict[str, _Instance] = {}
        self._zygote: asyncio.Future[asyncio.StreamWriter]  # not done: starting
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Return once the zygote is up: calls wait for that. May be called after a crash."""
        if self._server is None:
            self._zygote = asyncio.get_running_loop().create_future()
            # A socket's path is at most 107 characters long, the folder's may be longer: both name it from within.
            self._folder = os.open(self._config.directory, os.O_RDONLY)
            path = f"/proc/self/fd/{self._folder}/{SOCKET}"
            self._server = await asyncio.start_unix_server(self._accept, path, limit=1 << 20)
        environment = {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"}
        argv = [sys.executable, "-P", runtime.__file__, SOCKET]
        process = await self._processes.start("functions", argv, env=environment, cwd=self._config.directory)
        up_or_gone: list[asyncio.Future[Any]] = [self._zygote, asyncio.create_task(process.wait())]
        await asyncio.wait(up_or_gone, return_when=asyncio.FIRST_COMPLETED)
        if not up_or_gone.pop().cancel():
            raise StackError(f"the functions' process did not start:\n{self._processes.log_tail('functions')}")

    async def stop(self) -> None:
        self.recycle()
        await self._processes.stop("functions")
        if self._server:
            self._server.close()
            os.close(self._folder)

    def recycle(self) -> None:
        """Let every instance go once it is idle, so that the next calls run the code as it is now."""
        self._generation += 1
        for instances in self._idle.values():
            while instances:
                self._dismiss(instances.pop())

    async def prewarm(self, name: str) -> None:
        """Have an idle instance ready."""
        if name in self._places:
            async with self._places[name]:
                instance = await self._instance(self._functions[name])
                if isinstance(instance, _Instance):
                    self._release(instance)

    async def invoke(self, name: str, event: bytes, given_up: Callable[[], bool] = lambda: False) -> Result:
        """Run a function on a JSON event; waits in line when all its instances are busy.

        Lambda refuses at once what is beyond its concurrency. So does this when LINE calls are waiting, and what its
        caller has given up in line is not run: work for nobody would make all others wait, who give up in their turn.
        """
        function, request_id = self._functions[name], str(uuid.uuid4())
        if name not in self._places:
            return self._failed(function, _error("TooManyRequestsException", "Rate Exceeded."))  # reserved: 0
        if function.awaited and self._calls[name] >= LINE:
            return Result(error=_error(AWAY, "Too many calls are waiting."))
        self.awaited += function.awaited
        self._calls[name] += 1
        try:
            return await self._invoke(function, request_id, event, given_up)
        finally:
            self.awaited -= function.awaited
            self._calls[name] -= 1

    async def _invoke(self, function: Function, request_id: str, event: bytes, given_up: Callable[[], bool]) -> Result:
        async with self._places[function.name]:
            if given_up():
                return Result(error=_error(AWAY, "The caller has gone."))
            instance = await self._instance(function)
            if isinstance(instance, Result):
                return instance
            try:
                async with asyncio.timeout(function.timeout):
                    result = await self._call(instance, function, request_id, event)
            except TimeoutError:
                reason = f"Task timed out after {function.timeout:.2f} seconds"
                error = _error("Sandbox.Timedout", f"RequestId: {request_id} Error: {reason}")
            except (OSError, asyncio.IncompleteReadError):
                reason = "Runtime exited without providing a reason"
                error = self._exit_error(f"RequestId: {request_id} Error: {reason}")
            except BaseException:
                self._dismiss(instance)
                raise
            else:
                self._release(instance)
                return result
            self._dismiss(instance)
            return self._failed(function, error)

    async def _call(self, instance: _Instance, function: Function, request_id: str, event: bytes) -> Result:
        call = {
            "requestId": request_id,
            "arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function.name}",
            "deadline": time.time() + function.timeout,
            "clock": self._clock.pinned.isoformat() if self._clock.pinned else None,
        }
        _send(instance.writer, json.dumps(call)[:-1].encode() + b', "event": ' + event + b"}")
        await instance.writer.drain()
        while True:
            kind, answer = await instance.receive()
            if kind == "l":
                self._say(f"ERROR {function.name} {_short(answer)}")
            elif kind == "e":
                return self._failed(function, json.loads(answer))
            elif len(answer) > PAYLOAD_BYTES:
                reason = f"Response payload size exceeded maximum allowed payload size ({PAYLOAD_BYTES} bytes)."
                return self._failed(function, _error("Function.ResponseSizeTooLarge", reason))
            else:
                return Result(answer)

    async def _instance(self, function: Function) -> _Instance | Result:
        """An idle instance, else a new one, or what went wrong with it."""
        while idle := self._idle[function.name]:
            instance = idle.pop()
            if not instance.reader.at_eof():
                return instance
            self._dismiss(instance)
        await asyncio.shield(self._zygote)
        instance = _Instance(function.name, self._generation)
        self._starting[instance.id] = instance
        try:
            async with asyncio.timeout(INIT_SECONDS):
                error = await self._initialised(instance, function)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            error = self._exit_error(f"{function.name} exited or hung while it was being loaded")
        finally:
            del self._starting[instance.id]
        if error is None:
            return instance
        self._dismiss(instance)
        return self._failed(function, error, in_init=True)

    async def _initialised(self, instance: _Instance, function: Function) -> dict[str, Any] | None:
        self._order(
            order="start",
            id=instance.id,
            handler=function.handler,
            taskRoot=str(function.code_dir),
            pythonPath=[str(self._config.root / "layers/shared")],
            niceness=0 if function.awaited else BEHIND,
            environment={**lambda_variables(function), **self._environment, **function.environment},
        )
        await instance.connected
        while True:
            kind, answer = await instance.receive()
            if kind == "l":
                self._say(f"ERROR {function.name} {_short(answer)}")
            else:
                return json.loads(answer) if kind == "i" else None

    def _release(self, instance: _Instance) -> None:
        if instance.generation == self._generation:
            self._idle[instance.function].append(instance)
        else:
            self._dismiss(instance)

    def _dismiss(self, instance: _Instance) -> None:
        if instance.connected.done() and not instance.connected.exception():
            instance.writer.close()
        self._order(order="kill", id=instance.id)

    def _order(self, **order: Any) -> None:
        if self._zygote.done():  # else nobody is there any more to be killed
            _send(self._zygote.result(), json.dumps(order).encode())

    def _exit_error(self, message: str) -> dict[str, Any]:
        """An instance is gone: by itself, or with the zygote, of whose end we hear first."""
        return _error("Runtime.ExitError" if self._zygote.done() else AWAY, message)

    def _failed(self, function: Function, error: dict[str, Any], *, in_init: bool = False) -> Result:
        place = error["stackTrace"][-1].strip().splitlines()[0] if error["stackTrace"] else ""
        self._say(" ".join(["ERROR", function.name, f"{error['errorType']}: {error['errorMessage']}", place]).rstrip())
        return Result(error=error, in_init=in_init)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            name = (await _receive(reader)).decode()
            if name == "zygote":
                self._zygote.set_result(writer)
                with suppress(OSError):  # a reset is an end, too
                    await reader.read()
                self._zygote = asyncio.get_running_loop().create_future()
                for starting in self._starting.values():
                    if not starting.connected.done():
                        starting.connected.set_exception(ConnectionResetError())
            elif instance := self._starting.get(name):
                instance.reader, instance.writer = reader, writer
                instance.connected.set_result(None)
            else:
                writer.close()


async def _receive(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))


def _send(writer: asyncio.StreamWriter, message: bytes) -> None:
    writer.write(len(message).to_bytes(4, "big") + message)


def _short(line: bytes) -> str:
    """What a developer needs of a JSON log line at first sight."""
    try:
        entry = json.loads(line)
        last = (entry.get("exception") or "").strip().splitlines()[-1:]
        return " — ".join([str(entry.get("message")), *last])[:300]
    except (ValueError, AttributeError):
        return line.decode(errors="replace").strip()[:300]


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"errorType": kind, "errorMessage": message, "stackTrace": []}
