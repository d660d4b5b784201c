"""Writes the table of docs/sessions.md from prisma/sql/functions/sessions/rules.sql. --check only compares."""

import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "sessions.md"
RULES = ROOT / "prisma" / "sql" / "functions" / "sessions" / "rules.sql"
BEGIN, END = "<!-- rules -->", "<!-- /rules -->"
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


def page() -> str:
    """The page with the table as it has to be."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


def main() -> None:
    if "--check" not in sys.argv:
        PAGE.write_text(page())
    elif PAGE.read_text() != page():
        sys.exit("docs/sessions.md: not what rules.sql says. Run scripts/session_docs.py and commit it.")


if __name__ == "__main__":
    main()
