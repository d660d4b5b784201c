"""Writes the table of docs/notifications.md from coachline.notifications.catalogue. --check only compares."""

import sys
from pathlib import Path

from coachline.notifications.catalogue import TYPES, NotificationType

PAGE = Path(__file__).resolve().parent.parent / "docs" / "notifications.md"
BEGIN, END = "<!-- types -->", "<!-- /types -->"
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


def page(text: str) -> str:
    """The page with the current table between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def _line(kind: NotificationType) -> str:
    told = ", ".join(AUDIENCES[audience] for audience in kind.audience)
    marks = (kind.in_app, kind.email, not kind.required, kind.invite)
    return f"| `{kind.type}` | `{kind.event}` | {told} | {' | '.join('yes' if mark else '' for mark in marks)} |"


def main() -> None:
    text = PAGE.read_text()
    if "--check" not in sys.argv:
        PAGE.write_text(page(text))
    elif page(text) != text:
        sys.exit("docs/notifications.md: not what the catalogue says. Run scripts/notification_docs.py and commit it.")


if __name__ == "__main__":
    main()
