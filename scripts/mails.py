"""Writes the e-mail of every type into a folder, as HTML and as text, to be looked at: scripts/mails.py FOLDER."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from coachline.notifications.catalogue import TYPES  # noqa: E402 - after the path is set
from coachline.notifications.rendering import letter  # noqa: E402 - after the path is set
from tests.support.notifications import row  # noqa: E402 - after the path is set

LINK = "https://api.example.com/api/notifications/unsubscribe?token=example"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for kind in TYPES:
        words = letter(row(kind), web="https://app.example.com", unsubscribe=None if kind.required else LINK)
        (folder / f"{kind.type}.html").write_text(words.html)
        (folder / f"{kind.type}.txt").write_text(f"Subject: {words.subject}\n\n{words.text}")
    frames = "\n".join(f'<iframe src="{kind.type}.html" width="416" height="560"></iframe>' for kind in TYPES)
    (folder / "index.html").write_text(f"<!doctype html>\n<title>E-mails</title>\n{frames}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
