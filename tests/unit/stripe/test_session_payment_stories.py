"""What Stripe does and tells when somebody pays for another: destination charges, their fees, transfers and balance."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.unit.stripe.simulated_stripe import Simulated, simulated

PAID = ["charge.succeeded", "payment_intent.succeeded", "transfer.created", "application_fee.created", "charge.updated"]
EVERYTHING = ["latest_charge.balance_transaction", "latest_charge.transfer.balance_transaction"]
EVERYTHING += ["latest_charge.application_fee.balance_transaction"]


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulated]:
    with simulated(tmp_path) as simulator:
        yield simulator
        assert simulator.faults() == []


def paying(simulator: Simulated, coach: str, amount: int = 15000, **more: Any) -> stripe.PaymentIntent:
    asked: Any = {
        "amount": amount,
        "currency": "usd",
        "transfer_data": {"destination": coach},
        "application_fee_amount": 1275,
        "metadata": {"payment_id": "1"},
        **more,
    }
    given: Any = {name: value for name, value in asked.items() if value is not None}
    return simulator.client.v1.payment_intents.create(given)


def test_a_destination_charge_moves_charge_fee_transfer_and_application_fee(simulator: Simulated) -> None:
    coach = simulator.coach()
    simulator.events()
    intent = paying(simulator, coach)
    assert simulator.events() == ["payment_intent.created"]
    done = simulator.client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert (done.status, done.amount_received) == ("succeeded", 15000)
    assert simulator.events() == PAID
    rows = simulator.client.v1.balance_transactions.list({"limit": 10}).data
    assert [(row.type, row.amount, row.fee, row.net) for row in rows[::-1]] == [
        ("charge", 15000, 465, 14535),
        ("transfer", -15000, 0, -15000),
        ("application_fee", 1275, 0, 1275),
    ]
    expand: Any = {"expand": EVERYTHING}
    shown = simulator.client.v1.payment_intents.retrieve(intent.id, expand).to_dict()["latest_charge"]
    assert {shown[name]["balance_transaction"]["id"] for name in ("transfer", "application_fee")} == {
        rows[1].id,
        rows[0].id,
    }
    assert shown["balance_transaction"]["id"] == rows[2].id
    assert shown["transfer"]["destination"] == coach


def test_a_decline_leaves_the_intent_payable_and_moves_nothing(simulator: Simulated) -> None:
    intent = paying(simulator, simulator.coach())
    simulator.events()
    with pytest.raises(stripe.CardError) as declined:
        simulator.client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined"})
    assert declined.value.code == "card_declined"
    assert simulator.events() == ["charge.failed", "payment_intent.payment_failed"]
    assert simulator.client.v1.balance_transactions.list().data == []
    simulator.client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert simulator.events() == PAID


def test_a_bank_pays_four_business_days_later(simulator: Simulated) -> None:
    intent = paying(simulator, simulator.coach())
    simulator.events()
    confirm = simulator.client.v1.payment_intents.confirm
    assert confirm(intent.id, {"payment_method": "pm_usBankAccount_success"}).status == "processing"
    assert simulator.events() == ["payment_intent.processing"]
    with pytest.raises(stripe.InvalidRequestError, match="status does not allow"):
        simulator.client.v1.payment_intents.cancel(intent.id)
    simulator.move(days=6)
    assert simulator.events() == PAID


def test_an_intent_that_was_cancelled_cannot_be_paid(simulator: Simulated) -> None:
    intent = paying(simulator, simulator.coach())
    simulator.events()
    assert simulator.client.v1.payment_intents.cancel(intent.id).status == "canceled"
    assert simulator.events() == ["payment_intent.canceled"]
    with pytest.raises(stripe.InvalidRequestError, match="status does not allow"):
        simulator.client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"transfer_data": None}, "destination payment"),
        ({"transfer_data": {"destination": "acct_nobody"}}, "No such destination"),
        ({"application_fee_amount": 15001}, "no larger than"),
        ({"amount": 49, "application_fee_amount": None}, "minimum charge"),
        ({"currency": "kwd", "amount": 5124, "application_fee_amount": None}, "must end in 0"),
        ({"payment_method_types": ["card"]}, "unknown parameter"),
        ({"customer": "cus_nobody"}, "No such customer"),
        ({"excluded_payment_method_types": ["card"], "payment_method": "pm_card_visa"}, "not allowed for this"),
    ],
)
def test_what_makes_no_sense_is_refused(simulator: Simulated, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=said):
        paying(simulator, simulator.coach(), **wrong)


def test_a_payment_page_pays_with_a_client_secret_and_can_do_nothing_else(simulator: Simulated) -> None:
    intent = paying(simulator, simulator.coach())
    page = stripe.StripeClient("pk_test_local", base_addresses={"api": simulator.url}, max_network_retries=0)
    asked: Any = {"payment_method": "pm_card_visa"}
    with pytest.raises(stripe.AuthenticationError):
        page.v1.payment_intents.confirm(intent.id, asked)
    with pytest.raises(stripe.AuthenticationError):
        page.v1.balance_transactions.list()
    asked["client_secret"] = intent.client_secret
    done = page.v1.payment_intents.confirm(intent.id, asked)
    assert done.status == "succeeded"


def test_an_account_without_transfers_is_paid_nothing(simulator: Simulated) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        paying(simulator, simulator.coach(ready=False))
    assert refused.value.code == "insufficient_capabilities_for_transfer"
    coach = simulator.coach()
    intent = paying(simulator, coach)
    simulator.control(onboard={"id": coach, "ready": False})
    with pytest.raises(stripe.InvalidRequestError) as late:
        simulator.client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert late.value.code == "insufficient_capabilities_for_transfer"


def test_a_transfer_needs_a_destination(simulator: Simulated) -> None:
    asked: Any = {"amount": 500, "currency": "usd"}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        simulator.client.v1.transfers.create(asked)
    assert (refused.value.code, refused.value.param) == ("parameter_missing", "destination")


def test_a_transfer_of_its_own_comes_out_of_the_balance(simulator: Simulated) -> None:
    coach = simulator.coach()
    simulator.events()
    asked: Any = {"amount": 725, "currency": "usd", "destination": coach, "transfer_group": "session_1"}
    made = simulator.client.v1.transfers.create(asked)
    assert simulator.events() == ["transfer.created"]
    [row] = simulator.client.v1.balance_transactions.list({"source": made.id}).data
    assert (row.type, row.amount) == ("transfer", -725)
    assert [each.id for each in simulator.client.v1.transfers.list({"transfer_group": "session_1"}).data] == [made.id]
    [listed] = simulator.client.v1.balance_transactions.list({"expand": ["data.source"]}).data
    assert listed.to_dict()["source"]["destination"] == coach
