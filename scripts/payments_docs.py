"""Writes the list of Stripe's events that we handle into docs/payments.md. --check only compares."""

import sys
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "layers" / "shared"))

from coachline.payments.stripe_event_types import EVENT_TYPES  # noqa: E402 - found by the line above

PAGE = ROOT / "docs" / "payments.md"
BEGIN, END = "<!-- made by scripts/payments_docs.py -->\n", "\n<!-- end of what scripts/payments_docs.py made -->"


def events() -> str:
    """One line for each kind of object."""
    ordered = sorted(EVENT_TYPES, key=lambda name: name.rpartition("."))
    groups = groupby(ordered, key=lambda name: name.rpartition(".")[0])
    return "\n".join(f"- {', '.join(f'`{name}`' for name in names)}" for _, names in groups)


def page(text: str) -> str:
    """The page with the current list between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        sys.exit(f"docs/payments.md: {BEGIN.strip()} and {END.strip()} are not there as a pair")
    return f"{before}{BEGIN}\n{events()}\n{END}{after}"


def main() -> None:
    text = PAGE.read_text()
    if "--check" not in sys.argv:
        PAGE.write_text(page(text))
    elif page(text) != text:
        sys.exit("docs/payments.md: not the events that are handled. Run scripts/payments_docs.py and commit it.")


if __name__ == "__main__":
    main()
