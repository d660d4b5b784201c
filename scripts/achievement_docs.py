"""Writes the table of docs/achievements.md from prisma/sql/seed/achievement_definition.sql. --check only compares."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.made import with_parts, write  # noqa: E402 - after the path is set

PAGE = ROOT / "docs" / "achievements.md"
SEED = ROOT / "prisma" / "sql" / "seed" / "achievement_definition.sql"
_ROW = re.compile(r"\('(\w+)', '([^']+)', '([^']+)', '(\w+)', '(\w+)', '(\w+)', ([\d.]+), '(\w+)', (\d+|null)\)")


def definitions() -> list[tuple[str, ...]]:
    """The rows as they are written in SQL."""
    return _ROW.findall(SEED.read_text())


def table() -> str:
    """The rows as Markdown."""
    lines = ["| code | title | type | metric | rule | window |", "|---|---|---|---|---|---|"]
    for code, title, _, kind, metric, operator, threshold, window, streak in definitions():
        rule = f"{operator} {threshold}" + ("" if streak == "null" else f", {streak} in a row")
        lines.append(f"| `{code}` | {title} | {kind} | {metric} | {rule} | {window} |")
    return "\n".join(lines)


def files() -> dict[Path, str]:
    """What is made."""
    return {PAGE: with_parts(PAGE, __file__, definitions=table())}


if __name__ == "__main__":
    write(files())
