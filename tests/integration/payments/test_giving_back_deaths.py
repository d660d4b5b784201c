"""A process dies at every point of giving money back, taking it back and answering a dispute; the janitor comes later.

Of two deeds, and an hour later; with STRIPE_DEATHS=all of every one, and also thirty hours later, when Stripe has
forgotten the keys.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from coachline.payments import charge_sync, commands, disputes, reconcile, refunds
from coachline.scheduling import sessions
from tests.support.money_rules import movements_differ
from tests.support.paid_sessions import Paid, paid
from tests.support.stack import SignedIn, Stack
from tests.support.stripe_deaths import Died, Fate, MortalStripe, mortal_world
from tests.support.stripe_world import World

EVERYTHING = os.environ.get("STRIPE_DEATHS") == "all"
HOURS = [1, 30] if EVERYTHING else [1]


@pytest.fixture(scope="module")
def w(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with mortal_world(stack, tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(scope="module")
def admin(w: World) -> SignedIn:
    MortalStripe.fate = Fate()
    return w.stack.user("ADMIN")


def give_back(it: Paid, admin: SignedIn) -> None:
    body = {"amount": {"amount": 6000, "currency": "USD"}, "reason": "GOODWILL", "note": "The sound failed."}
    asked = refunds.RefundInput.model_validate(body)
    refunds.refund(it.world.caller(admin, "refund:create"), UUID(it.payment_id), asked)
    it.world.run_waiting()


def cancel(it: Paid, _admin: SignedIn) -> None:
    caller = it.world.caller(it.coach, "session:cancel")
    sessions.cancel_session(caller, UUID(it.session_id), sessions.Cancellation.model_validate({"reason": "Ill"}))
    it.world.run_waiting()


def lose(it: Paid, _admin: SignedIn) -> None:
    [dispute] = it.disputes()
    it.world.stripe.control(decide={"id": dispute["stripe_dispute_id"], "outcome": "lost"})
    # As the consumer does with each event; the inbox's lease, which lasts a minute of real time, adds nothing here.
    charge_sync.mirror_charge(it.world.database, it.charge)
    it.world.run_waiting()


def answer(it: Paid, admin: SignedIn) -> None:
    [dispute] = it.disputes()
    body = {"evidence": {"serviceDate": "9 March"}, "submit": True, "version": dispute["version"]}
    caller = it.world.caller(admin, "dispute:respond")
    disputes.answer(caller, UUID(str(dispute["id"])), disputes.EvidenceInput.model_validate(body))


def dispute(it: Paid) -> None:
    it.world.stripe.control(dispute={"charge": it.charge})
    it.world.deliver()


def reversed_(it: Paid) -> int:
    [made] = [each for each in it.world.objects("transfer") if each["source_transaction"] == it.charge]
    return int(made["amount_reversed"])


def refunded(it: Paid) -> list[int]:
    return [row["amount"] for row in it.theirs("refund")]


def submissions(it: Paid) -> int:
    return sum(row["evidence_details"]["submission_count"] for row in it.theirs("dispute"))


@dataclass(frozen=True)
class Deed:
    """`ask` what may die; `began`, the call after which it has to be done; `done` whether it has, exactly once."""

    ask: Callable[[Paid, SignedIn], None]
    began: str
    done: Callable[[Paid], bool]
    before: Callable[[Paid], Any] = lambda _: None
    credit: int = 0


DEEDS = {
    "an admin's refund": Deed(give_back, "begin_refund", lambda it: refunded(it) == [6000]),
    "a refund with credit": Deed(cancel, "cancel_session", lambda it: refunded(it) == [10000], credit=5000),
    "a cancellation": Deed(cancel, "cancel_session", lambda it: refunded(it) == [15000]),
    "a lost dispute": Deed(lose, "mirror_charge", lambda it: reversed_(it) == 15000, dispute),
    "an answer": Deed(answer, "save_dispute_evidence", lambda it: submissions(it) == 1, dispute),
}


SHORT = ["a refund with credit", "a lost dispute"]  # what gives and what takes most


def checked(it: Paid, deed: Deed, *, began: bool) -> None:
    """It has been done once if it began, nothing is open, and the mirror is right."""
    assert it.world.rows("select 1 from private.stripe_command where state = 'SENT'") == []
    ours = sorted((row["stripe_refund_id"], row["status"], row["amount"]) for row in it.refunds())
    theirs = sorted((row["id"], row["status"].upper(), row["amount"]) for row in it.theirs("refund"))
    assert ours == theirs
    assert deed.done(it) or not (began or theirs)
    [top_up] = [it.row()["stripe_top_up_id"]]
    if top_up and began:
        [transfer] = [each for each in it.world.objects("transfer") if each["id"] == top_up]
        assert (transfer["amount_reversed"], it.credit()) == (transfer["amount"], deed.credit)


@pytest.mark.parametrize("hours", HOURS)
@pytest.mark.parametrize("name", DEEDS if EVERYTHING else SHORT)
def test_a_death_anywhere_gives_nothing_twice_and_loses_nothing(
    w: World, admin: SignedIn, name: str, hours: int
) -> None:
    deed = DEEDS[name]
    dead: list[tuple[str, Paid, bool]] = []
    while True:
        MortalStripe.fate = Fate()
        it = paid(w, credit=deed.credit)
        deed.before(it)
        MortalStripe.fate = fate = Fate(left=len(dead))
        try:
            deed.ask(it, admin)
        except Died as died:
            dead.append((str(died), it, f"after {deed.began}" in fate.passed))
        else:
            break
        MortalStripe.fate = Fate()
        w.move(hours=hours)
        commands.finish_lost(w.database)
        w.reconcile()
        reconcile.settle(w.database, w.stripe.clock.now())
        w.run_waiting()
        w.deliver()
        try:
            checked(it, deed, began=dead[-1][2])
        except AssertionError as error:
            raise AssertionError(f"{name}, {hours} h after a death {dead[-1][0]}") from error
    print(f"{name}, {hours} h: {', '.join(point for point, *_ in dead)}")
    assert len(dead) >= 6  # before and after the begin, the call, the record
    MortalStripe.fate = Fate()
    w.deliver()
    assert movements_differ(w) == []
