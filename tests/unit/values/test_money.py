"""Amounts against plain fractions and decimals."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachline.money import DECIMAL_PLACES, fee, prorated

amounts = st.integers(-(10**12), 10**12)


def half_up(exact: Fraction) -> int:
    """The reference: Python's decimal arithmetic, wide enough to be exact for halves."""
    return int((Decimal(exact.numerator * 10**30 // exact.denominator) / 10**30).quantize(Decimal(1), ROUND_HALF_UP))


@given(st.integers(0, 10**12), st.integers(0, 24 * 60))
def test_a_price_is_the_hourly_rate_for_the_minutes(hourly: int, minutes: int) -> None:
    assert prorated(hourly, minutes) == half_up(Fraction(hourly * minutes, 60))


@given(st.integers(0, 10**12), st.integers(0, 10_000))
def test_a_fee_is_its_share_in_basis_points(amount: int, basis_points: int) -> None:
    assert fee(amount, basis_points) == half_up(Fraction(amount * basis_points, 10_000))


@given(amounts, st.integers(0, 10_000))
def test_a_reversal_mirrors_its_charge(amount: int, basis_points: int) -> None:
    assert fee(-amount, basis_points) == -fee(amount, basis_points)
    assert prorated(-amount, basis_points) == -prorated(amount, basis_points)


@given(amounts, st.integers(0, 10_000))
def test_rounding_is_off_by_half_a_unit_at_most(amount: int, basis_points: int) -> None:
    assert abs(fee(amount, basis_points) - Fraction(amount * basis_points, 10_000)) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("hourly", "minutes", "price"),
    [(15000, 60, 15000), (15000, 30, 7500), (10000, 45, 7500), (1, 30, 1), (1, 29, 0), (9999, 50, 8333), (0, 60, 0)],
)
def test_prices_of_sessions(hourly: int, minutes: int, price: int) -> None:
    assert prorated(hourly, minutes) == price


@pytest.mark.parametrize(("amount", "share"), [(15000, 1275), (100, 9), (99, 8), (0, 0)])
def test_the_platforms_share_of_850_basis_points(amount: int, share: int) -> None:
    assert fee(amount, 850) == share


def test_currencies_have_their_own_minor_units() -> None:
    assert (DECIMAL_PLACES["USD"], DECIMAL_PLACES["JPY"]) == (2, 0)
    assert all(code.isascii() and code.isupper() and len(code) == 3 for code in DECIMAL_PLACES)
