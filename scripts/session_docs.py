"""Writes the table of docs/sessions.md from prisma/sql/functions/sessions/rules.sql. --check only compares."""

import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.made import with_parts, write  # noqa: E402 - after the path is set

PAGE = ROOT / "docs" / "sessions.md"
RULES = ROOT / "prisma" / "sql" / "functions" / "sessions" / "rules.sql"
PHASES = ("EARLY", "LATE", "OPENING", "DURING", "GRACE", "AFTER")
ACTORS = ("MENTEE", "COACH", "ADMIN", "SYSTEM")
_ROW = re.compile(r"\('(\w+)', '{([A-Z_,]+)}'(?:::text\[\])?, '(\w+)', '{([A-Z,]+)}'(?:::text\[\])?, '{([A-Z,]+)}'")


class Rule(NamedTuple):
    """One row of private.session_rules()."""

    action: str
    from_status: tuple[str, ...]
    to_status: str
    actors: tuple[str, ...]
    phases: tuple[str, ...]


def rules() -> list[Rule]:
    """The rows as they are written in SQL."""
    found = _ROW.findall(RULES.read_text())
    return [Rule(a, tuple(f.split(",")), t, tuple(w.split(",")), tuple(p.split(","))) for a, f, t, w, p in found]


def table() -> str:
    """The rules as Markdown: a line for each change and who may make it, a column for each phase."""
    lines = [
        f"| change | from | to | who | {' | '.join(PHASES)} |",
        f"|---|---|---|---|{':-:|' * len(PHASES)}",
    ]
    everything = rules()
    for action in dict.fromkeys(rule.action for rule in everything):
        for actor in ACTORS:
            for rule in (each for each in everything if each.action == action and actor in each.actors):
                cells = ("yes" if phase in rule.phases else "-" for phase in PHASES)
                ways = f"{', '.join(rule.from_status)} | {rule.to_status}"
                lines.append(f"| {action.replace('_', ' ')} | {ways} | {actor} | {' | '.join(cells)} |")
    return "\n".join(lines)


def files() -> dict[Path, str]:
    """What is made."""
    return {PAGE: with_parts(PAGE, __file__, rules=table())}


if __name__ == "__main__":
    write(files())
