"""Billing periods and linear proration: pure arithmetic over Unix seconds and minor units."""

import calendar
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from devstack.simulators.stripe.catalog import money_of
from devstack.simulators.stripe.shapes import Row


class Line(NamedTuple):
    """What one line of an invoice charges (or, below zero, credits) for [start, end)."""

    amount: int
    description: str
    price: Row
    quantity: int
    start: int
    end: int
    item: str | None = None
    proration: bool = False


def period_end(anchor: int, start: int, recurring: Row) -> int:
    """The first instant after `start` that lies a whole number of intervals after the anchor.

    Months are counted from the anchor, so that 31 January, 28 February, 31 March follow one another.
    """
    count, steps = recurring["interval_count"], 0
    while (end := _after(anchor, recurring["interval"], count * (steps := steps + 1))) <= start:
        pass
    return end


def _after(anchor: int, interval: str, count: int) -> int:
    at = datetime.fromtimestamp(anchor, UTC)
    if interval in ("day", "week"):
        return int((at + timedelta(days=count * (7 if interval == "week" else 1))).timestamp())
    month = at.month - 1 + count * (12 if interval == "year" else 1)
    year, month = at.year + month // 12, month % 12 + 1
    return int(at.replace(year=year, month=month, day=min(at.day, calendar.monthrange(year, month)[1])).timestamp())


def full_line(item: Row, start: int, end: int) -> Line:
    price, quantity = item["price"], item["quantity"]
    return Line(money_of(price, quantity), f"{quantity} of {price['id']}", price, quantity, start, end, item["id"])


def unused(item: Row, at: int) -> Line:
    """A credit for what is left of an item's period."""
    return _part(item, at, -1, "Unused time on")


def remaining(item: Row, at: int) -> Line:
    """A charge for what is left of an item's period."""
    return _part(item, at, 1, "Remaining time on")


def _part(item: Row, at: int, sign: int, words: str) -> Line:
    start, end, price = item["current_period_start"], item["current_period_end"], item["price"]
    amount = round_half_up(money_of(price, item["quantity"]) * (end - at), end - start)
    return Line(sign * amount, f"{words} {price['id']}", price, item["quantity"], at, end, item["id"], proration=True)


def round_half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
