"""Ends what a stack started, once the stack itself is gone without having done so (kill -9).

Started by processes.py as a script. Waits for the end of its standard input, whose other end only the stack holds,
then ends every process that carries the stack's token in its environment, and their descendants. A mark in the
environment cannot be lost: it needs no registration, survives forks and new sessions, and unshare, which clears
the parent-death signal.
"""

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

MARK = "DEVSTACK_CHILD"  # <token>:<signal that asks the process to stop>
GRACE = 0.7  # seconds


def _processes() -> Iterator[tuple[int, int, bytes]]:
    """Every process that we may look into: pid, its parent's pid, its environment."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as stat, open(f"/proc/{name}/environ", "rb") as environ:
                state, parent = stat.read().rpartition(b")")[2].split()[:2]
                if state not in b"ZX":
                    yield int(name), int(parent), environ.read()
        except OSError:
            continue


def members(token: str) -> dict[int, int]:
    """The living processes of a stack: pid → the signal that asks it to stop."""
    mark = re.compile(rf"(?:\A|\0){MARK}={token}:(\d+)".encode())
    found: dict[int, int] = {}
    parents: dict[int, int] = {}
    for pid, parent, environ in _processes():
        parents[pid] = parent
        if match := mark.search(environ):
            found[pid] = int(match[1])
    # Postgres' backends overwrite their environment with their title: they are known by their parent.
    while more := {pid: signal.SIGTERM for pid, parent in parents.items() if parent in found and pid not in found}:
        found.update(more)
    return found


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def main() -> None:
    token = sys.argv[1]
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    sys.stdin.buffer.read()
    asked: set[int] = set()
    deadline = time.monotonic() + GRACE
    while living := members(token):
        for pid, number in living.items():
            if time.monotonic() > deadline:
                _send(pid, signal.SIGKILL)
            elif pid not in asked:
                asked.add(pid)
                _send(pid, number)
        time.sleep(0.02)


if __name__ == "__main__":
    main()
