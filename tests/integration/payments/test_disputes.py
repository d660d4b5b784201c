"""Disputes: mirrored as Stripe has them, told once, and never a second loss."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from coachline.payments import commands, disputes, reconcile, refunds
from coachline.problems import Problem
from coachline.scheduling import sessions
from tests.support.money_rules import movements_differ
from tests.support.paid_sessions import Paid, paid
from tests.support.stack import SignedIn, Stack
from tests.support.stripe_world import World, world


@pytest.fixture(scope="module")
def w(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(stack, tmp_path_factory.mktemp("world")) as made:
        yield made
        made.deliver()
        assert movements_differ(made) == []


@pytest.fixture(scope="module")
def admin(w: World) -> SignedIn:
    return w.stack.user("ADMIN")


def tell(w: World) -> None:
    """Stripe's events are applied; what they lead to is asked of Stripe, and its answers applied."""
    w.deliver()
    w.run_waiting()
    w.deliver()


def disputed(w: World, *, fails: bool = False, **more: Any) -> Paid:
    it = paid(w, card="pm_card_pendingRefund" if fails else "pm_card_visa")
    w.stripe.control(dispute={"charge": it.charge, **more})
    tell(w)
    return it


def decide(it: Paid, outcome: str) -> None:
    [dispute] = it.disputes()
    it.world.stripe.control(decide={"id": dispute["stripe_dispute_id"], "outcome": outcome})
    tell(it.world)


def transfer(it: Paid) -> dict[str, Any]:
    [made] = [each for each in it.world.objects("transfer") if each["source_transaction"] == it.charge]
    return made


def moved(it: Paid) -> list[tuple[str, int]]:
    """What has moved since it was paid."""
    rows = it.world.rows(
        """select kind::text, amount from private.money_movement where payment_id = %s
             and kind not in ('CHARGE', 'PROCESSING_FEE', 'FEE', 'TRANSFER', 'CREDIT') order by id""",
        it.payment_id,
    )
    return [(row["kind"], row["amount"]) for row in rows]


def test_a_chargeback_is_told_and_flags_its_session(w: World) -> None:
    it = disputed(w)
    [row] = it.disputes()
    assert (row["kind"], row["status"], row["amount"]) == ("CHARGEBACK", "NEEDS_RESPONSE", 15000)
    assert (it.row()["status"], it.row()["refunded_amount"]) == ("DISPUTED", 0)
    assert sessions.get_session(w.caller(it.coach, "session:read"), UUID(it.session_id))["disputed"]
    w.deliver()
    [told] = it.events("DisputeOpened")
    assert (told["payload"]["coachId"], told["payload"]["disputeKind"]) == (it.coach.user_id, "CHARGEBACK")
    assert moved(it) == [("DISPUTE", -15000), ("DISPUTE_FEE", -1500)]


def test_what_is_disputed_is_not_refunded(w: World, admin: SignedIn) -> None:
    it = disputed(w)
    body = refunds.RefundInput.model_validate({"reason": "GOODWILL", "note": "To be nice"})
    with pytest.raises(Problem) as refused:
        refunds.refund(w.caller(admin, "refund:create"), UUID(it.payment_id), body)
    assert (refused.value.status, refused.value.code) == (409, "payment_disputed")
    assert (it.refunds(), it.theirs("refund")) == ([], [])


def test_stripe_knows_of_a_dispute_first(w: World, admin: SignedIn) -> None:
    it = paid(w)
    w.stripe.control(dispute={"charge": it.charge})
    body = refunds.RefundInput.model_validate({"reason": "GOODWILL", "note": "To be nice"})
    with pytest.raises(Problem) as refused:
        refunds.refund(w.caller(admin, "refund:create"), UUID(it.payment_id), body)
    assert (refused.value.status, refused.value.code) == (409, "payment_disputed")
    tell(w)
    assert [(row["status"], row["failure_reason"]) for row in it.refunds()] == [("FAILED", "payment_disputed")]


def test_a_lost_dispute_takes_the_share_back_once_and_is_never_refunded(w: World) -> None:
    it = disputed(w)
    decide(it, "lost")
    for _ in range(2):
        reconcile.settle(w.database, w.stripe.clock.now())
        tell(w)
    assert (transfer(it)["amount_reversed"], it.theirs("refund"), it.refunds()) == (15000, [], [])
    assert (it.row()["status"], [row["status"] for row in it.disputes()]) == ("DISPUTED", ["LOST"])
    assert len(it.events("DisputeClosed")) == 1
    # The coach has nothing of it any more, the platform has borne the bank's fee.
    assert sorted(moved(it)) == [
        ("DISPUTE", -15000),
        ("DISPUTE_FEE", -1500),
        ("FEE_REVERSAL", -1275),
        ("REVERSAL", 15000),
    ]
    assert not sessions.get_session(w.caller(it.coach, "session:read"), UUID(it.session_id))["disputed"]


def test_a_lost_dispute_may_be_the_platform_s_to_bear(w: World) -> None:
    with w.stack.database() as database:
        database.execute("""select private.set_setting('dispute_loss_bearer', '"PLATFORM"')""")
    try:
        it = disputed(w)
        decide(it, "lost")
    finally:
        with w.stack.database() as database:
            database.execute("""select private.set_setting('dispute_loss_bearer', '"COACH"')""")
    assert transfer(it)["amount_reversed"] == 0


def test_of_a_payment_that_was_given_back_in_part_only_the_rest_is_lost(w: World, admin: SignedIn) -> None:
    it = paid(w)
    body = {"amount": {"amount": 5000, "currency": "USD"}, "reason": "GOODWILL", "note": "To be nice"}
    asked = refunds.RefundInput.model_validate(body)
    refunds.refund(w.caller(admin, "refund:create"), UUID(it.payment_id), asked)
    w.stripe.control(dispute={"charge": it.charge, "amount": 15000})  # of all of it, as some banks do
    tell(w)
    decide(it, "lost")
    assert transfer(it)["amount_reversed"] == 15000


def test_a_cancellation_of_a_disputed_session_waits_for_the_bank(w: World) -> None:
    for outcome, given in (("won", [15000]), ("lost", [])):
        it = disputed(w)
        body = sessions.Cancellation.model_validate({"reason": "Ill"})
        sessions.cancel_session(w.caller(it.coach, "session:cancel"), UUID(it.session_id), body)
        tell(w)
        assert it.theirs("refund") == []
        decide(it, outcome)
        assert [row["amount"] for row in it.theirs("refund")] == given


def test_a_dispute_that_is_won_leaves_everything_as_it_was(w: World) -> None:
    it = disputed(w)
    decide(it, "won")
    assert (it.row()["status"], transfer(it)["amount_reversed"]) == ("COMPLETED", 0)
    assert moved(it) == [("DISPUTE", -15000), ("DISPUTE_FEE", -1500), ("DISPUTE_REVERSAL", 15000)]


def test_an_inquiry_is_no_chargeback(w: World, admin: SignedIn) -> None:
    it = disputed(w, inquiry=True)
    assert (it.row()["status"], it.disputes()[0]["kind"], moved(it)) == ("COMPLETED", "INQUIRY", [])
    body = {"amount": {"amount": 1000, "currency": "USD"}, "reason": "GOODWILL", "note": "Which ends it, often"}
    asked = refunds.RefundInput.model_validate(body)
    refunds.refund(w.caller(admin, "refund:create"), UUID(it.payment_id), asked)
    decide(it, "escalated")
    assert (it.row()["status"], it.disputes()[0]["kind"]) == ("DISPUTED", "CHARGEBACK")
    assert [event["payload"]["disputeKind"] for event in it.events("DisputeOpened")].count("INQUIRY") == 1
    assert [event["payload"].get("escalated") for event in it.events("DisputeOpened")].count(True) == 1


def test_an_inquiry_that_is_closed_has_cost_nothing(w: World) -> None:
    it = disputed(w, inquiry=True)
    decide(it, "lost")
    assert (it.row()["status"], it.disputes()[0]["status"]) == ("COMPLETED", "WARNING_CLOSED")
    assert (transfer(it)["amount_reversed"], moved(it)) == (0, [])


def test_a_refund_on_its_way_fails_by_a_dispute_and_its_payer_is_told(w: World, admin: SignedIn) -> None:
    it = paid(w, card="pm_card_pendingRefund")
    body = {"amount": {"amount": 5000, "currency": "USD"}, "reason": "GOODWILL", "note": "To be nice"}
    asked = refunds.RefundInput.model_validate(body)
    refunds.refund(w.caller(admin, "refund:create"), UUID(it.payment_id), asked)
    w.stripe.control(dispute={"charge": it.charge, "amount": 15000})
    tell(w)
    [failed] = it.refunds()
    assert (failed["status"], failed["failure_reason"]) == ("FAILED", "charge_for_pending_refund_disputed")
    assert len(it.events("RefundFailed")) == 1


def test_what_cannot_be_taken_back_is_asked_for_until_it_can(w: World) -> None:
    it = disputed(w)
    w.stripe.control(broke=[transfer(it)["destination"]])
    w.stripe.control(decide={"id": it.disputes()[0]["stripe_dispute_id"], "outcome": "lost"})
    w.deliver()
    w.move(minutes=20)
    assert commands.finish_lost(w.database)["done"] == 0
    assert transfer(it)["amount_reversed"] == 0
    w.stripe.control(broke=[])
    w.move(hours=30)
    reconcile.settle(w.database, w.stripe.clock.now())
    commands.finish_lost(w.database)
    tell(w)
    assert transfer(it)["amount_reversed"] == 15000


def test_a_deadline_is_noticed_three_days_and_one_day_before(w: World) -> None:
    it = disputed(w)
    due = it.disputes()[0]["due_by"]
    for days, told in ((4, 0), (2.9, 1), (2, 1), (0.9, 2), (0.5, 2)):
        w.to(due)
        w.move(days=-days)
        reconcile.settle(w.database, w.stripe.clock.now())
        assert len(it.events("DisputeDeadlineNear")) == told
    w.to(due)
    w.move(seconds=1)
    version = it.disputes()[0]["version"]
    body = {"evidence": {"serviceDate": "9 March"}, "submit": True, "version": version}
    with pytest.raises(Problem) as late:
        disputes.answer(
            w.caller(w.stack.user("ADMIN"), "dispute:respond"),
            it.disputes()[0]["id"],
            disputes.EvidenceInput.model_validate(body),
        )
    assert (late.value.status, late.value.code) == (409, "dispute_deadline_passed")
    tell(w)
    assert it.disputes()[0]["status"] == "LOST"


def test_evidence_is_submitted_once(w: World, admin: SignedIn) -> None:
    it = disputed(w)

    def answer(**more: Any) -> Any:
        body = {"version": it.disputes()[0]["version"], **more}
        caller = w.caller(admin, "dispute:respond")
        return disputes.answer(caller, it.disputes()[0]["id"], disputes.EvidenceInput.model_validate(body))

    with pytest.raises(Problem) as empty:
        answer(submit=True)
    assert empty.value.status == 422
    answer(evidence={"serviceDate": "9 March", "customerName": "Jordan"})
    answer(evidence={"customerName": None}, submit=True)
    tell(w)
    [theirs] = it.theirs("dispute")
    assert (theirs["status"], theirs["evidence"]["service_date"]) == ("under_review", "9 March")
    assert theirs["evidence"]["customer_name"] is None
    with pytest.raises(Problem) as again:
        answer(submit=True)
    assert (again.value.status, again.value.code) == (409, "evidence_submitted")


def test_a_dispute_of_a_subscription_s_charge_is_kept_without_a_payment(w: World) -> None:
    subscription = w.stripe.subscribe(w.stripe.customer(), w.stripe.price(), expand=["latest_invoice.payments"])
    assert subscription.status == "active"
    charge = w.objects("charge")[-1]["id"]
    w.stripe.control(dispute={"charge": charge})
    tell(w)
    [row] = w.rows("select * from private.dispute where stripe_charge_id = %s", charge)
    assert (row["payment_id"], row["kind"]) == (None, "CHARGEBACK")
