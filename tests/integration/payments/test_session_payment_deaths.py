"""A process dies at every point of a booking that is paid, and Stripe fails in all its ways: nothing is paid twice."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from coachline.events import RetryLater
from coachline.payments import commands, reconcile
from coachline.problems import Problem
from tests.support.growth import give_credit
from tests.support.session_world import Payer, agrees, hours, payable_coach
from tests.support.stack import SignedIn, Stack
from tests.support.story import paid_sessions
from tests.support.stripe_deaths import Died, Fate, MortalStripe, mortal_world
from tests.support.stripe_world import World


@pytest.fixture(scope="module")
def w(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with mortal_world(stack, tmp_path_factory.mktemp("world")) as made, paid_sessions(stack):
        yield made


@pytest.fixture(scope="module")
def coach(w: World) -> SignedIn:
    return payable_coach(w)


@pytest.fixture(scope="module")
def starts(w: World) -> Any:
    return hours(w)


def let_everything_settle(w: World, minutes: int) -> None:
    MortalStripe.fate = Fate()
    w.move(minutes=minutes)
    w.stack.http.post("/_dev/invoke/expire_holds", json={"time": w.stripe.clock.now().isoformat()}).raise_for_status()
    for _ in range(5):
        w.move(minutes=21)
        commands.finish_lost(w.database)
        w.deliver()
        reconcile.settle(w.database, w.stripe.clock.now())


@pytest.mark.parametrize("method", [True, False], ids=["saved card", "payment page"])
def test_a_death_anywhere_leaves_one_payment_or_none(w: World, coach: SignedIn, starts: Any, *, method: bool) -> None:
    dead: list[tuple[str, Payer]] = []
    while True:
        payer = Payer(w, coach)
        MortalStripe.fate = Fate(left=len(dead))
        try:
            payer.book(next(starts), method=method)
        except Died as died:
            dead.append((str(died), payer))
        else:
            break
        finally:
            MortalStripe.fate = Fate()
    let_everything_settle(w, 30)
    for point, who in dead:
        try:
            agrees(w, who)
            assert len(who.intents()) <= 1
        except AssertionError as error:
            raise AssertionError(f"after a death {point}") from error
    print(", ".join(point for point, _ in dead))
    assert len(dead) >= 6


def hours_go_by(w: World, hours: int) -> int:
    """The janitor and the hourly job come once, and once more: how many coaches have waited too long."""
    for each in (hours, 1):
        w.move(hours=each)
        commands.finish_lost(w.database)
        w.deliver()
        failed = reconcile.settle(w.database, w.stripe.clock.now())["failed"]
        with suppress(RetryLater):
            w.run_waiting()
    return failed


def came(w: World, session_id: str) -> list[int]:
    """What the platform itself has transferred for a session, one by one."""
    return [each["amount"] for each in w.objects("transfer") if each["transfer_group"] == f"session_{session_id}"]


@pytest.mark.parametrize("hours", [1, 30])
def test_a_death_while_a_coach_is_paid_for_credit_pays_him_once(
    w: World, coach: SignedIn, starts: Any, hours: int
) -> None:
    points: list[str] = []
    while True:
        payer = Payer(w, coach)
        give_credit(w.stack, payer.person, 15_000)
        made = payer.book(next(starts))
        MortalStripe.fate = Fate(left=len(points))
        try:
            w.run_waiting(made["id"])
        except Died as died:
            points.append(str(died))
        else:
            break
        MortalStripe.fate = Fate()
        hours_go_by(w, hours)
        assert came(w, made["id"]) == [15_000 - 1275], f"{hours} h after a death {points[-1]}"
        agrees(w, payer)
    MortalStripe.fate = Fate()
    assert len(points) == 6  # before and after the look, the call, the record


def test_a_coach_is_paid_for_credit_once_the_balance_suffices(w: World, coach: SignedIn, starts: Any) -> None:
    payer = Payer(w, coach)
    give_credit(w.stack, payer.person, 15_000)
    w.stripe.control(broke=["platform"])
    made = payer.book(next(starts))
    with pytest.raises(RetryLater):
        w.run_waiting(made["id"])
    hours_go_by(w, 23)
    failed = hours_go_by(w, 1)
    assert came(w, made["id"]) == []
    w.stripe.control(broke=[])
    w.run_waiting(made["id"])
    assert came(w, made["id"]) == [15_000 - 1275]
    # Others of this database may wait as well; of each that has waited for a day an alarm tells.
    assert reconcile.settle(w.database, w.stripe.clock.now())["failed"] == failed - 1


FAULTS = ["429", "500", "500-after", "drop", "drop-after"]


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_of_stripes_pays_once_and_the_same_request_finds_out(
    w: World, coach: SignedIn, starts: Any, kind: str
) -> None:
    payer, start = Payer(w, coach), next(starts)
    w.faults({"on": "POST /v1/payment_intents", "kind": kind, "times": 1})
    with pytest.raises(Problem) as failed:
        payer.book(start, key=kind)
    assert (failed.value.status, failed.value.code) == (503, "unavailable")
    w.faults()
    for _ in range(4):
        w.move(minutes=6)
        commands.finish_lost(w.database)
    w.deliver()
    agrees(w, payer)
    assert [each["status"] for each in payer.intents()] == ["succeeded"]
    again = payer.book(start, key=kind)
    assert again["payment_status"] == "COMPLETED"
    assert len(payer.intents()) == 1


def test_a_second_success_for_one_session_is_not_the_sessions(w: World, coach: SignedIn, starts: Any) -> None:
    payer = Payer(w, coach)
    made = payer.book(next(starts))
    w.deliver()
    [row] = payer.payments()
    theirs = w.stripe.client.v1.payment_intents.retrieve(row["stripe_payment_intent_id"])
    twin: Any = {
        "amount": 15000,
        "currency": "usd",
        "customer": payer.customer,
        "payment_method": payer.intents()[0]["payment_method"],
        "confirm": True,
        "transfer_data": {"destination": row["stripe_account_id"]},
        "application_fee_amount": 1275,
        "metadata": (theirs.metadata or {}),
    }
    w.stripe.client.v1.payment_intents.create(twin)
    w.deliver()
    first, second = payer.payments()
    assert (first["surplus"], second["surplus"], str(first["session_id"])) == (False, True, made["id"])
    [refund] = w.rows("select * from private.refund where payment_id = %s", second["id"])
    assert (refund["reason"], refund["amount"]) == ("PAID_TWICE", 15000)
    assert w.rows("select 1 from private.refund where payment_id = %s", first["id"]) == []
    w.move(minutes=21)
    commands.finish_lost(w.database)
    w.deliver()
    moved = w.rows("select kind::text, amount from private.money_movement where payment_id = %s", second["id"])
    assert {row["kind"]: row["amount"] for row in moved} == {
        "CHARGE": 15000,
        "PROCESSING_FEE": -465,
        "TRANSFER": -15000,
        "FEE": 1275,
        "REFUND": -15000,
        "REVERSAL": 15000,
        "FEE_REVERSAL": -1275,
    }


def test_who_pays_when_another_has_the_time_gets_everything_back(w: World, coach: SignedIn, starts: Any) -> None:
    late, quick, start = Payer(w, coach), Payer(w, coach), next(starts)
    made = late.book(start, method=False)
    w.move(minutes=16)
    assert quick.book(start)["payment_status"] == "COMPLETED"
    name = late.payments()[0]["stripe_payment_intent_id"]
    w.stripe.client.v1.payment_intents.confirm(name, {"payment_method": "pm_card_visa"})
    w.deliver()
    assert ([each["status"] for each in late.sessions()], made["status"]) == (["EXPIRED"], "PENDING_PAYMENT")
    [refund] = w.rows("select * from private.refund where payment_id = %s", late.payments()[0]["id"])
    assert (refund["reason"], refund["amount"], refund["initiator"]) == ("SLOT_LOST", 15000, "SYSTEM")


def test_a_bank_that_says_no_days_later_leaves_a_day_to_pay_otherwise(w: World, coach: SignedIn) -> None:
    payer = Payer(w, coach, "pm_usBankAccount_insufficientFunds")
    start = w.stripe.clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=40)
    made = payer.book(start)
    w.deliver()
    assert (made["payment_status"], payer.payments()[0]["status"]) == ("PROCESSING", "PROCESSING")
    assert payer.sessions()[0]["hold_expires_at"] == start - timedelta(hours=24)
    w.move(days=7)
    w.deliver()
    [row], [held] = payer.payments(), payer.sessions()
    assert (row["status"], row["failure_code"], held["status"]) == ("FAILED", "insufficient_funds", "PENDING_PAYMENT")
    assert held["hold_expires_at"] == row["hold_expires_at"] == w.stripe.clock.now() + timedelta(hours=24)
    told = "select payload from private.outbox_event where type = 'PaymentReturned' and payload ->> 'paymentId' = %s"
    assert [each["payload"]["menteeId"] for each in w.rows(told, str(row["id"]))] == [str(row["mentee_id"])]
    w.stripe.client.v1.payment_intents.confirm(row["stripe_payment_intent_id"], {"payment_method": "pm_card_visa"})
    w.deliver()
    assert [each["status"] for each in payer.sessions()] == ["SCHEDULED"]
    agrees(w, payer)


def test_what_no_event_told_is_found_by_reconciliation(w: World, coach: SignedIn, starts: Any) -> None:
    payer = Payer(w, coach)
    payer.book(next(starts))
    reconcile.sweep(w.database)
    agrees(w, payer)
    [row] = payer.payments()
    ours = w.rows("select sum(amount)::bigint as it from private.money_movement where payment_id = %s", row["id"])
    charge = next(each for each in w.objects("charge") if each["id"] == row["stripe_charge_id"])
    sources = {charge["id"], charge["transfer"], charge["application_fee"]}
    theirs = sum(each["net"] for each in w.objects("balance_transaction") if each["source"] in sources)
    assert ours == [{"it": theirs}]
    assert reconcile.sweep(w.database)["drifted"] == 0
