"""Writes the table of docs/achievements.md from prisma/sql/seed/achievement_definition.sql. --check only compares."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "achievements.md"
SEED = ROOT / "prisma" / "sql" / "seed" / "achievement_definition.sql"
BEGIN, END = "<!-- definitions -->", "<!-- /definitions -->"
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


def page() -> str:
    """The page with the table as it has to be."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


def main() -> None:
    if "--check" not in sys.argv:
        PAGE.write_text(page())
    elif PAGE.read_text() != page():
        sys.exit("docs/achievements.md: not what the seed says. Run scripts/achievement_docs.py and commit it.")


if __name__ == "__main__":
    main()
