"""Random lives of payments: given back here and in the Dashboard, disputed, decided, called off, failing, told badly.

One reconciliation leaves what Stripe has, and the invariants of money hold whatever happened. MONEY_SEEDS (2) lives of
MONEY_STEPS (6) rounds each, from MONEY_FIRST_SEED (1).
"""

import os
import random
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import stripe

from coachline.events import RetryLater
from coachline.payments import commands, disputes, reconcile, refunds
from coachline.payments.stripe_event_types import EVENT_TYPES
from coachline.problems import Problem
from coachline.scheduling import sessions
from tests.support.paid_sessions import Paid, movements_differ, paid
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
        self.admin = w.stack.user("ADMIN")
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
        api, chance, stripe_s = self.world.stripe.client.v1, self.chance, self.world.stripe
        if chance.random() < 0.2:
            self.world.faults({"on": "POST /v1/{x}*", "kind": chance.choice(FAULTS), "times": 1})
        match chance.choice(["give", "give", "dashboard", "cancel", "dispute", "decide", "answer", "bank", "nothing"]):
            case "give":
                amount = {"amount": {"amount": chance.randint(1, 9000), "currency": "USD"}}
                given: Any = {"reason": "GOODWILL", "note": "A gift"} | (amount if chance.random() < 0.8 else {})
                caller = self.world.caller(self.admin, "refund:create")
                refunds.refund(caller, UUID(it.payment_id), refunds.RefundInput.model_validate(given))
            case "dashboard" if it.charge:
                asked: Any = {"charge": it.charge, "amount": chance.randint(1, 5000)}
                api.refunds.create(asked | ({"reverse_transfer": True} if chance.random() < 0.5 else {}))
            case "cancel":
                who = chance.choice([it.coach, it.mentee])
                body = {"reason": "Ill"}
                caller = self.world.caller(who, "session:cancel")
                sessions.cancel_session(caller, UUID(it.session_id), sessions.Cancellation.model_validate(body))
            case "dispute" if it.charge and not it.theirs("dispute"):
                stripe_s.control(dispute={"charge": it.charge, "inquiry": chance.random() < 0.4})
            case "decide":
                for dispute in it.theirs("dispute"):
                    outcome = chance.choice(["won", "lost", "escalated"])
                    stripe_s.control(decide={"id": dispute["id"], "outcome": outcome})
            case "answer":
                for row in it.disputes():
                    words = chance.choice(["winning_evidence", "losing_evidence", "We were there."])
                    sent: Any = {"evidence": {"uncategorizedText": words}, "submit": True, "version": row["version"]}
                    caller = self.world.caller(self.admin, "dispute:respond")
                    disputes.answer(caller, UUID(str(row["id"])), disputes.EvidenceInput.model_validate(sent))
            case "bank":
                for refund in it.theirs("refund"):
                    stripe_s.control(refund={"id": refund["id"], "fails": chance.random() < 0.5})

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
    wrong = []
    ours = {row["stripe_refund_id"]: (row["status"], row["amount"]) for row in it.refunds() if row["stripe_refund_id"]}
    theirs = {row["id"]: (row["status"].upper(), row["amount"]) for row in it.theirs("refund")}
    wrong += [f"refunds {ours} for {theirs}"] if ours != theirs else []
    made = Counter(row["metadata"].get("refund_id") for row in it.theirs("refund") if row["metadata"])
    wrong += [f"made twice: {made}"] if any(times > 1 for times in made.values()) else []
    mirrored = {row["stripe_dispute_id"]: row["status"] for row in it.disputes()}
    disputed = {row["id"]: row["status"].upper() for row in it.theirs("dispute")}
    wrong += [f"disputes {mirrored} for {disputed}"] if mirrored != disputed else []
    for charge in [row for row in w.objects("charge") if row["id"] == it.charge]:
        if (p["refunded_amount"], p["paid_amount"]) != (charge["amount_refunded"], charge["amount"]):
            wrong.append(f"{p['refunded_amount']} of {p['paid_amount']} for {charge['amount_refunded']}")
    live = [row for row in it.refunds() if row["status"] not in ("FAILED", "CANCELED")]
    given = sum(row["amount"] for row in live)
    # Credit that went back stays when the money that went with it does not arrive.
    credit = sum(row["credit_amount"] for row in it.refunds() if row in live or row["stripe_refund_id"])
    wrong += [f"{given} given back of {p['paid_amount']}"] if given > p["paid_amount"] else []
    wrong += [f"{credit} of credit of {p['credit_amount']}"] if credit > p["credit_amount"] else []
    wrong += [f"credit {it.credit()} for {credit}"] if p["credit_amount"] and it.credit() != credit else []
    if "LOST" in mirrored.values() and it.charge:
        [transfer] = [row for row in w.objects("transfer") if row["source_transaction"] == it.charge]
        wrong += [] if transfer["reversed"] else [f"lost, and {transfer['amount_reversed']} taken back"]
    told = Counter(
        (row["type"], row["payload"].get("refundId")) for row in it.events("RefundSucceeded", "RefundFailed")
    )
    wrong += [f"told twice: {what}" for what, times in told.items() if times > 1]
    open_ = w.rows("select kind, error from private.stripe_command where state = 'SENT'")
    return [*wrong, *(f"open: {row}" for row in open_)]


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_one_reconciliation_leaves_what_stripe_has_moved(stack: Stack, tmp_path: Path, seed: int) -> None:
    with world(stack, tmp_path) as w:
        lives = Lives(w, seed)
        for _ in range(STEPS):
            lives.round()
        lives.settle()
        wrong = [f"{it.payment_id}: {found}" for it in lives.paid for found in differences(it)]
        print(f"seed {seed}: {len(w.objects('event'))} events, {len(w.objects('refund'))} refunds, {len(wrong)} wrong")
        assert wrong + movements_differ(w) == []
