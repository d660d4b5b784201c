"""What the benchmarks print, and the conditions under which they were taken."""

import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path


def machine() -> str:
    """Processor, cores and load: figures of a busy machine are not worth keeping."""
    info = Path("/proc/cpuinfo").read_text()
    model = next((line.partition(": ")[2] for line in info.splitlines() if line.startswith("model name")), "")
    return f"{model or platform.machine()}, {os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}"


def say(line: str = "") -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def show(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in Markdown, its first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    line = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    for row in (head, line, *rows):
        cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        say(f"| {' | '.join(cells)} |")
