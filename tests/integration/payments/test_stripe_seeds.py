"""Random lives of subscribers, told out of order, twice or never; one reconciliation leaves what Stripe has.

STRIPE_SEEDS (2) lives of STRIPE_STEPS (5) rounds each, from STRIPE_FIRST_SEED (1).
"""

import os
import random
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import stripe

from coachline.payments import payment_methods, subscriptions
from coachline.payments.stripe_event_types import EVENT_TYPES, HISTORY
from coachline.problems import Problem
from tests.support.stack import SignedIn, Stack
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


def when(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def subscriptions_differ(world: World) -> list[str]:
    ours = {
        row["stripe_subscription_id"]: row
        for row in world.rows(
            """select s.*, c.stripe_price_id from private.subscription s
               join private.plan_price c on c.id = s.plan_price_id"""
        )
    }
    wrong = []
    for theirs in world.objects("subscription"):
        row = ours.get(theirs["id"])
        if row is None:
            wrong.append(f"{theirs['id']} is not known")
            continue
        [item] = theirs["items"]["data"]
        expected = {
            "status": theirs["status"].upper(),
            "stripe_price_id": item["price"]["id"],
            "current_period_start": when(item["current_period_start"]),
            "current_period_end": when(item["current_period_end"]),
            **{name: when(theirs[name]) for name in ("trial_end", "cancel_at", "canceled_at", "ended_at")},
            "collection_paused": theirs["pause_collection"] is not None,
            "latest_invoice_id": theirs["latest_invoice"],
            "stripe_payment_method_id": theirs["default_payment_method"],
        }
        wrong += [f"{theirs['id']} {n}: {row[n]} for {v}" for n, v in expected.items() if row[n] != v]
    return wrong


def invoices_differ(world: World) -> list[str]:
    rows = {row["stripe_invoice_id"]: row for row in world.rows("select * from private.invoice")}
    lines: dict[Any, list[tuple[Any, ...]]] = {}
    for line in world.rows("select * from private.invoice_line order by invoice_id, position"):
        seen = (line["amount"], line["description"], line["proration"], line["period_start"], line["period_end"])
        lines.setdefault(line["invoice_id"], []).append(seen)
    wrong = []
    for theirs in world.objects("invoice"):
        row = rows.get(theirs["id"])
        if row is None:
            wrong.append(f"{theirs['id']} is not known")
            continue
        expected = {"status": theirs["status"].upper(), "currency": theirs["currency"].upper()}
        for name in ("number", "total", "amount_due", "amount_paid", "amount_remaining", "attempt_count"):
            expected[name] = theirs[name]
        expected["next_payment_attempt"] = when(theirs["next_payment_attempt"])
        wrong += [f"{theirs['id']} {n}: {row[n]} for {v}" for n, v in expected.items() if row[n] != v]
        charged = [
            (
                line["amount"],
                line["description"],
                line["parent"]["subscription_item_details"]["proration"],
                when(line["period"]["start"]),
                when(line["period"]["end"]),
            )
            for line in theirs["lines"]["data"]
        ]
        if lines.get(row["id"], []) != charged:
            wrong.append(f"{theirs['id']}: lines {lines.get(row['id'])} for {charged}")
        if row["subscription_id"] is None:
            wrong.append(f"{theirs['id']}: of no subscription")
    return wrong


def money_differs(world: World) -> list[str]:
    """What customers were charged, by the charges themselves, against what our invoices say they paid."""
    charged = Counter[str]()
    for charge in world.objects("charge"):
        charged[charge["customer"]] += charge["amount"] if charge["status"] == "succeeded" else 0
    wrong = []
    for customer, amount in charged.items():
        [row] = world.rows(
            """select coalesce(sum(i.amount_paid), 0)::bigint as paid from private.billing_customer b
               left join private.invoice i on i.user_id = b.user_id where b.stripe_customer_id = %s""",
            customer,
        )
        if row["paid"] != amount:
            wrong.append(f"{customer} paid {amount}, and we say {row['paid']}")
    return wrong


def methods_differ(world: World) -> list[str]:
    wrong = []
    for customer in world.objects("customer"):
        rows = world.rows(
            """select m.stripe_payment_method_id as id, m.is_default, m.expires_year from private.payment_method m
               join private.billing_customer b on b.user_id = m.user_id
               where b.stripe_customer_id = %s and m.detached_at is null""",
            customer["id"],
        )
        default = customer["invoice_settings"]["default_payment_method"]
        theirs = {
            (each["id"], each["id"] == default, each["card"]["exp_year"])
            for each in world.objects("payment_method")
            if each["customer"] == customer["id"]
        }
        ours = {(row["id"], row["is_default"], row["expires_year"]) for row in rows}
        wrong += [f"{customer['id']}: methods {ours} for {theirs}"] if ours != theirs else []
    return wrong


def histories_differ(world: World) -> list[str]:
    ours = {
        row["event_id"]: (row["stripe_subscription_id"], row["status"], row["stripe_price_id"], row["occurred_at"])
        for row in world.rows(
            """select h.event_id, s.stripe_subscription_id, h.status::text, c.stripe_price_id, h.occurred_at
               from private.subscription_change h join private.subscription s on s.id = h.subscription_id
               join private.plan_price c on c.id = h.plan_price_id where h.event_id is not null"""
        )
    }
    wrong = []
    for event in world.objects("event"):
        if event["type"] in HISTORY:
            it = event["data"]["object"]
            price = it["items"]["data"][0]["price"]["id"]
            expected = (it["id"], it["status"].upper(), price, when(event["created"]))
            if ours.get(event["id"]) != expected:
                wrong.append(f"{event['type']}: {ours.get(event['id'])} for {expected}")
    return wrong


def notices_differ(world: World) -> list[str]:
    """Of a trial's end once; of an attempt at most once, only if it failed, and surely the latest while it matters."""
    given = Counter(
        (row["kind"], row["object_id"], row["step"]) for row in world.rows("select * from private.billing_notice")
    )
    events = world.objects("event")
    trials = {e["data"]["object"]["id"] for e in events if e["type"] == "customer.subscription.trial_will_end"}
    failed = {
        ("payment_failed", e["data"]["object"]["id"], str(e["data"]["object"]["attempt_count"]))
        for e in events
        if e["type"] == "invoice.payment_failed"
    }
    wrong = []
    for name in trials:
        notices = [key for key in given if key[:2] == ("trial_end", name)]
        wrong += [f"{name}: {notices}"] if len(notices) != 1 else []
    ids = {invoice["id"] for invoice in world.objects("invoice")}
    told = {key for key in given if key[0] == "payment_failed" and key[1] in ids}
    wrong += [f"never failed: {told - failed}"] if told - failed else []
    for invoice in world.objects("invoice"):
        attempts = {key for key in failed if key[1] == invoice["id"]}
        if invoice["status"] == "open" and attempts - told:
            wrong.append(f"{invoice['id']}: no notice of {attempts - told}")
    return wrong


def emitted(world: World) -> Counter[tuple[str, str]]:
    rows = world.rows(
        """select type, payload::text as told from private.outbox_event
           where type in ('TrialEnding', 'PaymentFailed', 'CardExpiring')"""
    )
    return Counter((row["type"], row["told"]) for row in rows)


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
        wrong = [
            *subscriptions_differ(w),
            *invoices_differ(w),
            *money_differs(w),
            *methods_differ(w),
            *histories_differ(w),
            *notices_differ(w),
        ]
        twice = [key for key, times in emitted(w).items() if times > 1]
        print(f"seed {seed}: {sum(told.values())} events, {lives.deliveries} deliveries, {len(wrong)} differences")
        assert (wrong, twice) == ([], [])
        assert w.reconcile()["drifted"] == 0
