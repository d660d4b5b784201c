"""Invoices of no subscription: what Stripe tells from the empty draft to the payment, and what it refuses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.unit.stripe.simulated_stripe import Simulated, simulated
from tests.unit.stripe.test_stories import DECLINED, PAID


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulated]:
    with simulated(tmp_path) as simulator:
        yield simulator
        assert simulator.faults() == []


SENT: dict[str, Any] = {"collection_method": "send_invoice", "days_until_due": 14, "currency": "usd"}
LINES: dict[str, Any] = {
    "lines": [
        {"amount": 15_000, "description": "60 minutes", "metadata": {"session_id": "one"}},
        {"amount": 7500, "description": "30 minutes", "period": {"start": 1_800_000_000, "end": 1_800_001_800}},
    ]
}


def made(simulator: Simulated, **more: Any) -> stripe.Invoice:
    asked: Any = {"customer": simulator.customer(), **SENT, **more}
    return simulator.client.v1.invoices.create(asked)


def test_an_invoice_is_made_filled_finalized_sent_and_paid(simulator: Simulated) -> None:
    destination, api = simulator.coach(), simulator.client.v1
    invoice = made(simulator, transfer_data={"destination": destination}, application_fee_amount=1913)
    simulator.events()
    assert (invoice.status, invoice.total, invoice.auto_advance) == ("draft", 0, False)
    filled = api.invoices.add_lines(invoice.id, LINES)  # type: ignore[arg-type]  # a plain dictionary
    assert (filled.total, [line.amount for line in filled.lines.data]) == (22_500, [15_000, 7500])
    final = api.invoices.finalize_invoice(invoice.id)
    assert (final.status, final.amount_due) == ("open", 22_500)
    assert final.due_date == final.created + 14 * 86_400
    api.invoices.send_invoice(invoice.id)
    assert simulator.events() == ["invoice.updated", "invoice.finalized", "payment_intent.created", "invoice.sent"]
    assert api.invoices.pay(invoice.id).status == "paid"
    passed_on = ["transfer.created", "application_fee.created", "charge.updated"]
    assert simulator.events() == ["charge.succeeded", "payment_intent.succeeded", *passed_on, *PAID]
    [intent] = simulator.simulator.store.all("payment_intent")
    assert (intent["application_fee_amount"], intent["transfer_data"]["destination"]) == (1913, destination)


def test_an_invoice_that_nobody_pays_is_overdue_once(simulator: Simulated) -> None:
    invoice = made(simulator)
    simulator.client.v1.invoices.add_lines(invoice.id, LINES)  # type: ignore[arg-type]  # a plain dictionary
    simulator.client.v1.invoices.finalize_invoice(invoice.id)
    simulator.events()
    simulator.move(days=13)
    assert simulator.events() == []
    simulator.move(days=2)
    simulator.move(days=20)
    assert simulator.events() == ["invoice.overdue"]


def test_a_draft_waits_for_whoever_made_it(simulator: Simulated) -> None:
    invoice = made(simulator)
    simulator.move(days=3)
    assert simulator.client.v1.invoices.retrieve(invoice.id).status == "draft"


def test_a_declined_payment_of_an_invoice_that_was_sent_is_not_tried_again(simulator: Simulated) -> None:
    api = simulator.client.v1
    customer = simulator.customer("pm_card_chargeCustomerFail")
    invoice = made(simulator, customer=customer)
    api.invoices.add_lines(invoice.id, LINES)  # type: ignore[arg-type]  # a plain dictionary
    api.invoices.finalize_invoice(invoice.id)
    simulator.events()
    with pytest.raises(stripe.CardError):
        api.invoices.pay(invoice.id)
    after = api.invoices.retrieve(invoice.id)
    assert (after.status, after.attempt_count, after.next_payment_attempt) == ("open", 1, None)
    assert simulator.events() == DECLINED
    assert api.invoices.void_invoice(invoice.id).status == "void"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"subscription": "sub_1", "pending_invoice_items_behavior": "include"}, "pending_invoice_items_behavior"),
        ({"days_until_due": None}, "days_until_due"),
        ({"collection_method": "charge_automatically"}, "days_until_due"),
        ({"application_fee_amount": 5}, "application_fee_amount"),
        ({"transfer_data": {"destination": "acct_none"}}, "transfer_data[destination]"),
        ({"price": "price_1"}, "price"),
    ],
)
def test_what_does_not_go_together_is_refused(simulator: Simulated, more: dict[str, Any], param: str) -> None:
    asked = {"customer": simulator.customer(), **SENT, **more}
    asked = {name: value for name, value in asked.items() if value is not None}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        simulator.client.v1.invoices.create(asked)  # type: ignore[arg-type]  # a plain dictionary
    assert refused.value.param == param


def test_a_line_has_no_top_level_price(simulator: Simulated) -> None:
    lines: Any = {"lines": [{"price": "price_1"}]}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        simulator.client.v1.invoices.add_lines(made(simulator).id, lines)
    assert (refused.value.code, refused.value.param) == ("parameter_unknown", "lines[0][price]")


def test_what_is_final_takes_no_more_lines_and_is_final_once(simulator: Simulated) -> None:
    api, invoice = simulator.client.v1, made(simulator)
    api.invoices.add_lines(invoice.id, LINES)  # type: ignore[arg-type]  # a plain dictionary
    api.invoices.finalize_invoice(invoice.id)
    with pytest.raises(stripe.InvalidRequestError):
        api.invoices.add_lines(invoice.id, LINES)  # type: ignore[arg-type]  # a plain dictionary
    with pytest.raises(stripe.InvalidRequestError):
        api.invoices.finalize_invoice(invoice.id)


def test_a_customer_with_a_subscription_in_dollars_gets_no_invoice_in_euros(simulator: Simulated) -> None:
    customer = simulator.customer()
    simulator.subscribe(customer, simulator.price())
    with pytest.raises(stripe.InvalidRequestError) as refused:
        made(simulator, customer=customer, currency="eur")
    assert refused.value.param == "currency"
