"""Writes the table of currencies into prisma/sql/seed/currency.sql and docs/payments.md. --check only compares."""

import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from coachline.money import CURRENCIES, Currency  # noqa: E402 - after the path is set
from scripts.made import with_parts, write  # noqa: E402 - after the path is set

PAGE = ROOT / "docs" / "payments.md"
SEED = ROOT / "prisma" / "sql" / "seed" / "currency.sql"
STATEMENT = """\
-- Made by scripts/currency_docs.py from coachline.money.
insert into private.currency as c (code, exponent, step, minimum, maximum) values
ROWS
on conflict (code) do update
  set exponent = excluded.exponent, step = excluded.step, minimum = excluded.minimum, maximum = excluded.maximum
  where (c.exponent, c.step, c.minimum, c.maximum)
        is distinct from (excluded.exponent, excluded.step, excluded.minimum, excluded.maximum);
"""


def seed() -> str:
    """Every currency as coachline.money has it."""
    rows = (f"  ('{c.code}', {c.exponent}, {c.step}, {c.minimum}, {c.maximum})" for c in _ordered())
    return STATEMENT.replace("ROWS", ",\n".join(rows))


def table() -> str:
    """One line for each kind of currency."""
    kinds = defaultdict(list)
    for currency in _ordered():
        kinds[currency.exponent, currency.step, currency.minimum].append(currency.code)
    lines = [f"| {' '.join(codes)} | {' | '.join(map(str, kind))} |" for kind, codes in sorted(kinds.items())]
    return "\n".join(["| currencies | decimals | step | minimum |", "|---|---|---|---|", *lines])


def _ordered() -> list[Currency]:
    return sorted(CURRENCIES.values())


def files() -> dict[Path, str]:
    """What is made."""
    return {PAGE: with_parts(PAGE, __file__, currencies=table()), SEED: seed()}


if __name__ == "__main__":
    write(files())
