"""Random lives of paid sessions, all of money together: Stripe fails, events come twice, late or never.

Sessions are booked, paid with money and credit, given back, disputed, called off, held and invoiced. The rules of
money (tests.support.money_rules) hold at each step; in the end what we have is what Stripe has. STATEFUL_EXAMPLES (3)
lives of STATEFUL_STEPS (30) steps each.
"""

import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import stripe
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from coachline.payments import commands
from coachline.problems import Problem
from coachline.scheduling import sessions
from tests.support import money_rules
from tests.support.money_life import Life
from tests.support.money_rules import Row
from tests.support.stack import Stack
from tests.support.story import paid_sessions
from tests.support.stripe_world import world

LIVES = int(os.environ.get("STATEFUL_EXAMPLES", "3"))
STEPS = int(os.environ.get("STATEFUL_STEPS", "30"))
CARDS = [
    *("pm_card_visa", "pm_card_chargeDeclined", "pm_card_authenticationRequired", "pm_card_refundFail"),
    *("pm_card_pendingRefund", "pm_card_createDispute", "pm_card_createDisputeInquiry"),
]
FAULTS = ["429", "500", "500-after", "drop", "drop-after"]
ASKED = [
    *("POST /v1/payment_intents", "POST /v1/payment_intents/{id}/confirm", "POST /v1/payment_intents/{id}/cancel"),
    *("POST /v1/refunds", "POST /v1/transfers", "POST /v1/transfers/{id}/reversals", "POST /v1/disputes/{id}"),
    *("POST /v1/customers", "POST /v1/invoices", "POST /v1/invoices/{id}/add_lines", "POST /v1/invoices/{id}/finalize"),
    *("GET /v1/charges/{id}", "GET /v1/payment_intents/{id}", "GET /v1/invoices/{id}"),
]
# Without these the lives would show nothing, and no rule could be broken.
ALWAYS = {"payment COMPLETED", "payment PARTIALLY_REFUNDED", "refund succeeded", "session COMPLETED", "transfer"}
REFUSED = (Problem, stripe.StripeError, ValueError)
WHO, WHICH, YES_OR_NO = st.integers(0, 2), st.integers(0, 5), st.booleans()
CREDIT = st.sampled_from([0, 0, 500, 6233, 14_890, 20_000])


class Lives(RuleBasedStateMachine):
    """What people, banks, Stripe, and time do."""

    stack: Stack
    directory: Path
    seen: Counter[str]  # by all lives together

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        self.w = self.open.enter_context(world(self.stack, self.directory / uuid4().hex))
        self.life = Life(self.w)
        self.deeds, self.payers = self.life.deeds, self.life.payers
        for who, credit in ((0, 0), (0, 6233), (1, 20_000), (2, 0), (2, 0)):  # something to happen to
            self.book(who=who, credit=credit, minutes=60, method=True, soon=False)
        self.life.told(list)
        for which in (1, 2):  # with credit, and without
            self.an_admin_gives_back(which=which, parts=[333, 4967])

    def chosen(self, which: int) -> list[Row]:
        """One of the last few that were paid; none while none is."""
        found = self.life.payments()
        return found[which % len(found) :][:1] if found else []

    # ---- Booking and paying

    @rule(who=WHO, method=YES_OR_NO, credit=CREDIT, soon=YES_OR_NO, minutes=st.sampled_from([60, 60, 30]))
    def book(self, who: int, credit: int, minutes: int, *, method: bool, soon: bool) -> None:
        if credit:
            self.life.give_credit(who, credit)
        with suppress(Problem):
            self.payers[who].book(self.life.free(soon=soon), method=method, minutes=minutes)

    @rule(who=WHO)
    def pay_with_the_saved_card(self, who: int) -> None:
        for row in self.payers[who].sessions():
            if row["status"] == "PENDING_PAYMENT":
                with suppress(Problem):
                    self.payers[who].pay(str(row["id"]))

    @rule(who=WHO, card=st.sampled_from(CARDS))
    def pay_on_the_page(self, who: int, card: str) -> None:
        for intent in self.payers[who].intents():
            with suppress(*REFUSED):
                self.w.stripe.client.v1.payment_intents.confirm(intent["id"], {"payment_method": card})

    @rule(who=WHO)
    def a_payer_shows_his_bank_who_he_is(self, who: int) -> None:
        for intent in self.payers[who].intents():
            if intent["status"] == "requires_action":
                with suppress(*REFUSED):
                    self.w.stripe.control(authenticate=intent["id"])

    @rule(which=WHICH)
    def somebody_pays_twice(self, which: int) -> None:
        """By an intent that nobody has asked for, and that says that it is ours."""
        names = {p["stripe_payment_intent_id"] for p in self.chosen(which) if not p["surplus"]}
        for first in [each for each in self.w.objects("payment_intent") if each["id"] in names]:
            asked: Any = {name: first[name] for name in ("amount", "currency", "customer", "metadata")}
            asked |= {"transfer_data": {"destination": self.life.account}}
            with suppress(*REFUSED):
                asked |= {"payment_method": "pm_card_visa", "confirm": True}
                self.w.stripe.client.v1.payment_intents.create(asked)

    # ---- Giving back, disputes, the coach's account

    @rule(which=WHICH, parts=st.lists(st.sampled_from([1, 333, 4967, 7450, None]), min_size=1, max_size=2))
    def an_admin_gives_back(self, which: int, parts: list[int | None]) -> None:
        for p in self.chosen(which):
            left = p["paid_amount"] + p["credit_amount"] - sum(money_rules.given_back(self.w, p))
            with pytest.raises(REFUSED):
                self.deeds.give_back(p["id"], left + 1)
            for amount in parts:
                with suppress(*REFUSED):
                    self.deeds.give_back(p["id"], amount)

    @rule(which=WHICH, amount=st.integers(1, 8000), reverse=YES_OR_NO)
    def somebody_gives_back_in_the_dashboard(self, which: int, amount: int, *, reverse: bool) -> None:
        for p in self.chosen(which):
            with suppress(*REFUSED):
                self.deeds.give_back_in_the_dashboard(p["stripe_charge_id"], amount, reverse=reverse)

    @rule(which=WHICH, by=st.sampled_from(["mentee", "coach", "admin", 0, 50]))
    def a_session_is_called_off(self, which: int, by: Any) -> None:
        for s in self.life.sessions("SCHEDULED", "PENDING_PAYMENT")[which:][:1]:
            [mentee] = [payer.person for payer in self.payers if payer.person.user_id == str(s["mentee_id"])]
            who = {"mentee": mentee, "coach": self.life.coach}.get(by, self.deeds.admin)
            with suppress(Problem):
                self.deeds.cancel(s["id"], who, **({"refundPercent": by} if isinstance(by, int) else {}))

    @rule(which=WHICH, absent=st.sampled_from(["MENTEE", "COACH"]))
    def somebody_does_not_come(self, which: int, absent: str) -> None:
        for s in self.life.sessions("SCHEDULED", "IN_PROGRESS")[which:][:1]:
            self.w.to(max(self.w.stripe.clock.now(), s["starts_at"] + timedelta(minutes=20)))
            with suppress(Problem):
                body = sessions.NoShow.model_validate({"absent": absent, "reason": "I waited"})
                sessions.report_no_show(self.w.caller(self.deeds.admin, "session:complete"), s["id"], body)

    @rule(which=WHICH, inquiry=YES_OR_NO)
    def a_payer_goes_to_his_bank(self, which: int, *, inquiry: bool) -> None:
        for p in self.chosen(which):
            with suppress(*REFUSED):
                self.deeds.dispute(p["stripe_charge_id"], inquiry=inquiry)

    @rule(which=WHICH, outcome=st.sampled_from(["won", "lost", "escalated"]))
    def a_bank_decides(self, which: int, outcome: str) -> None:
        for p in self.chosen(which):
            with suppress(*REFUSED):
                self.deeds.decide(p["stripe_charge_id"], outcome)

    @rule(which=WHICH, words=st.sampled_from(["winning_evidence", "losing_evidence", "We were there."]))
    def a_dispute_is_answered(self, which: int, words: str) -> None:
        for p in self.chosen(which):
            with suppress(*REFUSED):
                self.deeds.answer(p["id"], words)

    @rule(which=WHICH, fails=YES_OR_NO)
    def a_bank_takes_a_refund_or_does_not(self, which: int, *, fails: bool) -> None:
        for p in self.chosen(which):
            with suppress(*REFUSED):
                self.deeds.bank(p["stripe_charge_id"], fails=fails)

    @rule(ready=YES_OR_NO, broke=YES_OR_NO)
    def the_coachs_account_changes(self, *, ready: bool, broke: bool) -> None:
        account = self.life.account
        self.w.stripe.control(onboard={"id": account, "ready": ready}, broke=[account] if broke else [])

    # ---- Invoices, time, faults, and what is told

    @rule()
    def a_month_ends(self) -> None:
        self.life.month_ends()

    @rule(paid=YES_OR_NO)
    def an_invoice_is_paid_or_voided(self, *, paid: bool) -> None:
        api = self.w.stripe.client.v1.invoices
        for row in self.w.objects("invoice"):
            with suppress(*REFUSED):
                api.pay(row["id"], {"payment_method": "pm_card_visa"}) if paid else api.void_invoice(row["id"])

    @rule(amount=st.integers(1, 8000), disputed=YES_OR_NO, reverse=YES_OR_NO)
    def an_invoice_is_given_back_or_disputed(self, amount: int, *, disputed: bool, reverse: bool) -> None:
        intents = {row["payment"]["payment_intent"] for row in self.w.objects("invoice_payment")}
        for charge in [each for each in self.w.objects("charge") if each["payment_intent"] in intents]:
            with suppress(*REFUSED):
                if disputed:
                    self.deeds.dispute(charge["id"], inquiry=reverse)
                else:
                    self.deeds.give_back_in_the_dashboard(charge["id"], amount, reverse=reverse)

    @rule(on=st.sampled_from(ASKED), kind=st.sampled_from(FAULTS))
    def stripe_fails_next_time(self, on: str, kind: str) -> None:
        self.w.faults({"on": on, "kind": kind, "times": 1})

    @rule(minutes=st.sampled_from([1, 6, 16, 16, 400, 1500]))
    def time_passes(self, minutes: int) -> None:
        self.life.time_passes(minutes=minutes)

    @rule()
    def holds_run_out(self) -> None:
        self.life.holds_run_out()

    @rule()
    def sessions_take_place(self) -> None:
        self.life.sessions_take_place()

    @rule(seed=st.integers(0, 2**32))
    def events_come_badly(self, seed: int) -> None:
        order = random.Random(seed)  # noqa: S311 - repeatable, and drawn at once, however many there are

        def badly(fresh: list[Row]) -> list[Row]:
            chosen = [each for each in fresh if order.random() > 0.2]
            order.shuffle(chosen)
            return chosen + chosen[: 1 + len(chosen) // 3]

        self.life.told(badly)

    @rule()
    def commands_run(self) -> None:
        self.life.commands_run()

    @rule()
    def the_janitor_comes(self) -> None:
        self.w.move(minutes=6)
        commands.finish_lost(self.w.database)

    @invariant()
    def the_rules_of_money_hold(self) -> None:
        assert money_rules.broken(self.w, self.life.people) == []

    def teardown(self) -> None:
        """In the end, whatever was lost: what we have is what Stripe has, to the cent."""
        with self.open:
            self.life.is_settled()
            counts = self.life.counts()
            print(", ".join(f"{times} {what}" for what, times in sorted(counts.items())))
            self.seen.update(counts)
            wrong = self.life.wrong()
            assert not wrong, "\n".join(wrong)


@pytest.fixture
def lives(stack: Stack, tmp_path: Path) -> Iterator[type[Lives]]:
    with paid_sessions(stack):
        yield type("LivesOfThisStack", (Lives,), {"stack": stack, "directory": tmp_path, "seen": Counter()})


def test_whatever_happens_nobody_pays_twice_and_every_cent_is_found(lives: type[Lives]) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        lives,
        settings=settings(
            max_examples=LIVES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize="STATEFUL_EXAMPLES" not in os.environ,
            phases=[Phase.generate],
            suppress_health_check=checks,
        ),
    )
    assert lives.seen.keys() >= ALWAYS, lives.seen
