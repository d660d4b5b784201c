"""Writes the table of who may call what into docs/roles.md. --check only compares."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.permissions import table  # noqa: E402 - found by the line above

PAGE = ROOT / "docs" / "roles.md"
BEGIN, END = "<!-- made by `make roles` -->\n", "\n<!-- end of what `make roles` made -->"


def page(text: str) -> str:
    """The page with the current table between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> None:
    text = PAGE.read_text()
    if "--check" not in sys.argv:
        PAGE.write_text(page(text))
    elif page(text) != text:
        sys.exit("docs/roles.md: not what the routes say. Run `make roles` and commit it.")


if __name__ == "__main__":
    main()
