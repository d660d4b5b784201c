"""Writes the list of Stripe's events that we handle into docs/payments.md. --check only compares."""

import sys
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from coachline.payments.stripe_event_types import EVENT_TYPES  # noqa: E402 - after the path is set
from scripts.made import with_parts, write  # noqa: E402 - after the path is set

PAGE = ROOT / "docs" / "payments.md"


def events() -> str:
    """One line for each kind of object."""
    ordered = sorted(EVENT_TYPES, key=lambda name: name.rpartition("."))
    groups = groupby(ordered, key=lambda name: name.rpartition(".")[0])
    return "\n".join(f"- {', '.join(f'`{name}`' for name in names)}" for _, names in groups)


def files() -> dict[Path, str]:
    """What is made."""
    return {PAGE: with_parts(PAGE, __file__, events=events())}


if __name__ == "__main__":
    write(files())
