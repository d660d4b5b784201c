"""Random lives of subscribers, told out of order, twice or never; one reconciliation leaves what Stripe has.

STRIPE_SEEDS (2) lives of STRIPE_STEPS (5) rounds each, from STRIPE_FIRST_SEED (1).
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

from coachline.payments import payment_methods, subscriptions
from coachline.payments.stripe_event_types import EVENT_TYPES
from coachline.problems import Problem
from tests.support.stack import SignedIn, Stack
from tests.support.stripe_differences import differences
from tests.support.stripe_world import World, world

SEEDS = int(os.environ.get("STRIPE_SEEDS", "2"))
STEPS = int(os.environ.get("STRIPE_STEPS", "5"))
FIRST_SEED = int(os.environ.get("STRIPE_FIRST_SEED", "1"))
PEOPLE = 3
DUPLICATED, DROPPED, LATE = 0.3, 0.1, 0.4
CARDS = ["pm_card_visa", "pm_card_mastercard", "pm_card_chargeCustomerFail"]
DECLINED = "pm_card_chargeDeclinedInsufficientFunds"


class Lives:
    """What happens at random, by our API and on Stripe's own pages; what Stripe tells is delivered badly."""

    def __init__(self, world: World, people: list[SignedIn], seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)  # noqa: S311 - no secret
        self.people = people
        self.plans = [world.plan(amount, trial_days=days) for amount, days in ((9900, 0), (19900, 0), (4900, 5))]
        self.waiting: list[dict[str, Any]] = []
        self.told: set[str] = set()
        self.deliveries = 0
        world.stripe.simulator.renewals.final_action = self.chance.choice(["cancel", "unpaid", "past_due", "pause"])

    def round(self) -> None:
        for person in self.people:
            with suppress(Problem, stripe.InvalidRequestError, stripe.CardError):
                self.act(person)
        self.deliver(drop=DROPPED, late=LATE)
        self.world.move(seconds=self.chance.randint(3600, 28 * 86_400 // STEPS))
        self.deliver(drop=DROPPED, late=LATE)

    def act(self, person: SignedIn) -> None:
        mine = self.world.rows(
            """select * from private.subscription
               where user_id = %s and status not in ('CANCELED', 'INCOMPLETE_EXPIRED')""",
            person.user_id,
        )
        if not mine:
            self.subscribe(person)
        elif self.chance.random() < 0.5:
            self.ask_us(person, mine[0])
        elif mine[0]["stripe_subscription_id"]:
            self.at_stripe(mine[0]["stripe_subscription_id"])

    def subscribe(self, person: SignedIn) -> None:
        body = subscriptions.SubscriptionInput.model_validate({"planId": self.chance.choice(self.plans)["id"]})
        made = subscriptions.subscribe(self.world.caller(person), body)
        if made["client_secret"]:
            intent = made["client_secret"].split("_secret_")[0]
            confirm = self.world.stripe.client.v1.payment_intents.confirm
            if self.chance.random() < 0.3:  # declined, and rescued
                with suppress(stripe.CardError):
                    confirm(intent, {"payment_method": DECLINED})
            if self.chance.random() < 0.9:
                confirm(intent, {"payment_method": "pm_card_visa"})

    def ask_us(self, person: SignedIn, row: dict[str, Any]) -> None:
        caller, chance = self.world.caller(person), self.chance
        action = chance.choice(["change", "pause", "resume", "cancel", "reactivate", "default"])
        if action == "default":
            methods = self.world.rows(
                "select id from private.payment_method where user_id = %s and detached_at is null order by created_at",
                person.user_id,
            )
            if methods:
                manage = self.world.caller(person, "payment_method:manage")
                payment_methods.make_default(manage, chance.choice(methods)["id"])
            return
        parameters: dict[str, str] = {}
        if action == "change":
            parameters = {"plan_id": str(chance.choice(self.plans)["id"])}
        elif action == "cancel":
            parameters = {"when": chance.choice(["NOW", "PERIOD_END", "PERIOD_END"])}
        subscriptions.act(caller, UUID(str(row["id"])), action, row["version"], parameters)

    def at_stripe(self, name: str) -> None:
        api, chance = self.world.stripe.client.v1, self.chance
        row = api.subscriptions.retrieve(name)
        customer = str(row.customer)
        listed = api.payment_methods.list({"customer": customer}).data
        match chance.choice(["card", "card", "pause", "resume", "collection", "cancel", "detach", "expire", "rescue"]):
            case "card":
                method = api.payment_methods.attach(chance.choice(CARDS), {"customer": customer}).id
                api.subscriptions.update(name, {"default_payment_method": method})
                api.customers.update(customer, {"invoice_settings": {"default_payment_method": method}})
            case "pause":
                api.subscriptions.pause(name, {"type": "subscription"})
            case "resume":
                api.subscriptions.resume(name)
            case "collection":
                api.subscriptions.update(
                    name, {"pause_collection": {"behavior": chance.choice(["void", "keep_as_draft"])}}
                )
            case "cancel":
                api.subscriptions.update(name, {"cancel_at_period_end": not row.cancel_at_period_end})
            case "detach" if len(listed) > 1:
                api.payment_methods.detach(chance.choice(listed).id)
            case "expire" if listed:
                self.world.stripe.control(expireCard=chance.choice(listed).id)
            case "rescue":
                method = api.payment_methods.attach("pm_card_visa", {"customer": customer}).id
                api.invoices.pay(str(row.latest_invoice), {"payment_method": method})

    def deliver(self, *, drop: float, late: float) -> None:
        """Some of what Stripe has told: shuffled, some twice, some never, some only in a later round."""
        fresh = [event for event in self.world.objects("event") if event["id"] not in self.told]
        self.told.update(event["id"] for event in fresh)
        wanted = [event for event in fresh if event["type"] in EVENT_TYPES and self.chance.random() >= drop]
        self.waiting += wanted + [event for event in wanted if self.chance.random() < DUPLICATED]
        self.chance.shuffle(self.waiting)
        kept = int(len(self.waiting) * late)
        now, self.waiting = self.waiting[kept:], self.waiting[:kept]
        for event in now:
            self.world.receive(event)
        self.deliveries += len(now)


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_one_reconciliation_leaves_what_stripe_has(stack: Stack, tmp_path: Path, seed: int) -> None:
    with world(stack, tmp_path) as w:
        lives = Lives(w, [stack.user() for _ in range(PEOPLE)], seed)
        for _ in range(STEPS):
            lives.round()
        lives.deliver(drop=DROPPED, late=0)
        w.reconcile()
        for _ in range(2):
            w.database.write("notice_expiring_cards", now_at=w.stripe.clock.now().isoformat())
        told = Counter(event["type"] for event in w.objects("event"))
        wrong = differences(w)
        print(f"seed {seed}: {sum(told.values())} events, {lives.deliveries} deliveries, {len(wrong)} differences")
        assert wrong == []
        assert w.reconcile()["drifted"] == 0
