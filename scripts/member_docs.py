"""Writes the tables of docs/member-data.md from the rule table of member data. --check only compares."""

import json
import sys
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any, get_args

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from coachline.members.profiles import Role  # noqa: E402 - after the path is set
from coachline.members.rules import (  # noqa: E402 - after the path is set
    FIELDS,
    LOOKUPS,
    ON_ACCOUNT,
    RULES,
    STATUSES,
    Field,
    Rule,
    rules_of,
)
from scripts.made import with_parts, write  # noqa: E402 - after the path is set

PAGE = ROOT / "docs" / "member-data.md"
_TYPES = {
    "text": "text, one line",
    "lines": "text with line breaks",
    "one": "one value",
    "many": "list of values",
    "date": "date, `YYYY-MM-DD`",
    "phone": "phone number",
}
_LONG_LIST = 70  # languages: 500 names, which GET /api/members/schema lists


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Markdown, with bars inside cells escaped."""
    head = list(head)
    cells = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def fields() -> str:
    """Every field: its names, what it holds, who sees it and how it is entered."""
    return table(
        ["field", "RESO name", "type", "length", "seen by", "example", "how to enter it"],
        (
            [
                f"`{field.json}`",
                f"`{field.reso}`",
                f"{_TYPES[field.kind]} of {field.lookup}" if field.lookup else _TYPES[field.kind],
                str(field.length or ""),
                field.seen_by,
                _value(field.example),
                field.entry,
            ]
            for field in (*ON_ACCOUNT, *FIELDS)
        ),
    )


def requirements() -> str:
    """For each role and status, the fields that must be filled."""
    needed = [rule for rule in RULES if rule.check == "required"]

    def cell(role: str, status: str) -> str:
        names = [
            f"`{_field(rule).json}`"
            for rule in needed
            if role in (rule.roles or (role,)) and status in (rule.statuses or (status,))
        ]
        return ", ".join(names) or "nothing"

    roles = get_args(Role)
    cells = {(role, status): cell(role, status) for role, status in product(roles, STATUSES)}
    return table(["role", *STATUSES], ([role, *(cells[role, status] for status in STATUSES)] for role in roles))


def rules() -> str:
    """Every rule with a value that breaks it."""
    return table(
        ["rule", "severity", "for", "message", "breaks it"],
        (
            [f"`{rule.id}`", rule.severity, _scope(rule), rule.message, _broken_by(rule)]
            for field in FIELDS
            for rule in rules_of(field)
        ),
    )


def values() -> str:
    """The values of the lookups; an abbreviation after the slash is taken too."""
    parts = []
    for name, known in LOOKUPS.items():
        if len(known) > _LONG_LIST:
            shown = f"{len(known)} names, listed by `GET /api/members/schema`."
        elif name == "MemberStatus":
            shown = ", ".join(f"{ours} (exported as {STATUSES[ours]})" for ours in known) + "."
        else:
            shown = "; ".join(known) + "."
        parts.append(f"**{name}** ({len(known)}): {shown}")
    return "\n\n".join(parts)


def _field(rule: Rule) -> Field:
    return next(field for field in FIELDS if field.name == rule.field)


def _value(value: Any) -> str:
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _broken_by(rule: Rule) -> str:
    if rule.check == "length":
        return f"{len(rule.fails)} characters"
    if rule.fails is None:
        return "empty"
    return f"{_value(rule.fails)}, if another's" if rule.check == "unique" else f"`{json.dumps(rule.fails)}`"


def _scope(rule: Rule) -> str:
    parts = [*rule.statuses, *rule.roles, *rule.states, *([f"a `{_named(rule)}`"] if rule.with_field else [])]
    return " ".join(parts) or "everyone"


def _named(rule: Rule) -> str:
    return next(field.json for field in FIELDS if field.name == rule.with_field)


def files() -> dict[Path, str]:
    """What is made."""
    return {
        PAGE: with_parts(PAGE, __file__, fields=fields(), requirements=requirements(), rules=rules(), values=values())
    }


if __name__ == "__main__":
    write(files())
