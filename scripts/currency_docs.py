"""Writes the table of currencies into prisma/sql/seed/currency.sql and docs/payments.md. --check only compares."""

import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "layers" / "shared"))

from coachline.money import CURRENCIES, Currency  # noqa: E402 - found by the line above

PAGE = ROOT / "docs" / "payments.md"
SEED = ROOT / "prisma" / "sql" / "seed" / "currency.sql"
BEGIN, END = "<!-- made by scripts/currency_docs.py -->\n", "\n<!-- end of what scripts/currency_docs.py made -->"
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


def page(text: str) -> str:
    """The page with the current table between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        sys.exit(f"docs/payments.md: {BEGIN.strip()} and {END.strip()} are not there as a pair")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _ordered() -> list[Currency]:
    return sorted(CURRENCIES.values())


def main() -> None:
    text = PAGE.read_text()
    if "--check" not in sys.argv:
        PAGE.write_text(page(text))
        SEED.write_text(seed())
    elif page(text) != text or seed() != SEED.read_text():
        sys.exit("The currencies are not those of coachline.money. Run scripts/currency_docs.py and commit it.")


if __name__ == "__main__":
    main()
