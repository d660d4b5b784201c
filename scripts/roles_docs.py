"""Writes the table of who may call what into docs/roles.md. --check only compares."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.made import with_parts, write  # noqa: E402 - after the path is set
from tests.support.permissions import table  # noqa: E402 - after the path is set

PAGE = ROOT / "docs" / "roles.md"


def files() -> dict[Path, str]:
    """What is made."""
    return {PAGE: with_parts(PAGE, __file__, routes=table())}


if __name__ == "__main__":
    write(files())
