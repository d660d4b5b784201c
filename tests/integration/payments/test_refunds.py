"""Refunds: by the policy, by an ADMIN, in Stripe's Dashboard; never more than was paid; told as they are."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest

from coachline.payments import commands, refunds
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


@pytest.fixture
def give_back(w: World, admin: SignedIn) -> Callable[..., Any]:
    """What an ADMIN asks for."""

    def ask(it: Paid, amount: int | None = None, *, key: str | None = None, currency: str = "USD") -> Any:
        body: dict[str, Any] = {"reason": "GOODWILL", "note": "The sound failed."}
        body |= {"amount": {"amount": amount, "currency": currency}} if amount else {}
        caller = w.caller(admin, "refund:create", key)
        return refunds.refund(caller, UUID(it.payment_id), refunds.RefundInput.model_validate(body))

    return ask


def code(refused: pytest.ExceptionInfo[Problem]) -> tuple[int, str]:
    return refused.value.status, refused.value.code


def run_waiting(world: World) -> None:
    """What the consumer of StripeCommandWaiting does."""
    for row in world.rows("select payload from private.outbox_event where type = 'StripeCommandWaiting'"):
        commands.run_waiting(world.database, row["payload"]["commandId"])
    world.deliver()


def cancel(it: Paid, who: SignedIn, **more: Any) -> None:
    body = sessions.Cancellation.model_validate({"reason": "A viewing came up", **more})
    sessions.cancel_session(it.world.caller(who, "session:cancel"), UUID(it.session_id), body)
    run_waiting(it.world)


def told(it: Paid, kind: str) -> list[int]:
    return sorted(event["payload"]["amount"]["amount"] for event in it.events(kind))


def test_an_admin_gives_back_a_part_and_then_the_rest(w: World, give_back: Callable[..., Any]) -> None:
    it = paid(w)
    made = give_back(it, 5000)
    assert (made["status"], made["amount"]["amount"], made["initiator"]) == ("SUCCEEDED", 5000, "ADMIN")
    w.deliver()
    assert (it.row()["status"], it.row()["refunded_amount"]) == ("PARTIALLY_REFUNDED", 5000)
    give_back(it)
    w.deliver()
    assert (it.row()["status"], it.row()["refunded_amount"]) == ("REFUNDED", 15000)
    assert sorted((r["amount"], r["transfer_reversed_amount"], r["fee_reversed_amount"]) for r in it.refunds()) == [
        (5000, 5000, 425),
        (10000, 10000, 850),
    ]
    assert told(it, "RefundSucceeded") == [5000, 10000]
    with pytest.raises(Problem) as again:
        give_back(it)
    assert code(again) == (409, "payment_refunded")


def test_what_cannot_be_given_back_is_refused_and_nothing_is_written(w: World, give_back: Callable[..., Any]) -> None:
    it = paid(w)
    give_back(it, 9000)
    with pytest.raises(Problem) as too_much:
        give_back(it, 6001)
    assert code(too_much) == (422, "refund_exceeds_payment")
    assert too_much.value.extensions["refundable"] == {"amount": 6000, "currency": "USD"}
    with pytest.raises(Problem) as foreign:
        give_back(it, 100, currency="EUR")
    assert code(foreign) == (422, "currency_mismatch")
    body = refunds.RefundInput.model_validate({"reason": "OTHER", "note": "Why not"})
    with pytest.raises(Problem) as unknown:
        refunds.refund(w.caller(w.stack.user("ADMIN"), "refund:create"), uuid4(), body)
    assert code(unknown) == (404, "not_found")
    with pytest.raises(Problem) as not_allowed:
        refunds.refund(w.caller(it.coach, "refund:create"), UUID(it.payment_id), body)
    assert not_allowed.value.status == 403
    assert [row["amount"] for row in it.refunds()] == [9000]


def test_what_is_not_paid_has_nothing_to_give_back(w: World, give_back: Callable[..., Any]) -> None:
    it = paid(w)
    with w.stack.database() as database:
        database.execute("alter table private.payment disable trigger user")
        database.execute(
            "update private.payment set status = 'PROCESSING', paid_at = null, paid_amount = 0 where id = %s",
            [it.payment_id],
        )
        database.execute("alter table private.payment enable trigger user")
    with pytest.raises(Problem) as refused:
        give_back(it)
    assert code(refused) == (409, "payment_not_paid")


def test_twenty_at_once_give_back_no_more_than_was_paid(w: World, admin: SignedIn) -> None:
    it = paid(w)
    body = refunds.RefundInput.model_validate(
        {"amount": {"amount": 1000, "currency": "USD"}, "reason": "GOODWILL", "note": "A race"}
    )

    def ask(_: int) -> str:
        try:
            made = refunds.refund(w.caller(admin, "refund:create"), UUID(it.payment_id), body)
        except Problem as refusal:
            return refusal.code
        return str(made["status"])

    with ThreadPoolExecutor(20) as pool:
        outcomes = sorted(pool.map(ask, range(20)))
    assert outcomes == ["SUCCEEDED"] * 15 + ["payment_refunded"] * 5
    assert sum(row["amount"] for row in it.theirs("refund")) == 15000
    w.deliver()
    assert (it.row()["status"], it.row()["refunded_amount"]) == ("REFUNDED", 15000)


def test_a_repeated_request_gives_back_once(w: World, give_back: Callable[..., Any]) -> None:
    it, key = paid(w), uuid4().hex
    first, again = (give_back(it, 4000, key=key) for _ in range(2))
    assert first["id"] == again["id"]
    assert [row["amount"] for row in it.theirs("refund")] == [4000]


@pytest.mark.parametrize(
    ("days", "by", "given"), [(10, "mentee", 15000), (0.5, "mentee", 0), (0.5, "coach", 15000), (0.5, "admin", 7500)]
)
def test_a_cancellation_gives_back_what_the_policy_says(
    w: World, admin: SignedIn, days: float, by: str, given: int
) -> None:
    it = paid(w, days=days)
    more = {"refundPercent": 50} if by == "admin" else {}
    cancel(it, {"mentee": it.mentee, "coach": it.coach, "admin": admin}[by], **more)
    assert sum(row["amount"] for row in it.theirs("refund")) == given
    assert told(it, "RefundSucceeded") == ([given] if given else [])
    assert it.row()["refunded_amount"] == given


def test_a_cancellation_after_a_partial_refund_gives_back_the_rest(w: World, give_back: Callable[..., Any]) -> None:
    it = paid(w)
    give_back(it, 5000)
    cancel(it, it.coach)
    assert sorted(row["amount"] for row in it.theirs("refund")) == [5000, 10000]


def test_credit_goes_back_in_the_proportion_in_which_it_paid(w: World, give_back: Callable[..., Any]) -> None:
    # 5000 of credit: the platform's fee of 1275 bore it first, and a transfer of 3725 made the coach's share whole.
    it = paid(w, credit=5000)
    half = give_back(it, 7500)
    assert (half["amount"]["amount"], half["credit"]["amount"]) == (5000, 2500)
    run_waiting(w)
    assert (it.row()["status"], it.row()["refunded_amount"], it.credit()) == ("PARTIALLY_REFUNDED", 5000, 2500)
    give_back(it)
    run_waiting(w)
    assert (it.row()["status"], it.credit()) == ("REFUNDED", 5000)
    reversals = w.rows(
        "select amount, top_up, status from private.transfer_reversal where payment_id = %s order by amount",
        it.payment_id,
    )
    assert [(row["amount"], row["top_up"], row["status"]) for row in reversals] == [
        (1862, True, "DONE"),
        (1863, True, "DONE"),
    ]
    [top_up] = w.rows("select stripe_top_up_id as id from private.payment where id = %s", it.payment_id)
    transfers = {each["id"]: each for each in w.objects("transfer")}
    assert transfers[top_up["id"]]["amount_reversed"] == 3725


def test_what_credit_has_paid_alone_goes_back_as_credit(w: World, give_back: Callable[..., Any]) -> None:
    it = paid(w, credit=15000)
    made = give_back(it)
    assert (made["status"], made["amount"]["amount"], made["credit"]["amount"]) == ("SUCCEEDED", 0, 15000)
    run_waiting(w)
    assert (it.row()["status"], it.credit()) == ("REFUNDED", 15000)
    assert it.theirs("refund") == []


def test_a_refund_that_fails_later_is_told_and_can_be_made_again(w: World, give_back: Callable[..., Any]) -> None:
    it = paid(w, card="pm_card_refundFail")
    give_back(it, 6000)
    w.deliver()
    assert it.row()["refunded_amount"] == 6000
    w.move(hours=2)
    w.deliver()
    [failed] = it.refunds()
    assert (failed["status"], failed["failure_reason"]) == ("FAILED", "expired_or_canceled_card")
    assert (it.row()["status"], it.row()["refunded_amount"], told(it, "RefundFailed")) == ("COMPLETED", 0, [6000])
    # The coach's share of it is with the platform already: the next refund takes only what is missing.
    give_back(it, 10000)
    run_waiting(w)
    [transfer] = [each for each in w.objects("transfer") if each["source_transaction"] == it.charge]
    assert transfer["amount_reversed"] == 10000
    assert [row["amount"] for row in it.theirs("refund")] == [6000, 10000]
    fees = [row["amount"] for row in w.objects("fee_refund") if row["fee"] == it.fee()]
    assert sum(fees) == 850


def test_a_pending_refund_succeeds_later(w: World, give_back: Callable[..., Any]) -> None:
    it = paid(w, card="pm_card_pendingRefund")
    assert give_back(it)["status"] == "PENDING"
    w.deliver()
    assert (it.row()["status"], told(it, "RefundSucceeded")) == ("REFUNDED", [])
    w.move(hours=2)
    w.deliver()
    assert told(it, "RefundSucceeded") == [15000]


def test_refunds_made_in_the_dashboard_are_ours_too(w: World, give_back: Callable[..., Any]) -> None:
    it = paid(w)
    w.stripe.client.v1.refunds.create({"payment_intent": it.intent, "amount": 4000, "reason": "duplicate"})
    w.deliver()
    [made] = it.refunds()
    assert (made["initiator"], made["requested_by"], made["reason"], made["amount"]) == (
        "SYSTEM",
        None,
        "DUPLICATE",
        4000,
    )
    assert made["transfer_reversed_amount"] == 0
    give_back(it)
    w.deliver()
    assert it.row()["status"] == "REFUNDED"


def test_the_dashboard_is_faster(w: World, give_back: Callable[..., Any]) -> None:
    it = paid(w)
    w.stripe.client.v1.refunds.create({"payment_intent": it.intent})
    with pytest.raises(Problem) as refused:
        give_back(it, 1000)
    assert code(refused) == (409, "payment_refunded")
    w.deliver()
    assert sorted((row["status"], row["amount"]) for row in it.refunds()) == [("FAILED", 1000), ("SUCCEEDED", 15000)]
    assert it.row()["refunded_amount"] == 15000
