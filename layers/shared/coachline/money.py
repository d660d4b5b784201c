"""Arithmetic on money in integer minor units: no float ever touches an amount.

The table of currencies is here and nowhere else: `scripts/currency_docs.py` writes it into the database and the docs.
What is computed here is computed alike by `prisma/sql/functions/payments/currency.sql`; a test holds both to it.
"""

from typing import NamedTuple

MOST = 99_999_999  # eight digits, as Stripe takes them


class Currency(NamedTuple):
    """What amounts of a currency look like, all in its minor units as Stripe counts them.

    `exponent` is the number of decimal places of the minor unit, `step` what every amount is a multiple of, `minimum`
    the smallest amount above 0 that Stripe charges, `maximum` the largest.
    """

    code: str
    exponent: int
    step: int
    minimum: int
    maximum: int = MOST


def _of(codes: str, exponent: int = 2, step: int = 1, minimum: int | None = None) -> list[Currency]:
    # Without a minimum of its own an amount has to be worth that of the currency it is settled in: Stripe decides.
    return [Currency(code, exponent, step, minimum or step) for code in codes.split()]


CURRENCIES = {
    currency.code: currency
    for currency in (
        *_of("AUD BRL CAD CHF EUR INR NZD SGD USD", minimum=50),
        *_of("GBP", minimum=30),
        *_of("AED MYR PLN RON", minimum=200),
        *_of("DKK", minimum=250),
        *_of("NOK SEK", minimum=300),
        *_of("HKD", minimum=400),
        *_of("MXN THB", minimum=1000),
        *_of("CZK", minimum=1500),
        *_of("HUF", minimum=17_500),
        *_of("TWD ZAR"),
        *_of("JPY", exponent=0, minimum=50),
        *_of("BIF CLP DJF GNF KMF KRW MGA PYG RWF VND VUV XAF XOF XPF", exponent=0),
        *_of("ISK UGX", step=100),  # without decimals, and counted in hundredths all the same
        *_of("BHD JOD KWD OMR TND", exponent=3, step=10),  # the last of three decimals is 0
    )
}
"""By ISO 4217 code, as https://docs.stripe.com/currencies has them."""


def amount_fault(amount: int, currency: str, *, minimum: bool = True) -> str | None:
    """Why an amount of a known currency cannot be a price; None for one that can. 0 can, being free.

    Without `minimum`, as a part of what has been paid, which may be small.
    """
    known = CURRENCIES[currency]
    if amount % known.step:
        return f"Amounts in {currency} are multiples of {known.step} minor units"
    if amount > known.maximum:
        return f"At most {known.maximum} minor units of {currency} can be charged"
    if minimum and 0 < amount < known.minimum:
        return f"At least {known.minimum} minor units of {currency} can be charged, or 0"
    return None


def prorated(hourly_amount: int, minutes: int, currency: str = "USD") -> int:
    """The price of `minutes` at an hourly amount, half-up to the currency's step (DOMAIN D)."""
    return half_up(hourly_amount * minutes, 60, CURRENCIES[currency].step)


def fee(amount: int, basis_points: int, currency: str = "USD") -> int:
    """The share of `amount` that `basis_points` (hundredths of a percent) are, half-up to the currency's step."""
    return half_up(amount * basis_points, 10_000, CURRENCIES[currency].step)


def part_of_refund(part: int, paid: int, before: int, refunded: int, currency: str = "USD") -> int:
    """What somebody whose part of `paid` is `part` gives of a refund of `refunded`, after refunds of `before`.

    Rounded by what has been refunded altogether, so that parts of refunds add up to the part of the whole: of 15525, a
    part of 13725 gives 4420, 4421 and 4884 of refunds of 5000, 5000 and 5525.
    """
    step = CURRENCIES[currency].step
    return half_up(part * (before + refunded), paid, step) - half_up(part * before, paid, step) if paid else 0


def half_up(numerator: int, denominator: int, step: int = 1) -> int:
    """A fraction as a multiple of `step`, the nearest; halves away from zero, so that a reversal mirrors its charge."""
    magnitude = (2 * abs(numerator) + denominator * step) // (2 * denominator * step) * step
    return magnitude if numerator >= 0 else -magnitude
