"""What Stripe tells, step by step, when time passes and calls are made: the exact events, and how things stand then."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.unit.stripe.simulated_stripe import Simulated, simulated

UPDATED = "customer.subscription.updated"
PAID = ["invoice_payment.paid", "invoice.paid", "invoice.payment_succeeded"]
COLLECTED = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded", *PAID]
DECLINED = ["charge.failed", "payment_intent.payment_failed", "invoice.payment_failed", "invoice.updated"]


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulated]:
    with simulated(tmp_path) as simulator:
        yield simulator
        assert simulator.faults() == []


def status(simulator: Simulated, subscription: stripe.Subscription) -> str:
    return simulator.client.v1.subscriptions.retrieve(subscription.id).status


def items(subscription: stripe.Subscription) -> Any:
    return subscription["items"].data


def failing(simulator: Simulated) -> tuple[str, stripe.Subscription]:
    """A subscriber whose first payment succeeded, and whose card will not pay again."""
    customer = simulator.customer()
    subscription = simulator.subscribe(customer, simulator.price())
    method = simulator.client.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer})
    simulator.client.v1.subscriptions.update(subscription.id, {"default_payment_method": method.id})
    simulator.events()
    return customer, subscription


def test_a_first_payment_makes_a_subscription_active(simulator: Simulated) -> None:
    customer, price = simulator.customer(), simulator.price()
    simulator.events()
    assert simulator.subscribe(customer, price).status == "active"
    first = ["customer.subscription.created", "invoice.created", "invoice.finalized"]
    assert simulator.events() == [*first, *COLLECTED, UPDATED]


def test_a_first_payment_waits_for_the_customer(simulator: Simulated) -> None:
    customer = simulator.customer(None)
    asked: dict[str, Any] = {
        "payment_behavior": "default_incomplete",
        "payment_settings": {"save_default_payment_method": "on_subscription"},
        "expand": ["latest_invoice.confirmation_secret"],
    }
    subscription = simulator.subscribe(customer, simulator.price(), **asked)
    invoice = subscription.latest_invoice
    assert isinstance(invoice, stripe.Invoice)
    assert invoice.confirmation_secret
    intent = invoice.confirmation_secret.client_secret.split("_secret")[0]
    simulator.events()
    confirm = simulator.client.v1.payment_intents.confirm
    with pytest.raises(stripe.CardError) as declined:
        confirm(intent, {"payment_method": "pm_card_chargeDeclinedInsufficientFunds"})
    assert (declined.value.http_status, declined.value.code) == (402, "card_declined")
    assert simulator.events() == DECLINED
    assert confirm(intent, {"payment_method": "pm_card_authenticationRequired"}).status == "requires_action"
    assert simulator.events() == ["payment_intent.requires_action"]
    simulator.control(authenticate=intent)
    assert simulator.events() == [
        "payment_method.attached",
        "charge.succeeded",
        "payment_intent.succeeded",
        *PAID,
        UPDATED,
    ]
    after = simulator.client.v1.subscriptions.retrieve(subscription.id)
    assert (after.status, bool(after.default_payment_method)) == ("active", True)


def test_what_is_not_paid_within_23_hours_expires(simulator: Simulated) -> None:
    customer = simulator.customer(None)
    subscription = simulator.subscribe(customer, simulator.price(), payment_behavior="default_incomplete")
    simulator.events()
    simulator.move(hours=24)
    assert simulator.events() == [UPDATED, "payment_intent.canceled", "invoice.voided"]
    assert status(simulator, subscription) == "incomplete_expired"


def test_a_period_renews_an_hour_after_its_draft(simulator: Simulated) -> None:
    subscription = simulator.subscribe(simulator.customer(), simulator.price())
    simulator.events()
    simulator.move(days=28)
    assert simulator.events() == ["invoice.created", UPDATED]
    simulator.move(hours=1)
    assert simulator.events() == ["invoice.finalized", *COLLECTED]
    [item] = items(simulator.client.v1.subscriptions.retrieve(subscription.id))
    # From 31 January over 28 February to 31 March.
    assert item.current_period_end - item.current_period_start == 31 * 86_400


def test_a_trial_with_a_card_ends_in_a_payment(simulator: Simulated) -> None:
    customer, price = simulator.customer(), simulator.price()
    simulator.events()
    subscription = simulator.subscribe(customer, price, trial_period_days=14)
    first = ["customer.subscription.created", "invoice.created", "invoice.finalized"]
    assert simulator.events() == [*first, "invoice.paid", "invoice.payment_succeeded"]
    assert subscription.status == "trialing"
    simulator.move(days=11)
    assert simulator.events() == ["customer.subscription.trial_will_end"]
    simulator.move(days=3)
    assert simulator.events() == ["invoice.created", UPDATED]
    simulator.move(hours=1)
    assert simulator.events() == ["invoice.finalized", *COLLECTED]
    assert status(simulator, subscription) == "active"


@pytest.mark.parametrize(
    ("behaviour", "after", "events"),
    [
        ("cancel", "canceled", ["customer.subscription.deleted"]),
        ("pause", "paused", [UPDATED, "customer.subscription.paused"]),
        (
            "create_invoice",
            "past_due",
            [
                *("invoice.created", UPDATED, "invoice.finalized", "payment_intent.created"),
                *("invoice.payment_failed", "invoice.updated", UPDATED),
            ],
        ),
    ],
)
def test_a_trial_without_a_card_ends_as_was_asked(
    simulator: Simulated, behaviour: str, after: str, events: list[str]
) -> None:
    settings = {"end_behavior": {"missing_payment_method": behaviour}}
    customer, price = simulator.customer(None), simulator.price()
    subscription = simulator.subscribe(customer, price, trial_period_days=14, trial_settings=settings)
    simulator.events()
    simulator.move(days=14, hours=2)
    assert simulator.events() == ["customer.subscription.trial_will_end", *events]
    assert status(simulator, subscription) == after


def test_an_upgrade_costs_what_was_shown(simulator: Simulated) -> None:
    customer, dear = simulator.customer(), simulator.price(9000)
    subscription = simulator.subscribe(customer, simulator.price(5000))
    simulator.events()
    simulator.move(days=14)
    change: Any = {
        "items": [{"id": items(subscription)[0].id, "price": dear}],
        "proration_behavior": "always_invoice",
    }
    preview = simulator.client.v1.invoices.create_preview(
        {"customer": customer, "subscription": subscription.id, "subscription_details": change}
    )
    # Half of the period is left: half of the old price back, half of the new one due.
    assert [line.amount for line in preview.lines.data] == [-2500, 4500]
    change["payment_behavior"] = "pending_if_incomplete"
    changed = simulator.client.v1.subscriptions.update(subscription.id, change)
    applied = [UPDATED, "customer.subscription.pending_update_applied"]
    assert simulator.events() == ["invoice.created", "invoice.finalized", *COLLECTED, *applied]
    invoice = simulator.client.v1.invoices.retrieve(str(changed.latest_invoice))
    assert (invoice.amount_paid, items(changed)[0].price.id) == (preview.amount_due, dear)


def test_a_downgrade_leaves_credit_for_the_next_invoice(simulator: Simulated) -> None:
    customer, cheap = simulator.customer(), simulator.price(5000)
    subscription = simulator.subscribe(customer, simulator.price(9000))
    simulator.move(days=14)
    simulator.events()
    change: Any = {
        "items": [{"id": items(subscription)[0].id, "price": cheap}],
        "proration_behavior": "always_invoice",
    }
    simulator.client.v1.subscriptions.update(subscription.id, change)
    credited = ["customer.updated", "invoice.finalized", "invoice.paid", "invoice.payment_succeeded"]
    assert simulator.events() == ["invoice.created", UPDATED, *credited]
    assert simulator.client.v1.customers.retrieve(customer).balance == -2000
    simulator.move(days=14, hours=1)
    renewed = simulator.client.v1.subscriptions.retrieve(subscription.id)
    invoice = simulator.client.v1.invoices.retrieve(str(renewed.latest_invoice))
    assert (invoice.total, invoice.amount_due, invoice.ending_balance) == (5000, 3000, 0)


def test_from_month_to_year_begins_a_new_period(simulator: Simulated) -> None:
    yearly = simulator.price(50_000, "year")
    subscription = simulator.subscribe(simulator.customer(), simulator.price(5000))
    simulator.move(days=14)
    simulator.events()
    change: Any = {"items": [{"id": items(subscription)[0].id, "price": yearly}]}
    changed = simulator.client.v1.subscriptions.update(subscription.id, change)
    assert simulator.events() == ["invoice.created", UPDATED, "invoice.finalized", *COLLECTED]
    assert simulator.client.v1.invoices.retrieve(str(changed.latest_invoice)).total == 47_500
    assert items(changed)[0].current_period_start == int(simulator.clock.now().timestamp())


def test_a_pause_credits_what_was_not_used_and_a_resumption_charges_anew(simulator: Simulated) -> None:
    subscription = simulator.subscribe(simulator.customer(), simulator.price())
    simulator.move(days=14)
    simulator.events()
    paused = simulator.client.v1.subscriptions.pause(subscription.id, {"type": "subscription"})
    assert simulator.events() == ["invoiceitem.created", UPDATED, "customer.subscription.paused"]
    simulator.move(days=60)
    assert (paused.status, simulator.events()) == ("paused", [])
    resumed = simulator.client.v1.subscriptions.resume(subscription.id, {})
    told = ["invoice.created", UPDATED, "invoice.finalized", *COLLECTED, UPDATED, "customer.subscription.resumed"]
    assert simulator.events() == told
    assert resumed.status == "active"
    assert simulator.client.v1.invoices.retrieve(str(resumed.latest_invoice)).total == 2500


def test_a_failed_renewal_is_rescued_by_another_card(simulator: Simulated) -> None:
    customer, subscription = failing(simulator)
    simulator.move(days=28, hours=1)
    renewal = ["invoice.created", UPDATED, "invoice.finalized", "payment_intent.created"]
    assert simulator.events() == [*renewal, *DECLINED, UPDATED]
    assert status(simulator, subscription) == "past_due"
    good = simulator.client.v1.payment_methods.attach("pm_card_visa", {"customer": customer})
    simulator.client.v1.subscriptions.update(subscription.id, {"default_payment_method": good.id})
    simulator.events()
    open_invoice = simulator.client.v1.subscriptions.retrieve(subscription.id).latest_invoice
    simulator.client.v1.invoices.pay(str(open_invoice))
    assert simulator.events() == ["charge.succeeded", "payment_intent.succeeded", *PAID, UPDATED]
    assert status(simulator, subscription) == "active"


@pytest.mark.parametrize(
    ("action", "after", "events"),
    [
        ("cancel", "canceled", ["customer.subscription.deleted"]),
        ("unpaid", "unpaid", [UPDATED]),
        ("past_due", "past_due", []),
        ("pause", "paused", [UPDATED, "customer.subscription.paused"]),
    ],
)
def test_a_renewal_that_nobody_rescues(simulator: Simulated, action: str, after: str, events: list[str]) -> None:
    simulator.control(finalAction=action)
    _, subscription = failing(simulator)
    simulator.move(days=28, hours=1)
    simulator.events()
    for days in (3, 5):
        simulator.move(days=days)
        assert simulator.events() == DECLINED
    simulator.move(days=7)
    assert simulator.events() == [*DECLINED, *events]
    assert status(simulator, subscription) == after


def test_a_cancellation_at_the_end_can_be_taken_back_until_then(simulator: Simulated) -> None:
    subscription = simulator.subscribe(simulator.customer(), simulator.price())
    simulator.events()
    update = simulator.client.v1.subscriptions.update
    assert (
        update(subscription.id, {"cancel_at_period_end": True}).cancel_at == items(subscription)[0].current_period_end
    )
    assert update(subscription.id, {"cancel_at_period_end": False}).cancel_at is None
    update(subscription.id, {"cancel_at_period_end": True})
    assert simulator.events() == [UPDATED] * 3
    simulator.move(days=28)
    assert simulator.events() == ["customer.subscription.deleted"]
    with pytest.raises(stripe.InvalidRequestError, match="canceled subscription"):
        update(subscription.id, {"cancel_at_period_end": False})
