"""Subscriptions: what is asked for here is asked of Stripe, and becomes true when Stripe says so (DOMAIN E)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from coachline import clock
from coachline.api import Caller
from coachline.database import Database, as_caller
from coachline.models import Input, Instant, Money, Output, Version, example
from coachline.pagination import Keyset, PageQuery
from coachline.payments import commands, mirror
from coachline.payments.plans import BillingInterval
from coachline.payments.stripe_api import asking, client, plain
from coachline.problems import Unprocessable

_ORDER = Keyset(after_at=("created_at", datetime), after_id=("id", UUID))
PREVIEW_KEPT = timedelta(hours=1)
CLOCKS_DIFFER = timedelta(seconds=30)


class SubscriptionStatus(StrEnum):
    """Stripe's own, upper-cased."""

    INCOMPLETE = "INCOMPLETE"
    INCOMPLETE_EXPIRED = "INCOMPLETE_EXPIRED"
    TRIALING = "TRIALING"
    ACTIVE = "ACTIVE"
    PAST_DUE = "PAST_DUE"
    UNPAID = "UNPAID"
    PAUSED = "PAUSED"
    CANCELED = "CANCELED"


_EXAMPLE: dict[str, Any] = {
    "id": "0c0a6b1e-6a5c-4c0e-8a53-1d2c1f6f2b10",
    "userId": "3e2ec15d-3d13-4e0d-a65c-377bd7400497",
    "planId": "5bb5a3c5-6c6d-4f4e-9dfe-2f5cf3f2a111",
    "planName": "Growth",
    "status": "ACTIVE",
    "effectiveStatus": "ACTIVE",
    "price": {"amount": 9900, "currency": "USD"},
    "interval": "MONTH",
    "intervalCount": 1,
    "currentPeriodStart": "2027-03-01T09:00:00Z",
    "currentPeriodEnd": "2027-04-01T09:00:00Z",
    "trialEnd": None,
    "cancelAt": None,
    "canceledAt": None,
    "endedAt": None,
    "entitled": True,
    "version": 3,
    "createdAt": "2027-03-01T09:00:00Z",
}


class Subscription(Output):
    """A subscription as Stripe last said it is. `entitled` says whether the plan's entitlements count now.

    `effectiveStatus` is the status, or CANCELING (it ends at `cancelAt`) or COLLECTION_PAUSED.
    """

    model_config = example(**_EXAMPLE)

    id: UUID
    user_id: UUID
    plan_id: UUID
    plan_name: str
    status: SubscriptionStatus
    effective_status: str
    price: Money
    interval: BillingInterval
    interval_count: int
    current_period_start: Instant | None
    current_period_end: Instant | None
    trial_end: Instant | None
    cancel_at: Instant | None
    canceled_at: Instant | None
    ended_at: Instant | None
    entitled: bool
    version: int
    created_at: Instant


class RequestedSubscription(Subscription):
    """A subscription just after something was asked of it.

    Its status is what Stripe answered. `clientSecret` is there while the customer has to pay or to confirm: hand it to
    Stripe.js. `version` and the rest follow within seconds, when Stripe's event has arrived.
    """

    model_config = example(**_EXAMPLE | {"status": "INCOMPLETE", "entitled": False, "clientSecret": "pi_…_secret_…"})

    client_secret: str | None


class SubscriptionInput(Input):
    """A plan to subscribe to. With a saved method it is paid at once; without, the client secret starts the payment."""

    model_config = example(planId="5bb5a3c5-6c6d-4f4e-9dfe-2f5cf3f2a111")

    plan_id: UUID
    payment_method_id: UUID | None = None


class SubscriptionChange(Input):
    """Another plan. First as a `preview`; then with the `prorationDate` that it answered, so that it costs as shown."""

    model_config = example(planId="5bb5a3c5-6c6d-4f4e-9dfe-2f5cf3f2a111", preview=True, version=3)

    plan_id: UUID
    preview: bool = False
    proration_date: Instant | None = None
    version: Version


class SubscriptionAction(Input):
    """The version that it was read at."""

    model_config = example(version=3)

    version: Version


class SubscriptionCancellation(Input):
    """At the end of what is paid (default), or NOW, without money back."""

    model_config = example(when="PERIOD_END", version=3)

    when: Literal["NOW", "PERIOD_END"] = "PERIOD_END"
    version: Version


class PreviewLine(Output):
    """What one line credits (below zero) or charges."""

    description: str | None
    amount: Money
    period_start: Instant
    period_end: Instant


class ChangePreview(Output):
    """What a change costs now, as Stripe computed it for `prorationDate`. Below zero is kept as credit."""

    model_config = example(
        amountDue={"amount": 2000, "currency": "USD"},
        total={"amount": 2000, "currency": "USD"},
        prorationDate="2027-03-15T09:00:00Z",
        lines=[
            {
                "description": "Remaining time on Growth",
                "amount": {"amount": 2000, "currency": "USD"},
                "periodStart": "2027-03-15T09:00:00Z",
                "periodEnd": "2027-04-01T09:00:00Z",
            }
        ],
    )

    amount_due: Money
    total: Money
    proration_date: Instant
    lines: Annotated[list[PreviewLine], Field(max_length=100)]


class ChangeResult(Output):
    """The preview when one was asked for, else the subscription."""

    model_config = example(preview=None, subscription=_EXAMPLE | {"clientSecret": None})

    preview: ChangePreview | None
    subscription: RequestedSubscription | None


def list_subscriptions(caller: Caller, query: PageQuery) -> tuple[list[Any], str | None]:
    """A page of `Subscription`, newest first: the caller's, for an ADMIN everyone's."""
    rows = as_caller(caller).read(
        "list_subscriptions",
        **_ORDER.arguments(query),
    )
    return _ORDER.page(rows, query)


def get_subscription(caller: Caller, subscription_id: UUID) -> Any:
    """One `Subscription`."""
    return as_caller(caller).read("get_subscription", subscription_id=str(subscription_id))


def subscribe(caller: Caller, body: SubscriptionInput) -> Any:
    """The new `RequestedSubscription`; 402 payment_declined, 409 subscription_exists, 422 currency_locked."""
    database = as_caller(caller)
    method = body.payment_method_id
    begun = database.write("begin_subscription", plan_id=str(body.plan_id), payment_method_id=method and str(method))
    return _carried_out(database, begun)


def change(caller: Caller, subscription_id: UUID, body: SubscriptionChange) -> Any:
    """`ChangeResult`; 402 payment_declined, 409 invalid_transition or no_change, 422 currency_locked, preview_expired.

    Stripe prorates to any instant of the period, so that an old one would give back what has been used.
    """
    now = clock.now()
    if body.proration_date and not now - PREVIEW_KEPT <= body.proration_date <= now + CLOCKS_DIFFER:
        raise Unprocessable("This preview is not of the last hour. Ask for a new one.", code="preview_expired")
    if body.preview:
        return {"preview": preview(caller, subscription_id, body), "subscription": None}
    parameters = {"plan_id": str(body.plan_id)}
    if body.proration_date:
        parameters["proration_date"] = str(int(body.proration_date.timestamp()))
    return {"preview": None, "subscription": act(caller, subscription_id, "change", body.version, parameters)}


def preview(caller: Caller, subscription_id: UUID, body: SubscriptionChange) -> Any:
    """`ChangePreview`: Stripe's own figures, for the second in which they were asked for."""
    asked = as_caller(caller).read(
        "get_subscription_change", subscription_id=str(subscription_id), plan_id=str(body.plan_id)
    )
    at = int((body.proration_date or clock.now()).timestamp())
    with asking():
        subscription = client().v1.subscriptions.retrieve(asked["stripe_subscription_id"])
        shown: Any = {
            "customer": subscription.customer,
            "subscription": subscription.id,
            "subscription_details": commands.change_of(subscription, asked["price"], at),
        }
        invoice = client().v1.invoices.create_preview(shown)
    return mirror.preview_row(plain(invoice)) | {"proration_date": datetime.fromtimestamp(at, UTC)}


def act(caller: Caller, subscription_id: UUID, action: str, version: int, parameters: Mapping[str, Any]) -> Any:
    """`RequestedSubscription` after change, pause, resume, cancel or reactivate; 409 invalid_transition."""
    database = as_caller(caller)
    begun = database.write(
        "begin_subscription_action",
        subscription_id=str(subscription_id),
        action=action,
        parameters=dict(parameters),
        expected_version=version,
    )
    return _carried_out(database, begun)


def _carried_out(database: Database, begun: Mapping[str, Any]) -> Any:
    """What was begun, asked of Stripe; a repeated request asks with the same key, so Stripe answers the same."""
    answer = plain(commands.run(database, begun["command"]))
    row = mirror.subscription_row(answer)
    live = ("status", "current_period_start", "current_period_end", "trial_end", "cancel_at", "canceled_at", "ended_at")
    return {
        **begun["subscription"],
        **{name: row[name] for name in live},
        "effective_status": _effective_status(row),
        "entitled": row["status"] in {"TRIALING", "ACTIVE", "PAST_DUE"},
        "client_secret": _client_secret(answer),
    }


def _effective_status(row: Mapping[str, Any]) -> str:
    """As `private.effective_status` will have it once Stripe's event is here."""
    if row["status"] in {"ACTIVE", "TRIALING"} and row["cancel_at"]:
        return "CANCELING"
    if row["status"] == "ACTIVE" and row["collection_paused"]:
        return "COLLECTION_PAUSED"
    return str(row["status"])


def _client_secret(subscription: Mapping[str, Any]) -> str | None:
    """What lets Stripe.js collect what is open; never stored."""
    invoice = subscription["latest_invoice"]
    if not isinstance(invoice, Mapping) or invoice["status"] != "open":
        return None
    secret: str | None = (invoice.get("confirmation_secret") or {}).get("client_secret")
    return secret
