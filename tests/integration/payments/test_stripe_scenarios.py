"""What Stripe's clock brings, and odd events, as our mirror and the entitlement have them in the end."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from coachline.payments import reconcile, subscriptions
from coachline.problems import Problem
from tests.support.stack import SignedIn, Stack
from tests.support.stripe_fill import fill
from tests.support.stripe_world import World, world


@pytest.fixture
def w(stack: Stack, tmp_path: Path) -> Any:
    with world(stack, tmp_path) as made:
        yield made


def subscribed(w: World, plan: Any, *, pay: bool = True) -> SignedIn:
    person = w.stack.user()
    body = subscriptions.SubscriptionInput.model_validate({"planId": plan["id"]})
    made = subscriptions.subscribe(w.caller(person), body)
    if pay and made["client_secret"]:
        intent = made["client_secret"].split("_secret_")[0]
        w.stripe.client.v1.payment_intents.confirm(intent, {"payment_method": "pm_card_visa"})
    w.deliver()
    return person


def now(w: World, person: SignedIn) -> dict[str, Any]:
    """The subscription as its owner sees it, and its row."""
    [row] = w.rows("select * from private.subscription where user_id = %s", person.user_id)
    seen: dict[str, Any] = subscriptions.get_subscription(w.caller(person, "subscription:read"), UUID(str(row["id"])))
    return row | seen


def add_card(w: World, person: SignedIn, token: str) -> str:
    """A new card, which pays from now on."""
    row = now(w, person)
    api = w.stripe.client.v1
    customer = str(api.subscriptions.retrieve(row["stripe_subscription_id"]).customer)
    method = api.payment_methods.attach(token, {"customer": customer}).id
    api.customers.update(customer, {"invoice_settings": {"default_payment_method": method}})
    api.subscriptions.update(row["stripe_subscription_id"], {"default_payment_method": method})
    w.deliver()
    return method


def notices(w: World, person: SignedIn, kind: str) -> list[dict[str, Any]]:
    return [
        row["payload"]
        for row in w.rows(
            "select payload from private.outbox_event where type = %s and payload ->> 'userId' = %s order by sequence",
            kind,
            person.user_id,
        )
    ]


@pytest.mark.parametrize(("card", "after"), [(True, "ACTIVE"), (False, "CANCELED")])
def test_a_trial_ends_in_a_payment_or_in_nothing(w: World, card: bool, after: str) -> None:
    person = subscribed(w, w.plan(interval="MONTH", trial_days=14))
    assert (now(w, person)["status"], now(w, person)["entitled"]) == ("TRIALING", True)
    if card:
        add_card(w, person, "pm_card_visa")
    w.move(days=11)
    w.deliver()
    [told] = notices(w, person, "TrialEnding")
    assert told["hasPaymentMethod"] is card
    w.move(days=3, hours=2)
    w.deliver()
    row = now(w, person)
    assert (row["status"], row["entitled"]) == (after, card)
    paid = w.rows("select sum(amount_paid)::bigint as paid from private.invoice where user_id = %s", person.user_id)
    assert paid == [{"paid": 9900 if card else 0}]
    assert len(notices(w, person, "TrialEnding")) == 1


@pytest.mark.parametrize(
    ("action", "after", "entitled"),
    [
        ("cancel", "CANCELED", False),
        ("unpaid", "UNPAID", False),
        ("past_due", "PAST_DUE", True),
        ("pause", "PAUSED", False),
    ],
)
def test_a_renewal_that_fails_is_told_on_days_0_3_and_7_and_keeps_access_until_then(
    w: World, action: str, after: str, entitled: bool
) -> None:
    w.stripe.control(finalAction=action, retryDays=[3, 4])
    person = subscribed(w, w.plan(interval="MONTH"))
    add_card(w, person, "pm_card_chargeCustomerFail")
    w.move(days=28, hours=1)  # from 31 January to 28 February, and an hour as a draft
    failed_at = w.stripe.clock.now()
    w.deliver()
    for days in (3, 4):
        row = now(w, person)
        assert (row["status"], row["entitled"]) == ("PAST_DUE", True)
        w.move(days=days)
        w.deliver()
    row = now(w, person)
    assert (row["status"], row["entitled"]) == (after, entitled)
    given = w.rows(
        "select n.given_at from private.billing_notice n join private.invoice i on i.stripe_invoice_id = n.object_id "
        "where i.user_id = %s and n.kind = 'payment_failed' order by n.given_at",
        person.user_id,
    )
    assert [(each["given_at"] - failed_at).days for each in given] == [0, 3, 7]
    assert [told["attempt"] for told in notices(w, person, "PaymentFailed")] == [1, 2, 3]


def test_a_rescued_payment_makes_it_active_again(w: World) -> None:
    person = subscribed(w, w.plan(interval="MONTH"))
    add_card(w, person, "pm_card_chargeCustomerFail")
    w.move(days=28, hours=1)
    w.deliver()
    assert now(w, person)["status"] == "PAST_DUE"
    method = add_card(w, person, "pm_card_visa")
    w.stripe.client.v1.invoices.pay(now(w, person)["latest_invoice_id"], {"payment_method": method})
    w.deliver()
    assert now(w, person)["status"] == "ACTIVE"


@pytest.mark.parametrize("trouble", ["past due", "collection paused", "none"])
def test_what_an_action_answers_is_what_is_read_later(w: World, trouble: str) -> None:
    person = subscribed(w, w.plan(interval="MONTH"))
    if trouble == "past due":
        add_card(w, person, "pm_card_chargeCustomerFail")
        w.move(days=28, hours=1)
    elif trouble == "collection paused":
        asked: Any = {"pause_collection": {"behavior": "void"}}
        w.stripe.client.v1.subscriptions.update(now(w, person)["stripe_subscription_id"], asked)
    w.deliver()
    for action in ("cancel", "reactivate"):
        row = now(w, person)
        answer = subscriptions.act(w.caller(person), UUID(str(row["id"])), action, row["version"], {})
        w.deliver()
        later = now(w, person)
        names = ("status", "effective_status", "entitled", "cancel_at", "trial_end", "current_period_end")
        told = {name: answer[name] for name in names}
        assert {name: _seen(told[name]) for name in names} == {name: _seen(later[name]) for name in names}, action


def _seen(value: Any) -> Any:
    """Instants of any precision as one."""
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value


def event(w: World, subject: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An event that the simulator did not send."""
    w.odd += 1
    made = {"id": f"evt_odd_{id(w)}_{w.odd}", "type": "customer.subscription.updated", "livemode": False}
    return made | {"created": int(w.stripe.clock.now().timestamp()), "data": {"object": subject}} | changes


def test_an_event_of_an_old_version_of_the_api_is_history_too(w: World) -> None:
    person = subscribed(w, w.plan())
    row = now(w, person)
    price = w.objects("price")[0]["id"]
    old = {"id": row["stripe_subscription_id"], "status": "past_due", "plan": {"id": price}, "current_period_end": 1}
    told = event(w, old, api_version="2014-12-17")
    w.receive(told)
    [kept] = w.rows("select status::text from private.subscription_change where event_id = %s", told["id"])
    assert kept == {"status": "PAST_DUE"}
    assert now(w, person)["status"] == "ACTIVE"  # that is what Stripe says now


def test_what_comes_weeks_late_changes_nothing(w: World) -> None:
    person = subscribed(w, w.plan())
    first = next(each for each in w.objects("event") if each["type"] == "customer.subscription.created")
    w.stripe.client.v1.subscriptions.cancel(now(w, person)["stripe_subscription_id"])
    w.deliver()
    w.move(days=50)
    w.receive(first | {"id": f"{first['id']}_late"})
    assert now(w, person)["status"] == "CANCELED"


@pytest.mark.parametrize("other", [{"livemode": True}, {"account": "acct_other"}])
def test_events_of_the_other_mode_or_of_another_account_have_no_effect(w: World, other: dict[str, Any]) -> None:
    person = subscribed(w, w.plan())
    name = now(w, person)["stripe_subscription_id"]
    w.stripe.client.v1.subscriptions.cancel(name)
    w.receive(event(w, {"id": name}, **other))
    assert now(w, person)["status"] == "ACTIVE"
    w.deliver()
    assert now(w, person)["status"] == "CANCELED"


@pytest.mark.parametrize("hours", [-24, -2, 2])
def test_a_preview_of_another_hour_is_refused(w: World, hours: int) -> None:
    person, dear = subscribed(w, w.plan(19900)), w.plan(4900)
    w.move(days=3)
    row = now(w, person)
    asked = {"planId": dear["id"], "version": row["version"]}
    asked["prorationDate"] = (w.stripe.clock.now() + timedelta(hours=hours)).isoformat()
    for preview in (True, False):
        body = subscriptions.SubscriptionChange.model_validate(asked | {"preview": preview})
        with pytest.raises(Problem) as refused:
            subscriptions.change(w.caller(person), UUID(str(row["id"])), body)
        assert (refused.value.status, refused.value.code) == (422, "preview_expired")
    assert len(w.objects("invoice")) == 1


def test_another_currency_is_possible_once_nothing_is_live(w: World) -> None:
    person = subscribed(w, w.plan())
    euro = subscriptions.SubscriptionInput.model_validate({"planId": w.plan(currency="EUR")["id"]})
    w.stripe.client.v1.subscriptions.cancel(now(w, person)["stripe_subscription_id"])
    w.deliver()
    assert subscriptions.subscribe(w.caller(person), euro)["price"]["currency"] == "EUR"


def test_a_price_is_not_edited_by_anyone(w: World) -> None:
    plan = w.plan()
    with pytest.raises(psycopg.Error, match="price_immutable"):
        w.rows("update private.plan_price set amount = 1 where plan_id = %s returning 1", plan["id"])


def test_what_was_fetched_before_another_write_is_refused(w: World) -> None:
    person = subscribed(w, w.plan())
    name = now(w, person)["stripe_subscription_id"]
    older = reconcile._page_of("subscriptions", None, [])
    seen = w.database.read("stripe_write_position")
    w.stripe.client.v1.subscriptions.cancel(name)
    w.deliver()
    late = w.database.write("mirror_subscriptions", rows=older, seen=seen)
    assert (late["written"], late["stale"]) == (0, [name])
    assert now(w, person)["status"] == "CANCELED"


def test_a_sweep_goes_on_where_it_stopped_and_repairs_what_has_drifted(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = w.plan()
    people = [subscribed(w, plan) for _ in range(5)]
    ids = [UUID(person.user_id) for person in people]
    w.rows("update private.subscription set status = 'PAST_DUE' where user_id = any(%s) returning 1", ids)
    w.rows("update private.invoice set amount_paid = 1 where user_id = any(%s) returning 1", ids)
    monkeypatch.setattr(reconcile, "PAGE", 2)
    runs = [reconcile.sweep(w.database, batch=2) for _ in range(4)]
    assert [run["drifted"] for run in runs] == [4, 4, 2, 0]
    assert {now(w, person)["status"] for person in people} == {"ACTIVE"}


def test_a_walk_whose_place_stripe_has_forgotten_begins_anew(w: World) -> None:
    person = subscribed(w, w.plan())
    w.database.write("set_cursor", name="stripe.events", reached="evt_forgotten")
    w.database.write("set_cursor", name="stripe.subscriptions", reached="sub_forgotten")
    w.stripe.client.v1.subscriptions.cancel(now(w, person)["stripe_subscription_id"])
    assert w.reconcile()["events"] > 0
    assert now(w, person)["status"] == "CANCELED"


def test_a_sweep_asks_stripe_for_pages_and_not_for_objects(w: World) -> None:
    fill(w, 250)
    before = w.stripe.calls()
    counts = reconcile.sweep(w.database)
    assert (counts["subscriptions"], counts["invoices"]) == (251, 251)  # and the template, which is nobody's here
    assert counts["drifted"] == 502  # with what the template's charge has moved
    assert w.stripe.calls() - before == 8
    assert reconcile.sweep(w.database)["drifted"] == 0
    w.database.write("take_subscription_snapshot", day=w.stripe.clock.now().date().isoformat())


def test_a_second_live_subscription_of_a_user_is_refused_by_the_index(w: World) -> None:
    person = subscribed(w, w.plan())
    again = """insert into private.subscription (user_id, plan_id, plan_price_id, status)
               select user_id, plan_id, plan_price_id, %s::public.subscription_status
               from private.subscription where user_id = %s limit 1 returning id"""
    assert w.rows(again, "CANCELED", person.user_id)
    with pytest.raises(psycopg.errors.UniqueViolation, match="subscription_one_live"):
        w.rows(again, "PAUSED", person.user_id)
