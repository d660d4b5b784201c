"""One execution environment of Lambda: AWS's Runtime Interface Emulator, and under it python3.13 with what was built.

It sees what it sees on Lambda: the function's folder, the layer, what the runtime brings, and an environment of its
own; no site-packages (`-S`), and no bytecode is written (`-B`), because Lambda's disk is read-only.
"""

import json
import os
import platform
import re
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import httpx

from tests.support.stack import ROOT, TLS, free_port, wait_until

MACHINE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
AWS_DIRECTORY = ROOT / ".aws-sam"
BUILT = AWS_DIRECTORY / ("build" if MACHINE == "arm64" else f"build-{MACHINE}")
LAYER = BUILT / "SharedLayer" / "python"
RUNTIME = AWS_DIRECTORY / "runtime"
_INIT = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@cache
def python() -> str:
    """The python3.13 that the layer was compiled by."""
    command = ["make", "-s", "-C", str(ROOT / "layers/shared"), "python"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def emulator() -> Path:
    """The emulator that the SAM CLI brings along."""
    found = list((ROOT / ".venv-sam").glob(f"lib/*/site-packages/samcli/local/rapid/aws-lambda-rie-{MACHINE}"))
    if not found or not LAYER.is_dir() or not RUNTIME.is_dir():
        raise FileNotFoundError("nothing is built to be run: make test-runtime builds it and runs these tests")
    return found[0]


@dataclass(frozen=True)
class Answer:
    """What a call answered, and how long it took to a caller outside, in milliseconds."""

    value: Any
    ms: float


class Environment:
    """An execution environment, which starts with its first call, as on Lambda; a context manager ends it."""

    def __init__(
        self, code: Path, log: Path, variables: Mapping[str, str], *, layer: Path = LAYER, python: str, flags: str = ""
    ) -> None:
        self._address = f"127.0.0.1:{free_port()}"
        self._log = log
        runtime_api = f"127.0.0.1:{free_port()}"
        command = [str(emulator()), "--runtime-interface-emulator-address", self._address]
        command += ["--runtime-api-address", runtime_api, python, "-SB", *flags.split(), "-m", "awslambdaric"]
        own = {
            "AWS_LAMBDA_FUNCTION_NAME": code.name,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": "30",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "LAMBDA_TASK_ROOT": str(code),
            "LANG": "en_US.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": f"{layer}:{RUNTIME}",
            "TZ": ":UTC",
        }
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, "app.lambda_handler"],
                cwd=code,
                env={**own, **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._http = httpx.Client(timeout=60, verify=TLS)
        wait_until(self._listens, what=f"the emulator (see {log})")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        children = self._runtimes()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in children:
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGKILL)

    def invoke(self, event: Any) -> Answer:
        """Call the function; the first call also loads it."""
        body = json.dumps(event).encode()
        began = time.perf_counter()
        answer = self._http.post(f"http://{self._address}/2015-03-31/functions/function/invocations", content=body)
        ms = (time.perf_counter() - began) * 1000
        return Answer(answer.json(), ms)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def init_ms(self) -> float:
        """The emulator's Init Duration: from the start of the process until it asks for its first event."""
        match: re.Match[str] = wait_until(lambda: _INIT.search(self.log), what="the report of the start")
        return float(match[1])

    def cpu_ms(self) -> float:
        """What the runtime process has computed since its start."""
        fields = self._stat().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / _TICKS

    def resident_mb(self) -> float:
        return int(self._stat().rpartition(")")[2].split()[21]) * _PAGE / 1e6

    def _listens(self) -> bool:
        assert self._process.poll() is None, self.log
        host, port = self._address.split(":")
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) == 0

    def _stat(self) -> str:
        [pid] = self._runtimes()
        return Path(f"/proc/{pid}/stat").read_text()

    def _runtimes(self) -> list[int]:
        """The emulator's children, of any of its threads."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        return [int(pid) for task in tasks for pid in task.read_text().split()]
