"""Writes the table of docs/notifications.md from coachline.notifications.catalogue. --check only compares."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from coachline.notifications.catalogue import TYPES, NotificationType  # noqa: E402 - after the path is set
from scripts.made import with_parts, write  # noqa: E402 - after the path is set

PAGE = ROOT / "docs" / "notifications.md"
AUDIENCES = {
    "coachId": "coach",
    "coachIds": "the coaches",
    "menteeId": "mentee",
    "userId": "the user",
    "createdBy": "who started it",
    "role:ADMIN": "every ADMIN",
}


def table() -> str:
    """The types as Markdown, in their order."""
    lines = ["| type | event | told to | in the app | by e-mail | can be switched off | calendar |"]
    lines.append("|---|---|---|:-:|:-:|:-:|:-:|")
    return "\n".join(lines + [_line(kind) for kind in TYPES])


def _line(kind: NotificationType) -> str:
    told = ", ".join(AUDIENCES[audience] for audience in kind.audience)
    marks = (kind.in_app, kind.email, not kind.required, kind.invite)
    return f"| `{kind.type}` | `{kind.event}` | {told} | {' | '.join('yes' if mark else '' for mark in marks)} |"


def files() -> dict[Path, str]:
    """What is made."""
    return {PAGE: with_parts(PAGE, __file__, types=table())}


if __name__ == "__main__":
    write(files())
