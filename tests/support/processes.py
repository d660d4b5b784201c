"""What each part of a running stack computes, from /proc: the processor time of its processes."""

import os
import signal
from collections import defaultdict
from pathlib import Path

from tests.support.stack import ROOT, Stack

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(root: int) -> dict[str, float]:
    """Seconds of processor by part since each process began; `root` is the stack's process.

    A worker is known by the folder that it was sent to, which is its function's.
    """
    spent: defaultdict[str, float] = defaultdict(float)
    parts = {root: "gateway, simulators"}
    for pid, parent in _descendants(root):
        part = _part(pid) or parts.get(parent, "other")
        parts[pid] = part
    for pid, part in parts.items():
        spent[part] += _spent(pid)
    return spent


def workers(root: int, function: str) -> list[int]:
    """The processes of a stack that run a function, `function` its folder under functions/."""
    return [pid for pid, _ in _descendants(root) if _part(pid) == function]


def kill_workers(stack: Stack, function: str) -> int:
    """Kill every process of a stack that runs a function, busy or idle: how many."""
    assert stack.process is not None
    found = workers(stack.process.pid, function)
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    return len(found)


def _descendants(root: int) -> list[tuple[int, int]]:
    """Every process below `root` with its parent, parents first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, parents = [], [root]
    while parents:
        parent = parents.pop()
        for child in children.get(parent, []):
            found.append((child, parent))
            parents.append(child)
    return found


def _part(pid: int) -> str | None:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        folder = Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return None
    for mark, part in (("moto_server", "moto"), ("postgrest", "PostgREST"), ("postgres", "Postgres")):
        if mark in command:
            return part
    if folder.is_relative_to(ROOT / "functions"):
        return f"{folder.parent.name}/{folder.name}"
    return None


def _spent(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; none once the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
