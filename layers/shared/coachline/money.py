"""Arithmetic on money in integer minor units: no float ever touches an amount."""

# Decimal places of the currencies that prices may be in (ISO 4217). ISK and UGX have none, and Stripe wants them
# in hundredths: https://docs.stripe.com/currencies#special-cases
DECIMAL_PLACES = {
    **dict.fromkeys(("AED", "AUD", "BRL", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "HKD", "INR", "MXN"), 2),
    **dict.fromkeys(("MYR", "NOK", "NZD", "PLN", "RON", "SEK", "SGD", "THB", "USD", "ZAR"), 2),
    **dict.fromkeys(("CLP", "JPY", "KRW"), 0),
}


def prorated(hourly_amount: int, minutes: int) -> int:
    """The price of `minutes` at an hourly amount, half-up to minor units (DOMAIN D)."""
    return _half_up(hourly_amount * minutes, 60)


def fee(amount: int, basis_points: int) -> int:
    """The share of `amount` that `basis_points` (hundredths of a percent) are, half-up to minor units."""
    return _half_up(amount * basis_points, 10_000)


def _half_up(numerator: int, denominator: int) -> int:
    """Round to the nearest integer, halves away from zero: -2.5 becomes -3, so that a reversal mirrors its charge."""
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude
