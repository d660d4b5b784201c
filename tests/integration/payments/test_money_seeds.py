"""Random lives of payments: given back here and in the Dashboard, disputed, decided, called off, failing, told badly.

One reconciliation leaves what Stripe has, and the invariants of money hold whatever happened. MONEY_SEEDS (2) lives of
MONEY_STEPS (6) rounds each, from MONEY_FIRST_SEED (1).
"""

import os
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import stripe

from coachline.events import RetryLater
from coachline.payments import commands, reconcile
from coachline.payments.stripe_event_types import EVENT_TYPES
from coachline.problems import Problem
from tests.support import money_rules
from tests.support.money_deeds import Deeds
from tests.support.paid_sessions import Paid, paid
from tests.support.stack import Stack
from tests.support.stripe_world import World, world

SEEDS = int(os.environ.get("MONEY_SEEDS", "2"))
STEPS = int(os.environ.get("MONEY_STEPS", "6"))
FIRST_SEED = int(os.environ.get("MONEY_FIRST_SEED", "1"))
DUPLICATED, DROPPED, LATE = 0.3, 0.1, 0.4
CARDS = ["pm_card_visa", "pm_card_visa", "pm_card_refundFail", "pm_card_pendingRefund"]
CREDITS = [0, 0, 500, 5000, 15000]
FAULTS = ["429", "500", "500-after", "drop-after"]


class Lives:
    """What happens to a few payments; what Stripe tells is shuffled, told twice or never."""

    def __init__(self, w: World, seed: int) -> None:
        self.world = w
        self.chance = random.Random(seed)  # noqa: S311 - no secret
        self.deeds = Deeds(w)
        self.paid = [paid(w, credit=credit, card=self.chance.choice(CARDS)) for credit in CREDITS]
        self.waiting: list[dict[str, Any]] = []
        self.told: set[str] = set()

    def round(self) -> None:
        for it in self.paid:
            with suppress(Problem, stripe.StripeError, ValueError):
                self.act(it)
        if self.chance.random() < 0.8:
            self.run()
        self.deliver(DROPPED, LATE)
        self.world.move(seconds=self.chance.randint(600, 2 * 86_400))
        self.deliver(DROPPED, LATE)

    def act(self, it: Paid) -> None:
        chance, deeds = self.chance, self.deeds
        if chance.random() < 0.2:
            self.world.faults({"on": "POST /v1/{x}*", "kind": chance.choice(FAULTS), "times": 1})
        match chance.choice(["give", "give", "dashboard", "cancel", "dispute", "decide", "answer", "bank", "nothing"]):
            case "give":
                amount = chance.randint(1, 9000)
                deeds.give_back(it.payment_id, amount if chance.random() < 0.8 else None)
            case "dashboard" if it.charge:
                amount = chance.randint(1, 5000)
                deeds.give_back_in_the_dashboard(it.charge, amount, reverse=chance.random() < 0.5)
            case "cancel":
                deeds.cancel(it.session_id, chance.choice([it.coach, it.mentee]))
            case "dispute" if it.charge:
                deeds.dispute(it.charge, inquiry=chance.random() < 0.4)
            case "decide":
                deeds.decide(it.charge, chance.choice(["won", "lost", "escalated"]))
            case "answer":
                deeds.answer(it.payment_id, chance.choice(["winning_evidence", "losing_evidence", "We were there."]))
            case "bank":
                deeds.bank(it.charge, fails=chance.random() < 0.5)

    def run(self) -> None:
        for row in self.world.rows("select id::text from private.stripe_command where state = 'SENT'"):
            with suppress(RetryLater):
                commands.run_waiting(self.world.database, row["id"])

    def deliver(self, drop: float, late: float) -> None:
        fresh = [event for event in self.world.objects("event") if event["id"] not in self.told]
        self.told.update(event["id"] for event in fresh)
        wanted = [event for event in fresh if event["type"] in EVENT_TYPES and self.chance.random() >= drop]
        self.waiting += wanted + [event for event in wanted if self.chance.random() < DUPLICATED]
        self.chance.shuffle(self.waiting)
        kept = int(len(self.waiting) * late)
        now, self.waiting = self.waiting[kept:], self.waiting[:kept]
        for event in now:
            self.world.receive(event)

    def settle(self) -> None:
        """The jobs run until nothing is open: what they hear of at last may have to be given back, too."""
        self.world.faults()
        for times in range(12):
            if times >= 4 and not self.world.rows("select from private.stripe_command where state = 'SENT'"):
                break
            self.world.move(hours=8)
            reconcile.settle(self.world.database, self.world.stripe.clock.now())
            commands.finish_lost(self.world.database)
            self.run()
            self.world.reconcile()


def differences(it: Paid) -> list[str]:
    """Where our rows of a payment are not what Stripe has, or break what must hold whatever happens."""
    p, w = it.row(), it.world
    money, credit = money_rules.given_back(w, p)
    wrong = money_rules.broken(w, [it.mentee.user_id]) + money_rules.payments_differ(w, p)
    wrong += [f"{money} given back of {p['paid_amount']}"] if money > p["paid_amount"] else []
    wrong += [f"credit {it.credit()} for {credit}"] if p["credit_amount"] and it.credit() != credit else []
    return wrong


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_one_reconciliation_leaves_what_stripe_has_moved(stack: Stack, tmp_path: Path, seed: int) -> None:
    with world(stack, tmp_path) as w:
        lives = Lives(w, seed)
        for _ in range(STEPS):
            lives.round()
        lives.settle()
        wrong = [f"{it.payment_id}: {found}" for it in lives.paid for found in differences(it)]
        print(f"seed {seed}: {len(w.objects('event'))} events, {len(w.objects('refund'))} refunds, {len(wrong)} wrong")
        assert wrong + money_rules.open_commands(w) + money_rules.movements_differ(w) == []
