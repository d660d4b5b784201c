"""Amounts against plain fractions and decimals."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachline.money import CURRENCIES, amount_fault, fee, part_of_refund, prorated

amounts = st.integers(-(10**12), 10**12)
currencies = st.sampled_from(sorted(CURRENCIES))


def half_up(exact: Fraction, step: int = 1) -> int:
    """The reference: Python's decimal arithmetic, wide enough to be exact for halves."""
    exact /= step
    nearest = (Decimal(exact.numerator * 10**30 // exact.denominator) / 10**30).quantize(Decimal(1), ROUND_HALF_UP)
    return int(nearest) * step


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


@given(st.integers(0, 10**10), st.integers(0, 24 * 60), st.integers(0, 10_000), currencies)
def test_what_is_computed_has_the_steps_of_its_currency(
    hourly: int, minutes: int, basis_points: int, currency: str
) -> None:
    step = CURRENCIES[currency].step
    price = prorated(hourly, minutes, currency)
    share = fee(price, basis_points, currency)
    assert price == half_up(Fraction(hourly * minutes, 60), step)
    assert share == half_up(Fraction(price * basis_points, 10_000), step)
    assert price % step == share % step == 0
    # What the platform does not keep is the coach's: nothing is lost, and nobody gives more than there is.
    assert 0 <= share <= price


def refunds_by_hand(part: int, paid: int, refunds: list[int], step: int) -> list[int]:
    """The reference: after each refund, the part of all so far by exact fractions, less what has been given already."""
    given_so_far, parts = 0, []
    for index in range(len(refunds)):
        due = half_up(Fraction(part, paid) * sum(refunds[: index + 1]), step)
        parts.append(due - given_so_far)
        given_so_far = due
    return parts


@given(st.data(), currencies)
def test_parts_of_refunds_add_up_to_the_part_of_the_whole(data: st.DataObject, currency: str) -> None:
    step = CURRENCIES[currency].step
    refunds = data.draw(
        st.lists(st.integers(1, 10_000), min_size=1, max_size=8).map(lambda n: [each * step for each in n])
    )
    paid = sum(refunds)
    part = data.draw(st.integers(0, paid // step)) * step
    parts = [
        part_of_refund(part, paid, sum(refunds[:index]), refunded, currency) for index, refunded in enumerate(refunds)
    ]
    assert parts == refunds_by_hand(part, paid, refunds, step)
    assert sum(parts) == part
    assert all(0 <= share <= refunded and share % step == 0 for share, refunded in zip(parts, refunds, strict=True))


def test_a_session_of_150_dollars_and_a_fee_of_the_mentee_is_refunded_in_three_parts() -> None:
    refunds, before = (5000, 5000, 5525), (0, 5000, 10_000)
    parts = [part_of_refund(13_725, 15_525, *each) for each in zip(before, refunds, strict=True)]
    assert parts == [4420, 4421, 4884]
    assert part_of_refund(0, 0, 0, 0) == 0  # nothing was charged: a plan or credit had paid


@pytest.mark.parametrize(
    ("currency", "exponent", "step", "minimum"),
    [
        ("USD", 2, 1, 50),
        ("EUR", 2, 1, 50),
        ("GBP", 2, 1, 30),
        ("JPY", 0, 1, 50),
        ("KWD", 3, 10, 10),
        ("ISK", 2, 100, 100),
        ("UGX", 2, 100, 100),
        ("HUF", 2, 1, 17_500),
        ("MGA", 0, 1, 1),
    ],
)
def test_currencies_have_units_steps_and_minimums_of_their_own(
    currency: str, exponent: int, step: int, minimum: int
) -> None:
    assert CURRENCIES[currency] == (currency, exponent, step, minimum, 99_999_999)


def test_the_table_is_sound() -> None:
    assert all(code == each.code and len(code) == 3 and code.isupper() for code, each in CURRENCIES.items())
    assert all(each.step <= each.minimum <= each.maximum for each in CURRENCIES.values())
    assert all(each.minimum % each.step == 0 for each in CURRENCIES.values())


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        (0, "USD", None),
        (50, "USD", None),
        (49, "USD", "At least 50"),
        (49, "JPY", "At least 50"),
        (500, "JPY", None),
        (5124, "KWD", "multiples of 10"),
        (5120, "KWD", None),
        (150, "ISK", "multiples of 100"),
        (99_999_999, "USD", None),
        (100_000_000, "USD", "At most 99999999"),
    ],
)
def test_what_can_be_a_price(amount: int, currency: str, words: str | None) -> None:
    fault = amount_fault(amount, currency)
    assert fault is None if words is None else words in (fault or "")


def test_a_part_of_what_was_paid_may_be_below_the_minimum() -> None:
    assert amount_fault(1, "USD", minimum=False) is None
    assert "multiples of 10" in (amount_fault(1, "KWD", minimum=False) or "")
