"""The process that runs functions: a zygote with the heavy libraries in memory, which forks one worker per instance.

Started by workers.py as a script that knows nothing of the project: a worker sees what a Lambda sees, which is its
own environment, the layer and third-party code. The zygote never imports the layer, so a new worker always runs the
code as it is on disk.
"""

import ctypes
import gc
import importlib
import io
import json
import os
import signal
import socket
import sys
import time
import traceback
import zoneinfo
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from types import ModuleType
from typing import Any, TextIO, cast

PRELOADED = (
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.event_handler.openapi.params",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.utilities.batch",
    "boto3",
    "cryptography.hazmat.primitives.serialization",
    "httpx",
    "jwt",
    "postgrest",
    "pydantic",
    "supabase",
)
Message = dict[str, Any]
Handler = Callable[[Any, Any], Any]


def send(connection: socket.socket, message: bytes) -> None:
    connection.sendall(len(message).to_bytes(4, "big") + message)


def receive(connection: socket.socket) -> bytes | None:
    """One message, or None once the other side is gone."""

    def exactly(size: int) -> bytes | None:
        data = bytearray()
        while len(data) < size:
            part = connection.recv(min(size - len(data), 1 << 20))
            if not part:
                return None
            data += part
        return bytes(data)

    header = exactly(4)
    return exactly(int.from_bytes(header, "big")) if header else None


class Context:
    """Lambda's context object."""

    client_context = identity = None
    function_version = "$LATEST"

    def __init__(self, call: Message) -> None:
        environment = os.environ
        self.aws_request_id: str = call["requestId"]
        self.function_name = environment["AWS_LAMBDA_FUNCTION_NAME"]
        self.memory_limit_in_mb = environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = environment["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = environment["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.invoked_function_arn: str = call["arn"]
        self._deadline: float = call["deadline"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.time()) * 1000))


class _Output(io.TextIOBase):
    """Standard output, which also hands the lines that report errors to the console."""

    def __init__(self, stream: TextIO, report: Callable[[str], None]) -> None:
        self._stream = stream
        self._report = report

    def write(self, text: str) -> int:
        self._stream.write(text)
        self._stream.flush()
        if '"level":"ERROR"' in text or '"level":"CRITICAL"' in text:
            self._report(text)
        return len(text)


def _error(error: BaseException, kind: str = "", message: str = "") -> bytes:
    """What Lambda answers for an exception; frames of this file are left out."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    frames = [frame for frame in frames if not frame.filename.startswith("<frozen importlib")]
    return json.dumps(
        {
            "errorType": kind or type(error).__name__,
            "errorMessage": message or str(error),
            "stackTrace": traceback.format_list(frames),
        }
    ).encode()


def _load(module: str, task_root: str) -> ModuleType:
    # A name of its own: with every function's module called "app", one could be mistaken for another in a traceback.
    os.chdir(task_root)
    path = os.path.join(task_root, f"{module}.py")
    loaded = ModuleType(f"{os.path.basename(task_root)}_{module}")
    loaded.__file__ = path
    sys.modules[loaded.__name__] = loaded
    with open(path, "rb") as source:  # compiled anew: bytecode on disk misses a second edit within a second
        exec(compile(source.read(), path, "exec", dont_inherit=True), loaded.__dict__)  # noqa: S102 - our own code
    return loaded


def _import_handler(module: str, name: str, task_root: str) -> tuple[Handler | None, bytes]:
    """The handler, or the error that Lambda reports when there is none."""
    try:
        handler: Handler | None = getattr(_load(module, task_root), name, None)
    except SyntaxError as error:
        place = f"{error.filename}, line {error.lineno}: {(error.text or '').strip()}"
        return None, _error(error, "Runtime.UserCodeSyntaxError", f"Syntax error: {error.msg} ({place})")
    except (ImportError, FileNotFoundError) as error:
        return None, _error(error, "Runtime.ImportModuleError", f"Unable to import module '{module}': {error}")
    except Exception as error:  # noqa: BLE001 - whatever the module does while it loads
        return None, _error(error)
    missing = AttributeError(f"Handler '{name}' missing on module '{module}'")
    return handler, _error(missing, "Runtime.HandlerNotFound")


def _pin_clock(now: str | None) -> None:
    try:
        clock = importlib.import_module("coachline.clock")
    except ImportError:
        return
    clock.pin(datetime.fromisoformat(now) if now else None)


def _invoke(handler: Handler, call: Message) -> tuple[bytes, bytes]:
    """Kind of the answer and the answer: r(esult) or e(rror)."""
    try:
        _pin_clock(call["clock"])
        result = handler(call["event"], Context(call))
    except Exception as error:  # noqa: BLE001 - the function's, not ours
        traceback.print_exc(file=sys.stdout)
        return b"e", _error(error)
    try:
        return b"r", json.dumps(result, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        return b"e", _error(error, "Runtime.MarshalError", f"Unable to marshal response: {error}")


def work(order: Message, address: str) -> None:
    """One instance of a function, from its start to the end of its connection."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: never outlive the zygote
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    send(connection, order["id"].encode())
    os.nice(order["niceness"])
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    zoneinfo.reset_tzpath()
    sys.path[:] = [*order["pythonPath"], *sys.path]
    output = _Output(sys.stdout, lambda text: send(connection, b"l" + text.encode(errors="replace")))
    sys.stdout = cast("TextIO", output)
    module, name = order["handler"].rsplit(".", 1)
    handler, failure = _import_handler(module, name, order["taskRoot"])
    if handler is None:
        send(connection, b"i" + failure)
        return
    send(connection, b"s")
    while message := receive(connection):
        kind, answer = _invoke(handler, json.loads(message))
        send(connection, kind + answer)


def serve(address: str) -> None:
    """Fork and kill workers as ordered, until the stack is gone."""
    for name in PRELOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # so that what is shared with the workers stays shared
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies; a pidfd never means another process
    workers: dict[str, int] = {}
    control = socket.socket(socket.AF_UNIX)
    control.connect(address)
    send(control, b"zygote")
    while message := receive(control):
        order: Message = json.loads(message)
        if order["order"] == "kill":
            _kill(workers.pop(order["id"], None))
        elif pid := os.fork():
            with suppress(ProcessLookupError):
                workers[order["id"]] = os.pidfd_open(pid)
        else:
            control.close()
            try:
                work(order, address)
            except BaseException:  # noqa: BLE001 - a forked child must never return into the zygote's loop
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(0)
    for worker in workers.values():
        _kill(worker)


def _kill(worker: int | None) -> None:
    if worker is not None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(worker, signal.SIGKILL)
        os.close(worker)


if __name__ == "__main__":
    serve(sys.argv[1])
