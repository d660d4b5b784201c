"""The subscription report: recurring revenue and how it moved, from the history of subscriptions alone."""

import csv
import io
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, ValidationInfo, field_validator

from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Data, Instant, Money, Output, Query, example

LONGEST = timedelta(days=366)


class ReportQuery(Query):
    """The period [from, to), at most a year; as JSON or as CSV."""

    from_: Annotated[Instant, Field(alias="from", examples=["2027-03-01T00:00:00Z"])]
    to: Annotated[Instant, Field(examples=["2027-04-01T00:00:00Z"])]
    format: Literal["json", "csv"] = "json"

    @field_validator("to")
    @classmethod
    def _range(cls, to: datetime, info: ValidationInfo) -> datetime:
        start = info.data.get("from_")
        if start and to <= start:
            raise ValueError("must be after `from`")
        if start and to - start > LONGEST:
            raise ValueError("must be at most 366 days after `from`")
        return to


class CurrencyFigures(Output):
    """Monthly recurring revenue at the end, what moved it since the beginning (churn and contraction below zero).

    `arpu` is null when nobody pays. Figures are rounded each by itself, half-up to minor units, so they may differ from
    the sum by one.
    """

    currency: str
    mrr: Money
    arr: Money
    arpu: Money | None
    paying: int
    new: Money
    reactivation: Money
    expansion: Money
    contraction: Money
    churn: Money
    churned: int


class PlanFigures(Output):
    """Subscribers at the end."""

    plan_id: UUID
    name: str
    paying: int
    trialing: int
    past_due: int


class TrialFigures(Output):
    """Trials that began in the period, and how many of them have led to a payment by its end."""

    started: int
    converted: int


class FailedPayments(Output):
    """Invoices of the period that could not be collected, and what is open of them."""

    currency: str
    invoices: int
    open: Money


_MONEY = {"amount": 9900, "currency": "USD"}
_PERIOD = {"from": "2027-03-01T00:00:00Z", "to": "2027-04-01T00:00:00Z"}
_PLAN = "5bb5a3c5-6c6d-4f4e-9dfe-2f5cf3f2a111"
_NONE = {"amount": 0, "currency": "USD"}


class SubscriptionReport(Output):
    """By currency; currencies are never summed."""

    model_config = example(
        **_PERIOD,
        currencies=[
            {
                "currency": "USD",
                "mrr": _MONEY,
                "arr": {"amount": 118800, "currency": "USD"},
                "arpu": _MONEY,
                "paying": 1,
                "new": _MONEY,
                "reactivation": _NONE,
                "expansion": _NONE,
                "contraction": _NONE,
                "churn": _NONE,
                "churned": 0,
            }
        ],
        plans=[{"planId": _PLAN, "name": "Growth", "paying": 1, "trialing": 0, "pastDue": 0}],
        trials={"started": 4, "converted": 1},
        failedPayments=[],
    )

    from_: Annotated[Instant, Field(alias="from")]
    to: Instant
    currencies: list[CurrencyFigures]
    plans: list[PlanFigures]
    trials: TrialFigures
    failed_payments: list[FailedPayments]


CSV = "text/csv; charset=utf-8; header=present"
CONTENT: dict[str, Any] = {
    "application/json": {"model": Data[SubscriptionReport]},
    "text/csv": {
        "schema": {"type": "string"},
        "example": "from,to,currency,mrr,arr,arpu,new,reactivation,expansion,contraction,churn,paying,churned\r\n",
    },
}
"""What OpenAPI says of the two answers."""


def subscription_report(caller: Caller, query: ReportQuery) -> Any:
    """The `SubscriptionReport`."""
    return as_caller(caller).read(
        "get_subscription_report", from_at=query.from_.isoformat(), to_at=query.to.isoformat()
    )


COLUMNS = ("mrr", "arr", "arpu", "new", "reactivation", "expansion", "contraction", "churn")


def as_csv(report: dict[str, Any]) -> str:
    """The figures by currency, one row each, in minor units (RFC 4180)."""
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(["from", "to", "currency", *COLUMNS, "paying", "churned"])
    for row in report["currencies"]:
        amounts = [row[name]["amount"] if row[name] else "" for name in COLUMNS]
        table.writerow([report["from"], report["to"], row["currency"], *amounts, row["paying"], row["churned"]])
    return written.getvalue()
