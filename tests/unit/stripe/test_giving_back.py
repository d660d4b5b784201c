"""Refunds, reversals and disputes as Stripe has them: the exact events, what they move, and what is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.unit.stripe.simulated_stripe import Simulated, simulated

REFUNDED = ["transfer.reversed", "application_fee.refunded", "refund.created", "charge.refunded"]
DISPUTE = "charge.dispute."
TAKEN = [DISPUTE + "created", DISPUTE + "funds_withdrawn"]


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulated]:
    with simulated(tmp_path) as simulator:
        yield simulator
        assert simulator.faults() == []


def paid(simulator: Simulated, amount: int = 15525, fee: int = 1800, card: str = "pm_card_visa") -> stripe.Charge:
    """A session that was paid: a destination charge on a coach's account."""
    api = simulator.client.v1
    coach = api.accounts.create({"type": "express", "capabilities": {"transfers": {"requested": True}}})
    simulator.control(onboard={"id": coach.id, "ready": True})
    asked: Any = {
        "amount": amount,
        "currency": "usd",
        "application_fee_amount": fee,
        "transfer_data": {"destination": coach.id},
        "payment_method": card,
        "confirm": True,
    }
    intent = api.payment_intents.create(asked)
    assert isinstance(intent.latest_charge, str)
    return api.charges.retrieve(intent.latest_charge)


def give_back(simulator: Simulated, charge: stripe.Charge, amount: int | None = None, **more: Any) -> stripe.Refund:
    asked: Any = {"charge": charge.id, "reverse_transfer": True, "refund_application_fee": True, **more}
    return simulator.client.v1.refunds.create(asked | ({"amount": amount} if amount else {}))


def balance(simulator: Simulated) -> int:
    return sum(row["net"] for row in simulator.simulator.store.all("balance_transaction"))


def kinds(simulator: Simulated) -> list[tuple[str, int, int]]:
    rows = simulator.simulator.store.all("balance_transaction")
    return [(row["type"], row["amount"], row["fee"]) for row in rows]


def dispute_of(simulator: Simulated, charge: stripe.Charge) -> stripe.Dispute:
    [dispute] = simulator.client.v1.disputes.list({"charge": charge.id}).data
    return dispute


def test_refunds_in_parts_take_shares_that_end_at_what_was_shared(simulator: Simulated) -> None:
    charge = paid(simulator)
    simulator.events()
    before = balance(simulator)
    fees = []
    for amount in (5000, 5000, 5525):
        give_back(simulator, charge, amount)
        assert simulator.events() == REFUNDED
        fees.append(simulator.simulator.store.all("fee_refund")[-1]["amount"])
    # 4420, 4421 and 4884 of the coach's 13725.
    assert fees == [580, 579, 641]
    after = simulator.client.v1.charges.retrieve(charge.id, {"expand": ["refunds.data.balance_transaction"]})
    assert (after.amount_refunded, after.refunded) == (15525, True)
    assert after.refunds is not None
    booked = [each.balance_transaction for each in after.refunds.data]
    assert [each.amount for each in booked if isinstance(each, stripe.BalanceTransaction)] == [-5525, -5000, -5000]
    assert balance(simulator) - before == -15525 + 15525 - 1800


def test_more_than_is_left_is_refused(simulator: Simulated) -> None:
    charge = paid(simulator)
    give_back(simulator, charge, 10000)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        give_back(simulator, charge, 5526)
    give_back(simulator, charge)
    with pytest.raises(stripe.InvalidRequestError) as again:
        give_back(simulator, charge)
    assert (again.value.http_status, again.value.code) == (400, "charge_already_refunded")


def test_the_dashboard_may_leave_the_coach_his_share(simulator: Simulated) -> None:
    charge = paid(simulator)
    simulator.events()
    simulator.client.v1.refunds.create({"charge": charge.id, "amount": 5000})
    assert simulator.events() == ["refund.created", "charge.refunded"]


@pytest.mark.parametrize(
    ("card", "at_once", "later", "events"),
    [
        ("pm_card_pendingRefund", "pending", "succeeded", ["refund.updated"]),
        ("pm_card_refundFail", "succeeded", "failed", ["refund.updated", "refund.failed", "charge.updated"]),
    ],
)
def test_a_refund_has_its_outcome_later(
    simulator: Simulated, card: str, at_once: str, later: str, events: list[str]
) -> None:
    charge = paid(simulator, card=card)
    refund = give_back(simulator, charge)
    assert refund.status == at_once
    simulator.events()
    simulator.move(hours=2)
    assert simulator.events() == events
    after = simulator.client.v1.refunds.retrieve(refund.id)
    left = simulator.client.v1.charges.retrieve(charge.id)
    assert after.status == later
    if later == "failed":
        # The money is with the platform, and the coach's share stays taken.
        assert (after.failure_reason, left.amount_refunded) == ("expired_or_canceled_card", 0)
        assert ("refund_failure", 15525, 0) in kinds(simulator)
        assert simulator.client.v1.transfers.retrieve(str(left.transfer)).reversed


def test_a_chargeback_takes_the_money_and_can_be_won(simulator: Simulated) -> None:
    charge = paid(simulator, card="pm_card_createDispute")
    told = simulator.events()
    assert told[-2:] == TAKEN
    dispute = dispute_of(simulator, charge)
    assert (dispute.status, dispute.reason, dispute.is_charge_refundable) == ("needs_response", "fraudulent", False)
    assert [(each.amount, each.fee) for each in dispute.balance_transactions] == [(-15525, 1500)]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        give_back(simulator, charge)
    assert refused.value.code == "charge_disputed"
    update = simulator.client.v1.disputes.update
    draft = update(dispute.id, {"evidence": {"product_description": "A session"}, "submit": False})
    assert (draft.status, draft.evidence_details.has_evidence) == ("needs_response", True)
    assert update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}}).status == "won"
    assert simulator.events() == [
        DISPUTE + "updated",
        DISPUTE + "updated",
        DISPUTE + "closed",
        DISPUTE + "funds_reinstated",
    ]
    won = dispute_of(simulator, charge)
    assert won.evidence.product_description == "A session"
    assert [each.net for each in won.balance_transactions] == [-17025, 15525]
    give_back(simulator, charge)  # as any other payment


def test_a_chargeback_is_lost_by_evidence_by_consent_or_by_silence(simulator: Simulated) -> None:
    charges = [paid(simulator, card="pm_card_createDisputeProductNotReceived") for _ in range(3)]
    by_evidence, by_consent, by_silence = (dispute_of(simulator, charge) for charge in charges)
    assert by_silence.reason == "product_not_received"
    simulator.events()
    simulator.client.v1.disputes.update(by_evidence.id, {"evidence": {"uncategorized_text": "losing_evidence"}})
    assert simulator.events() == [DISPUTE + "updated", DISPUTE + "closed"]
    simulator.client.v1.disputes.close(by_consent.id)
    assert simulator.events() == [DISPUTE + "closed"]
    simulator.move(days=9)
    assert simulator.events() == [DISPUTE + "closed"]
    for charge in charges:
        assert dispute_of(simulator, charge).status == "lost"
        with pytest.raises(stripe.InvalidRequestError, match="charged back"):
            give_back(simulator, charge)
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        simulator.client.v1.disputes.close(by_silence.id)


def test_an_inquiry_takes_no_money_and_may_become_a_chargeback(simulator: Simulated) -> None:
    charge = paid(simulator, card="pm_card_createDisputeInquiry")
    assert simulator.events()[-1] == DISPUTE + "created"
    inquiry = dispute_of(simulator, charge)
    assert (inquiry.status, inquiry.balance_transactions) == ("warning_needs_response", [])
    give_back(simulator, charge, 5000)  # which is still possible
    simulator.events()
    simulator.control(decide={"id": inquiry.id, "outcome": "escalated"})
    assert simulator.events() == [DISPUTE + "updated", DISPUTE + "funds_withdrawn"]
    assert dispute_of(simulator, charge).status == "needs_response"


def test_an_inquiry_is_closed_by_evidence_or_by_time(simulator: Simulated) -> None:
    charges = [paid(simulator, card="pm_card_createDisputeInquiry") for _ in range(2)]
    answered, silent = (dispute_of(simulator, charge) for charge in charges)
    simulator.events()
    answer: Any = {"evidence": {"uncategorized_text": "winning_evidence"}}
    assert simulator.client.v1.disputes.update(answered.id, answer).status == "warning_closed"
    assert simulator.events() == [DISPUTE + "updated", DISPUTE + "closed"]
    simulator.move(days=10)
    assert simulator.events() == [DISPUTE + "closed"]
    assert simulator.client.v1.disputes.retrieve(silent.id).status == "warning_closed"


def test_a_refund_on_its_way_fails_when_the_charge_is_disputed(simulator: Simulated) -> None:
    charge = paid(simulator, card="pm_card_pendingRefund")
    refund = give_back(simulator, charge, 5000)
    simulator.events()
    simulator.control(dispute={"charge": charge.id, "amount": 10525})
    assert simulator.events() == [*TAKEN, "refund.updated", "refund.failed", "charge.updated"]
    assert simulator.client.v1.refunds.retrieve(refund.id).failure_reason == "charge_for_pending_refund_disputed"


def test_a_refund_that_has_failed_does_not_succeed_any_more(simulator: Simulated) -> None:
    charge = paid(simulator)
    refund = give_back(simulator, charge, 5000)
    simulator.control(refund={"id": refund.id, "fails": True})
    with pytest.raises(ValueError, match="This refund is failed"):
        simulator.control(refund={"id": refund.id, "fails": False})
    assert simulator.client.v1.refunds.retrieve(refund.id).status == "failed"
    assert simulator.client.v1.charges.retrieve(charge.id).amount_refunded == 0


def test_a_transfer_is_reversed_by_itself_up_to_what_is_left(simulator: Simulated) -> None:
    charge = paid(simulator)
    transfer = str(charge.transfer)
    give_back(simulator, charge, 5000)
    simulator.events()
    reverse = simulator.client.v1.transfers.reversals.create
    with pytest.raises(stripe.InvalidRequestError, match="unreversed 10525"):
        reverse(transfer, {"amount": 10526})
    reverse(transfer, {"amount": 10525, "refund_application_fee": True})
    assert simulator.events() == ["transfer.reversed", "application_fee.refunded"]
    assert [row["amount"] for row in simulator.simulator.store.all("fee_refund")] == [580, 1220]
    listed = simulator.client.v1.transfers.reversals.list(transfer, {"expand": ["data.balance_transaction"]}).data
    assert [each.amount for each in listed] == [10525, 5000]
    with pytest.raises(stripe.InvalidRequestError, match="fully reversed"):
        reverse(transfer)
    simulator.control(broke=[simulator.client.v1.transfers.retrieve(transfer).destination])
    with pytest.raises(stripe.InvalidRequestError) as broke:
        reverse(transfer)
    assert broke.value.code == "balance_insufficient"
