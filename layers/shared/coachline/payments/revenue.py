"""The revenue report: what was charged, kept, passed on, given back and disputed, from the rows of each alone."""

import csv
import io
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Data, Instant, Money, Output, example
from coachline.payments.reports import ReportQuery


class RevenueQuery(ReportQuery):
    """The period [from, to), at most a year, as a whole or by day, week (from Monday) or month, in UTC."""

    interval: Literal["total", "day", "week", "month"] = "total"
    coach_id: UUID | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["USD"])] | None = None


class RevenueTotals(Output):
    """What was paid, refunded and disputed in the period, in one currency.

    `gross` was charged, `credits` account credit and plans covered, `fees` the platform keeps of both (of subscriptions
    everything), `coachShare` is the rest. `refunds` went back to payers, `feesRefunded` is the platform's part of them.
    `disputes` were taken by banks, below zero when more was won back than taken.
    """

    currency: str
    sessions: int
    gross: Money
    credits: Money
    fees: Money
    coach_share: Money
    refunds: Money
    fees_refunded: Money
    disputes: Money


class RevenueRow(RevenueTotals):
    """Of one coach, or with `coachId` null of subscriptions, from `periodStart` until the next."""

    period_start: Instant
    coach_id: UUID | None
    coach_name: str | None


def _money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


_TOTALS: dict[str, Any] = {
    "currency": "USD",
    "sessions": 3,
    "gross": _money(45_000),
    "credits": _money(0),
    "fees": _money(3825),
    "coachShare": _money(41_175),
    "refunds": _money(15_000),
    "feesRefunded": _money(1275),
    "disputes": _money(0),
}


class RevenueReport(Output):
    """By period, coach and currency, and in total by currency; currencies are never summed."""

    model_config = example(
        **{"from": "2027-03-01T00:00:00Z", "to": "2027-04-01T00:00:00Z", "interval": "total"},
        rows=[
            _TOTALS
            | {
                "periodStart": "2027-03-01T00:00:00Z",
                "coachId": "0f08551d-9a54-47e4-b942-7a387eda5385",
                "coachName": "Casey Morgan",
            }
        ],
        totals=[_TOTALS],
    )

    from_: Annotated[Instant, Field(alias="from")]
    to: Instant
    interval: str
    rows: list[RevenueRow]
    totals: list[RevenueTotals]


COLUMNS = ("gross", "credits", "fees", "coach_share", "refunds", "fees_refunded", "disputes")
_HEADER = (
    *("periodStart", "coachId", "currency", "sessions", "gross", "credits", "fees", "coachShare"),
    *("refunds", "feesRefunded", "disputes"),
)
CONTENT: dict[str, Any] = {
    "application/json": {"model": Data[RevenueReport]},
    "text/csv": {"schema": {"type": "string"}, "example": ",".join(_HEADER) + "\r\n"},
}
"""What OpenAPI says of the two answers."""


def revenue_report(caller: Caller, query: RevenueQuery) -> Any:
    """The `RevenueReport`: for an ADMIN of everyone, for a coach his own; 404 for another coach's."""
    return as_caller(caller).read(
        "get_revenue_report",
        from_at=query.from_.isoformat(),
        to_at=query.to.isoformat(),
        step=query.interval,
        wanted_coach=query.coach_id and str(query.coach_id),
        wanted_currency=query.currency,
    )


def as_csv(report: dict[str, Any]) -> str:
    """The rows, in minor units (RFC 4180)."""
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(_HEADER)
    for row in report["rows"]:
        amounts = [row[name]["amount"] for name in COLUMNS]
        table.writerow([row["period_start"], row["coach_id"] or "", row["currency"], row["sessions"], *amounts])
    return written.getvalue()
