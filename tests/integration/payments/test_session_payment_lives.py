"""Random lives of paid sessions: Stripe fails, events come twice, late or never; the rules of money hold at each step.

STATEFUL_EXAMPLES (3) lives of STATEFUL_STEPS (12) steps each.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import stripe
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from coachline.payments import commands, reconcile
from coachline.payments.stripe_event_types import EVENT_TYPES
from coachline.problems import Problem
from tests.support.session_world import Payer, agrees, hours, payable_coach
from tests.support.stack import Stack
from tests.support.story import paid_sessions
from tests.support.stripe_world import World, world

EXAMPLES = int(os.environ.get("STATEFUL_EXAMPLES", "3"))
STEPS = int(os.environ.get("STATEFUL_STEPS", "12"))
CARDS = ["pm_card_visa", "pm_card_chargeDeclined", "pm_card_authenticationRequired"]
FAULTS = ["429", "500", "500-after", "drop", "drop-after"]
ASKED = ["POST /v1/payment_intents", "POST /v1/payment_intents/{id}/confirm", "POST /v1/payment_intents/{id}/cancel"]

LIVE = """select session_id from private.payment where status <> 'CANCELED' and not surplus
          group by session_id having count(*) > 1"""
SPLIT = """select id from private.payment where paid_at is not null
           and (charge_amount - application_fee_amount + top_up_amount <> amount - fee_amount
                or credit_amount + charge_amount <> amount)"""
TWICE = """select payload ->> 'paymentId' as it from private.outbox_event where type = 'PaymentCompleted'
           group by 1 having count(*) > 1"""


@pytest.fixture(scope="module")
def w(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(stack, tmp_path_factory.mktemp("world")) as made, paid_sessions(stack):
        yield made


def machine(w: World) -> type[RuleBasedStateMachine]:
    coach, starts = payable_coach(w), hours(w)

    class Lives(RuleBasedStateMachine):
        """Two mentees with one coach."""

        def __init__(self) -> None:
            super().__init__()
            w.faults()
            self.payers = [Payer(w, coach), Payer(w, coach, "pm_card_chargeCustomerFail")]
            self.told = {event["id"] for event in w.objects("event")}

        who = st.integers(0, 1)

        @rule(who=who, method=st.booleans(), credit=st.sampled_from([0, 500, 14_990, 20_000]))
        def book(self, who: int, *, method: bool, credit: int) -> None:
            payer = self.payers[who]
            if credit:
                grant = "select private.grant_credit(%s, 'USD', %s, gen_random_uuid()::text)"
                w.rows(grant, payer.person.user_id, credit)
            with suppress(Problem):
                payer.book(next(starts), method=method)

        @rule(who=who)
        def pay_with_the_saved_card(self, who: int) -> None:
            for row in self.payers[who].sessions():
                if row["status"] == "PENDING_PAYMENT":
                    with suppress(Problem):
                        self.payers[who].pay(str(row["id"]))

        @rule(who=who, card=st.sampled_from(CARDS))
        def pay_on_the_page(self, who: int, card: str) -> None:
            for intent in self.payers[who].intents():
                with suppress(stripe.StripeError):
                    w.stripe.client.v1.payment_intents.confirm(intent["id"], {"payment_method": card})

        @rule(on=st.sampled_from(ASKED), kind=st.sampled_from(FAULTS))
        def stripe_fails_next_time(self, on: str, kind: str) -> None:
            w.faults({"on": on, "kind": kind, "times": 1})

        @rule(minutes=st.sampled_from([1, 6, 16]))
        def time_passes(self, minutes: int) -> None:
            w.move(minutes=minutes)

        @rule()
        def holds_run_out(self) -> None:
            at = w.stripe.clock.now()
            w.database.write("expire_session_holds", now_at=at.isoformat(), batch=100)

        @rule(order=st.randoms(use_true_random=False))
        def events_come_badly(self, order: Any) -> None:
            new = [each for each in w.objects("event") if each["type"] in EVENT_TYPES and each["id"] not in self.told]
            chosen = [each for each in new if order.random() > 0.2]
            order.shuffle(chosen)
            for event in chosen + chosen[:1]:
                self.told.add(event["id"])
                with suppress(Problem):
                    w.receive(event)

        @rule()
        def the_janitor_comes(self) -> None:
            w.faults()
            w.move(minutes=6)
            commands.finish_lost(w.database)

        @invariant()
        def the_rules_of_money_hold(self) -> None:
            assert w.rows(LIVE) == w.rows(SPLIT) == w.rows(TWICE) == []

        def teardown(self) -> None:
            """In the end, whatever was lost: what we have is what Stripe has, to the cent."""
            w.faults()
            for _ in range(5):
                w.move(minutes=21)
                self.holds_run_out()
                commands.finish_lost(w.database)
                w.reconcile()
                reconcile.settle(w.database, w.stripe.clock.now())
            for payer in self.payers:
                agrees(w, payer)
                for row in payer.payments():
                    balanced(w, row)

    return Lives


def balanced(w: World, row: dict[str, Any]) -> None:
    """A payment's movements sum to what Stripe's transactions of its objects do."""
    [ours] = w.rows(
        "select coalesce(sum(amount), 0)::bigint as it from private.money_movement where payment_id = %s", row["id"]
    )
    charge = next((each for each in w.objects("charge") if each["id"] == row["stripe_charge_id"]), None)
    sources = {row["stripe_top_up_id"]} | (
        {charge["id"], charge["transfer"], charge["application_fee"]} if charge else set()
    )
    for kind in ("refund", "transfer_reversal", "fee_refund"):
        of = {each for each in sources if each}
        sources |= {
            each["id"]
            for each in w.objects(kind)
            if each.get("charge") in of or each.get("transfer") in of or each.get("fee") in of
        }
    theirs = sum(each["net"] for each in w.objects("balance_transaction") if each["source"] in sources - {None})
    assert ours["it"] == theirs, row


def test_whatever_happens_nobody_pays_twice_and_every_cent_is_found(w: World) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        machine(w),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            suppress_health_check=checks,
        ),
    )
