"""A process dies at every point of all that we ask of Stripe; the janitor comes an hour or thirty hours later.

In the ordinary run of three commands; with STRIPE_DEATHS=all of every one.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from coachline.payments import commands, payment_methods, plans, stripe_api, subscriptions, sync
from coachline.problems import Problem
from tests.support.stack import SignedIn, Stack
from tests.support.stripe_deaths import Died, Fate, MortalStripe, mortal_world
from tests.support.stripe_world import World

MANAGE_METHODS = "payment_method:manage"


@pytest.fixture(scope="module")
def w(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with mortal_world(stack, tmp_path_factory.mktemp("world")) as made:
        yield made


class Subscriber:
    """Somebody with a paid subscription and two cards."""

    def __init__(self, world: World, *, paid: bool = True) -> None:
        self.world = world
        self.person: SignedIn = world.stack.user()
        if paid:
            made = subscriptions.subscribe(world.caller(self.person), body(PLANS[0]))
            intent = made["client_secret"].split("_secret_")[0]
            world.stripe.client.v1.payment_intents.confirm(intent, {"payment_method": "pm_card_visa"})
            world.stripe.client.v1.payment_methods.attach("pm_card_mastercard", {"customer": self.customer()})
            self.mirror()

    def mirror(self) -> None:
        """What Stripe's events would lead to."""
        database = self.world.database
        for subscription in self.theirs():
            sync.subscription(database, subscription["id"])
        for customer in self.customers():
            sync.payment_methods(database, customer["id"])
            for invoice in self.world.objects("invoice"):
                if invoice["customer"] == customer["id"]:
                    sync.invoice(database, invoice["id"])

    def customer(self) -> str:
        found = [each["id"] for each in self.customers()]
        assert len(found) == 1, found
        return str(found[0])

    def customers(self) -> list[dict[str, Any]]:
        mine = self.person.user_id
        return [each for each in self.world.objects("customer") if each["metadata"].get("user_id") == mine]

    def row(self) -> dict[str, Any]:
        query = "select * from private.subscription where user_id = %s order by created_at desc limit 1"
        [row] = self.world.rows(query, self.person.user_id)
        return row

    def act(self, action: str, **parameters: str) -> None:
        row = self.row()
        subscriptions.act(self.world.caller(self.person), UUID(str(row["id"])), action, row["version"], parameters)

    def method(self) -> UUID:
        [row] = self.world.rows(
            "select id from private.payment_method where user_id = %s and brand = 'mastercard'", self.person.user_id
        )
        return UUID(str(row["id"]))

    def theirs(self) -> list[dict[str, Any]]:
        customers = {each["id"] for each in self.customers()}
        return [each for each in self.world.objects("subscription") if each["customer"] in customers]


PLANS: list[str] = []


def body(plan_id: str) -> subscriptions.SubscriptionInput:
    return subscriptions.SubscriptionInput.model_validate({"planId": plan_id})


@pytest.fixture(autouse=True)
def _plans(w: World) -> None:
    MortalStripe.fate = Fate()
    if not PLANS:
        PLANS.extend(w.plan(amount, interval="YEAR")["id"] for amount in (9900, 19900))


@dataclass(frozen=True)
class Command:
    """`ask` what may die; `before` what leads there; `done` whether it has been done, as our mirror has it."""

    ask: Callable[[Subscriber], Any]
    done: Callable[[Subscriber], bool]
    before: Callable[[Subscriber], Any] = lambda _: None
    paid: bool = True


def _subscribe(who: Subscriber) -> Any:
    return subscriptions.subscribe(who.world.caller(who.person), body(PLANS[0]))


def _change(who: Subscriber) -> Any:
    return who.act("change", plan_id=PLANS[1])


def _set_up(who: Subscriber) -> Any:
    return payment_methods.set_up(who.world.caller(who.person, MANAGE_METHODS))


def _made_default(who: Subscriber) -> Any:
    return payment_methods.make_default(who.world.caller(who.person, MANAGE_METHODS), who.method())


def _detached(who: Subscriber) -> Any:
    return payment_methods.detach(who.world.caller(who.person, MANAGE_METHODS), who.method())


def _is(*statuses: str) -> Callable[[Subscriber], bool]:
    return lambda who: who.row()["status"] in statuses


def _mastercard(who: Subscriber) -> dict[str, Any]:
    [row] = who.world.rows("select * from private.payment_method where id = %s", who.method())
    return row


def _then(action: str) -> Callable[[Subscriber], None]:
    def before(who: Subscriber) -> None:
        who.act(action)
        who.mirror()

    return before


COMMANDS = {
    "create": Command(_subscribe, _is("INCOMPLETE", "INCOMPLETE_EXPIRED"), paid=False),
    "change": Command(
        lambda who: who.act("change", plan_id=PLANS[1]), lambda who: str(who.row()["plan_id"]) == PLANS[1]
    ),
    "pause": Command(lambda who: who.act("pause"), _is("PAUSED")),
    "resume": Command(lambda who: who.act("resume"), _is("ACTIVE"), _then("pause")),
    "cancel": Command(lambda who: who.act("cancel"), lambda who: who.row()["cancel_at"] is not None),
    "cancel now": Command(lambda who: who.act("cancel", when="NOW"), _is("CANCELED")),
    "reactivate": Command(
        lambda who: who.act("reactivate"), lambda who: who.row()["cancel_at"] is None, _then("cancel")
    ),
    "set up": Command(_set_up, lambda _: True, paid=False),
    "default": Command(_made_default, lambda who: _mastercard(who)["is_default"]),
    "detach": Command(_detached, lambda who: _mastercard(who)["detached_at"] is not None),
}


SHORT = ["create", "change", "detach"]  # what is made, what costs money, what cannot be undone


def checked(w: World, who: Subscriber, command: Command, *, began: bool) -> None:
    """Nothing is there twice, nothing is open, what was begun has been done, and the mirror is right."""
    assert len(who.customers()) <= 1
    assert len(who.theirs()) <= 1
    assert (
        w.rows("select 1 from private.stripe_command where user_id = %s and state = 'SENT'", who.person.user_id) == []
    )
    for theirs in who.theirs():
        row = who.row()
        assert (row["stripe_subscription_id"], row["status"]) == (theirs["id"], theirs["status"].upper())
        paid = sum(each["amount_paid"] for each in w.objects("invoice") if each["customer"] == theirs["customer"])
        [ours] = w.rows(
            "select coalesce(sum(amount_paid), 0)::bigint as paid from private.invoice where user_id = %s",
            who.person.user_id,
        )
        assert ours["paid"] == paid
    assert not began or command.done(who)


@pytest.mark.parametrize("hours", [1, 30])
@pytest.mark.parametrize("name", COMMANDS if os.environ.get("STRIPE_DEATHS") == "all" else SHORT)
def test_a_death_anywhere_leaves_no_second_object(w: World, name: str, hours: int) -> None:
    command = COMMANDS[name]
    dead: list[tuple[str, Subscriber, bool]] = []
    while True:
        MortalStripe.fate = Fate()
        who = Subscriber(w, paid=command.paid)
        command.before(who)
        MortalStripe.fate = fate = Fate(left=len(dead))
        try:
            command.ask(who)
        except Died as died:
            began = any(point.startswith("after begin_") for point in fate.passed)
            dead.append((str(died), who, began))
        else:
            break
    MortalStripe.fate = Fate()
    w.move(hours=hours)
    commands.finish_lost(w.database)
    for point, who, began in dead:
        who.mirror()
        try:
            checked(w, who, command, began=began)
        except AssertionError as error:
            raise AssertionError(f"{name}, {hours} h after a death {point}") from error
    print(f"{name}, {hours} h: {', '.join(point for point, *_ in dead)}")
    assert len(dead) >= 6  # before and after the begin, the call, the record


FAULTS = [
    "429",
    "500",
    "500-after",
    "drop",
    "drop-after",
    "timeout",
    "delay-after",
]  # the last is told too late
PATIENCE = 0.3  # seconds


@contextmanager
def impatient() -> Iterator[None]:
    """Our client waits for less long than a late answer takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stripe_api, "TIMEOUT_SECONDS", PATIENCE)
        stripe_api.client.cache_clear()
        yield
    stripe_api.client.cache_clear()


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("on", ["POST /v1/customers", "POST /v1/subscriptions"])
def test_a_fault_of_stripes_leaves_one_subscription(w: World, on: str, kind: str) -> None:
    who, late = Subscriber(w, paid=False), kind in {"timeout", "delay-after"}
    w.faults({"on": on, "kind": kind, "times": 1, "delayMs": int(PATIENCE * 2000)})
    try:
        with impatient() if late else nullcontext():
            _subscribe(who)
    except Problem as failed:
        assert (failed.status, failed.code) == (503, "unavailable")  # noqa: PT017 - a customer is found at once
    assert [fault.times for fault in w.stripe.simulator.faults.table] == [0]
    for _ in range(4):  # with the key for as long as that helps, then by a look
        w.move(minutes=21)
        commands.finish_lost(w.database)
    who.mirror()
    checked(w, who, COMMANDS["create"], began=False)
    with suppress(Problem):  # 409: it is there already
        _subscribe(who)
    who.mirror()
    assert who.row()["status"] == "INCOMPLETE"
    assert [each["status"] for each in who.theirs()] == ["incomplete"]


def test_a_death_while_a_plan_is_published_leaves_one_product_and_one_price(w: World) -> None:
    died = 0
    admin = w.stack.user("ADMIN")
    asked = {"name": "Mortal", "price": {"amount": 55, "currency": "USD"}, "interval": "YEAR"}
    while True:
        MortalStripe.fate = Fate(left=died)
        try:
            plans.create_plan(w.caller(admin, "plan:manage"), plans.PlanInput.model_validate(asked))
        except Died:
            died += 1
        else:
            break
        finally:
            MortalStripe.fate = Fate()
        w.move(hours=30)
        plans.sync_plans(w.database)
        rows = w.rows(
            """select p.id, p.stripe_product_id, c.stripe_price_id from private.plan p
               join private.plan_price c on c.plan_id = p.id where p.name = 'Mortal'"""
        )
        assert all(row["stripe_product_id"] and row["stripe_price_id"] for row in rows)
        mine = [each for each in w.objects("product") if each["name"] == "Mortal"]
        assert sorted(each["id"] for each in mine) == sorted(f"plan_{row['id']}" for row in rows)
        prices = [each["id"] for each in w.objects("price") if each["unit_amount"] == 55]
        assert sorted(prices) == sorted(row["stripe_price_id"] for row in rows)
    assert died >= 8


def test_a_death_before_a_plan_ends_at_stripe_is_made_good(w: World) -> None:
    admin, made = w.stack.user("ADMIN"), w.plan(777)
    MortalStripe.fate = Fate(left=2)
    patch = plans.PlanPatch.model_validate({"status": "ARCHIVED", "version": made["version"]})
    with pytest.raises(Died):
        plans.update_plan(w.caller(admin, "plan:manage"), UUID(made["id"]), patch)
    MortalStripe.fate = Fate()
    plans.sync_plans(w.database, everything=True)
    [product] = [each for each in w.objects("product") if each["id"] == f"plan_{made['id']}"]
    assert product["active"] is False
