"""Plans: made and changed by ADMINs, mirrored to Stripe as a product and its prices."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from coachline.api import Caller
from coachline.database import Database, as_caller
from coachline.models import Input, Instant, Money, Output, Price, Version, example
from coachline.pagination import Keyset, PageQuery
from coachline.patches import columns, partial

if TYPE_CHECKING:
    from collections.abc import Mapping

_ORDER = Keyset(after_at=("created_at", datetime), after_id=("id", UUID))


class BillingInterval(StrEnum):
    """How often is paid: every `intervalCount` of these."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    YEAR = "YEAR"


class EntitlementsInput(Input):
    """What a subscriber has besides the right to book."""

    included_sessions_per_month: Annotated[int, Field(ge=0, le=1000)] = 0
    fee_waived: bool = False
    features: Annotated[list[Annotated[str, Field(min_length=1, max_length=50)]], Field(max_length=50)] = Field(
        default_factory=list
    )


class Entitlements(Output):
    """What a subscriber has besides the right to book."""

    included_sessions_per_month: int
    fee_waived: bool
    features: list[str]


class Plan(Output):
    """A plan at its current price. Who subscribed at an earlier one stays there until moved."""

    model_config = example(
        id="5bb5a3c5-6c6d-4f4e-9dfe-2f5cf3f2a111",
        name="Growth",
        description="Two sessions a month and no fee.",
        status="ACTIVE",
        price={"amount": 9900, "currency": "USD"},
        interval="MONTH",
        intervalCount=1,
        trialDays=14,
        priceNumber=1,
        entitlements={"includedSessionsPerMonth": 2, "feeWaived": True, "features": ["goal_reports"]},
        purchasable=True,
        version=2,
        createdAt="2027-01-04T09:00:00Z",
    )

    id: UUID
    name: str
    description: str
    status: Literal["ACTIVE", "ARCHIVED"]
    price: Money
    interval: BillingInterval
    interval_count: int
    trial_days: int
    price_number: int
    entitlements: Entitlements
    purchasable: bool
    version: int
    created_at: Instant


class _Terms(Input):
    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")]
    price: Price
    interval: BillingInterval = BillingInterval.MONTH
    interval_count: Annotated[int, Field(ge=1, le=36)] = 1
    trial_days: Annotated[int, Field(ge=0, le=365)] = 0
    description: Annotated[str, Field(max_length=2000)] = ""
    entitlements: EntitlementsInput = Field(default_factory=EntitlementsInput)


class PlanInput(_Terms):
    """A new plan."""

    model_config = example(
        name="Growth",
        price={"amount": 9900, "currency": "USD"},
        interval="MONTH",
        trialDays=14,
        entitlements={"includedSessionsPerMonth": 2, "feeWaived": True, "features": ["goal_reports"]},
    )


@partial
class PlanPatch(_Terms):
    """What changes. A changed price, interval or trial makes a new price; subscribers keep theirs."""

    model_config = example(price={"amount": 11900, "currency": "USD"}, version=2)

    version: Version
    status: Literal["ACTIVE", "ARCHIVED"] = "ACTIVE"


def list_plans(caller: Caller, query: PageQuery) -> tuple[list[Any], str | None]:
    """A page of `Plan`, newest first: what is for sale, and for an ADMIN everything."""
    rows = as_caller(caller).read(
        "list_plans",
        **_ORDER.arguments(query),
    )
    return _ORDER.page(rows, query)


def get_plan(caller: Caller, plan_id: UUID) -> Any:
    """One `Plan`; 404 when it is archived and the caller neither has it nor manages plans."""
    return as_caller(caller).read("get_plan", plan_id=str(plan_id))


def create_plan(caller: Caller, body: PlanInput) -> Any:
    """The new `Plan`, at Stripe too; when Stripe is away it is `purchasable` once the janitor has been there."""
    database = as_caller(caller)
    return publish(database, database.write("create_plan", input=_row(body, all_fields=True))["stripe"])


def update_plan(caller: Caller, plan_id: UUID, patch: PlanPatch) -> Any:
    """The `Plan` as changed; 409 version_conflict."""
    database = as_caller(caller)
    row = _row(patch)
    changed = database.write("update_plan", plan_id=str(plan_id), patch=row, expected_version=patch.version)
    return publish(database, changed["stripe"])


def delete_plan(caller: Caller, plan_id: UUID) -> None:
    """Archive a plan that somebody has or had; remove one that nobody ever had."""
    database = as_caller(caller)
    publish(database, database.write("delete_plan", plan_id=str(plan_id))["stripe"])


def sync_plans(database: Database, *, everything: bool = False) -> int:
    """Make at Stripe what a crash left out, or say everything again that we know of plans: of how many."""
    waiting = database.read("plans_to_sync", everything=everything)
    for plan in waiting:
        publish(database, plan)
    return len(waiting)


def publish(database: Database, plan: "Mapping[str, Any]") -> Any:
    """Bring a plan's product and current price to Stripe, however often this is tried; the `Plan` after it.

    Their ids there are ours (the product's own id, the price's lookup key), so nothing is made twice.
    """
    from coachline.payments import catalog  # noqa: PLC0415 - Stripe's SDK costs 250 ms of CPU, and lists do without

    product_id, price_id = catalog.publish(plan)
    return database.write(
        "record_plan_at_stripe",
        plan_id=plan["plan_id"],
        price_row=plan["price_row"],
        product_id=product_id,
        price_id=price_id,
    )


def _row(body: PlanInput | PlanPatch, *, all_fields: bool = False) -> dict[str, Any]:
    """A body as the database takes it: price and entitlements are not nested there."""
    row = columns(body, but={"version", "price", "entitlements"}, all_fields=all_fields)
    sent = body.model_fields_set
    if all_fields or "price" in sent:
        row |= body.price.model_dump(mode="json")
    if all_fields or "entitlements" in sent:
        row |= body.entitlements.model_dump(mode="json", by_alias=False)
    return row
