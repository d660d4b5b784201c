"""Plans and subscriptions over HTTP, with the simulated Stripe: what it says is what we show."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from tests.support.billing import client, current, intent_of, pays, plan, subscribe, subscriber
from tests.support.stack import SignedIn, Stack

PATHS = {
    "change": "/api/subscriptions/{id}/change",
    "pause": "/api/subscriptions/{id}/pause",
    "resume": "/api/subscriptions/{id}/resume",
    "cancel": "/api/subscriptions/{id}/cancel",
    "reactivate": "/api/subscriptions/{id}/reactivate",
}


def act(who: SignedIn, subscription: dict[str, Any], action: str, **more: Any) -> Any:
    body = {"version": subscription["version"], **more}
    return who.post(PATHS[action].format(**subscription), body, key=uuid4().hex)


def test_a_plan_is_a_product_and_a_price_at_stripe(stack: Stack) -> None:
    admin = stack.user("ADMIN")
    made = plan(stack, admin)
    assert made["purchasable"]
    api = client(stack)
    assert api.v1.products.retrieve(f"plan_{made['id']}").name == "Growth"
    [price] = api.v1.prices.list({"lookup_keys": [f"plan_{made['id']}_1"]}).data
    assert (price.unit_amount, price.currency) == (9900, "usd")
    assert made["id"] in [each["id"] for each in stack.http.get("/api/plans?limit=100").json()["data"]]


def test_a_changed_price_is_a_new_one_and_subscribers_keep_theirs(stack: Stack) -> None:
    admin = stack.user("ADMIN")
    made = plan(stack, admin)
    mentee, subscription = subscriber(stack, made["id"])
    changed = admin.patch(
        f"/api/plans/{made['id']}", {"price": {"amount": 11900, "currency": "USD"}, "version": made["version"]}
    )
    assert changed.status_code == 200, changed.text
    assert (changed.json()["data"]["price"]["amount"], changed.json()["data"]["priceNumber"]) == (11900, 2)
    assert current(mentee, subscription["id"])["price"]["amount"] == 9900
    stale = admin.patch(f"/api/plans/{made['id']}", {"name": "Other", "version": made["version"]})
    assert (stale.status_code, stale.json()["code"]) == (409, "version_conflict")


def test_a_used_plan_is_archived_and_an_unused_one_is_gone(stack: Stack) -> None:
    admin = stack.user("ADMIN")
    used, unused = plan(stack, admin), plan(stack, admin, name="Nobody's")
    mentee, _ = subscriber(stack, used["id"])
    for each in (used, unused):
        assert admin.delete(f"/api/plans/{each['id']}").status_code == 204
    assert admin.get(f"/api/plans/{used['id']}").json()["data"]["status"] == "ARCHIVED"
    assert mentee.get(f"/api/plans/{used['id']}").status_code == 200
    assert stack.user().get(f"/api/plans/{used['id']}").status_code == 404
    assert admin.get(f"/api/plans/{unused['id']}").status_code == 404
    assert subscribe(stack.user(), used["id"]).status_code == 404


def test_a_subscription_is_paid_on_stripes_page_and_then_active(stack: Stack) -> None:
    mentee = stack.user()
    asked = subscribe(mentee, plan(stack)["id"])
    assert asked.status_code == 201, asked.text
    data = asked.json()["data"]
    assert (data["status"], data["entitled"]) == ("INCOMPLETE", False)
    assert asked.headers["Location"] == f"/api/subscriptions/{data['id']}"
    pays(stack, data["clientSecret"])
    after = current(mentee, data["id"])
    assert (after["status"], after["entitled"]) == ("ACTIVE", True)
    [invoice] = mentee.get("/api/invoices").json()["data"]
    assert (invoice["status"], invoice["total"]["amount"]) == ("PAID", 9900)
    detail = mentee.get(f"/api/invoices/{invoice['id']}").json()["data"]
    assert sum(line["amount"]["amount"] for line in detail["lines"]) == detail["subtotal"]["amount"]
    pdf = mentee.get(f"/api/invoices/{invoice['id']}/pdf")
    assert (pdf.status_code, pdf.headers["Location"].endswith("/pdf")) == (303, True)
    [method] = mentee.get("/api/payment-methods").json()["data"]
    assert (method["type"], method["brand"], method["last4"]) == ("CARD", "visa", "4242")


def test_the_same_key_subscribes_once_and_two_tabs_do_too(stack: Stack) -> None:
    mentee, bought, key = stack.user(), plan(stack)["id"], uuid4().hex
    first, again = (subscribe(mentee, bought, key=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["data"] == again.json()["data"]
    other = stack.user()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: subscribe(other, bought), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    with stack.database() as database:
        rows = database.execute(
            "select stripe_subscription_id from private.subscription where user_id = %s", [other.user_id]
        ).fetchall()
    assert len(rows) == 1
    customers = client(stack).v1.customers.list({"limit": 100}).data
    mine = [each for each in customers if each.metadata and each.metadata.to_dict().get("user_id") == other.user_id]
    assert len(mine) == 1
    assert len(client(stack).v1.subscriptions.list({"customer": mine[0].id, "status": "all"}).data) == 1


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card"),
    ],
)
def test_a_declined_first_payment_leaves_the_way_open(stack: Stack, method: str, reason: str) -> None:
    import stripe  # noqa: PLC0415 - its errors alone

    mentee = stack.user()
    data = subscribe(mentee, plan(stack)["id"]).json()["data"]
    with pytest.raises(stripe.CardError) as declined:
        pays(stack, data["clientSecret"], method)
    error = declined.value.error
    assert reason in {error.code, error.decline_code} if error else False
    stack.drain()
    assert current(mentee, data["id"])["status"] == "INCOMPLETE"
    pays(stack, data["clientSecret"])
    assert current(mentee, data["id"])["status"] == "ACTIVE"


def test_a_change_costs_what_its_preview_said(stack: Stack) -> None:
    dear = plan(stack, price={"amount": 19900, "currency": "USD"})
    mentee, subscription = subscriber(stack, plan(stack)["id"])
    shown = act(mentee, subscription, "change", planId=dear["id"], preview=True)
    assert shown.status_code == 200, shown.text
    preview = shown.json()["data"]["preview"]
    assert sum(line["amount"]["amount"] for line in preview["lines"]) == preview["total"]["amount"]
    assert current(mentee, subscription["id"])["planId"] != dear["id"]
    changed = act(mentee, subscription, "change", planId=dear["id"], prorationDate=preview["prorationDate"])
    assert changed.status_code == 200, changed.text
    stack.drain()
    assert current(mentee, subscription["id"])["planId"] == dear["id"]
    invoices = mentee.get("/api/invoices").json()["data"]
    assert sorted(each["total"]["amount"] for each in invoices) == sorted([9900, preview["total"]["amount"]])
    assert {each["status"] for each in invoices} == {"PAID"}


def test_a_subscription_is_paused_resumed_cancelled_and_taken_back(stack: Stack) -> None:
    mentee, subscription = subscriber(stack, plan(stack)["id"])

    def after(action: str, **more: Any) -> tuple[str, str]:
        nonlocal subscription
        answer = act(mentee, subscription, action, **more)
        assert answer.status_code == 200, answer.text
        stack.drain()
        subscription = current(mentee, subscription["id"])
        assert subscription["status"] == answer.json()["data"]["status"]
        return subscription["status"], subscription["effectiveStatus"]

    assert after("pause") == ("PAUSED", "PAUSED")
    assert subscription["entitled"] is False
    assert after("resume") == ("ACTIVE", "ACTIVE")
    assert after("cancel") == ("ACTIVE", "CANCELING")
    refused = mentee.post(f"/api/subscriptions/{subscription['id']}/pause", {"version": subscription["version"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "invalid_transition")
    assert after("reactivate") == ("ACTIVE", "ACTIVE")
    assert after("cancel", when="NOW") == ("CANCELED", "CANCELED")


def test_what_is_not_mine_is_not_there(stack: Stack) -> None:
    mentee, subscription = subscriber(stack, plan(stack)["id"])
    stranger = stack.user()
    [method] = mentee.get("/api/payment-methods").json()["data"]
    [invoice] = mentee.get("/api/invoices").json()["data"]
    answers = [
        stranger.get(f"/api/subscriptions/{subscription['id']}"),
        act(stranger, subscription, "cancel"),
        stranger.post(f"/api/payment-methods/{method['id']}/default"),
        stranger.delete(f"/api/payment-methods/{method['id']}"),
        stranger.get(f"/api/invoices/{invoice['id']}"),
        stranger.post("/api/billing/portal", {"returnUrl": "https://app.example.com"}),
        subscribe(stranger, plan(stack)["id"], paymentMethodId=method["id"]),
    ]
    assert [answer.status_code for answer in answers] == [404] * 7


def test_methods_are_added_chosen_and_forgotten_but_not_the_last(stack: Stack) -> None:
    mentee, _ = subscriber(stack, plan(stack)["id"])
    [first] = mentee.get("/api/payment-methods").json()["data"]
    last = mentee.delete(f"/api/payment-methods/{first['id']}")
    assert (last.status_code, last.json()["code"]) == (409, "last_payment_method")
    secret = mentee.post("/api/payment-methods/setup").json()["data"]["clientSecret"]
    pays(stack, secret, "pm_card_mastercard")
    [second] = [each for each in mentee.get("/api/payment-methods").json()["data"] if each["id"] != first["id"]]
    assert mentee.post(f"/api/payment-methods/{second['id']}/default").json()["data"]["isDefault"] is True
    stack.drain()
    assert mentee.delete(f"/api/payment-methods/{first['id']}").status_code == 204
    stack.drain()
    [left] = mentee.get("/api/payment-methods").json()["data"]
    assert (left["id"], left["isDefault"], left["brand"]) == (second["id"], True, "mastercard")
    portal = mentee.post("/api/billing/portal", {"returnUrl": "https://app.example.com/billing"})
    assert portal.json()["data"]["url"].startswith("https://billing.stripe.com/")


def test_one_currency_at_a_time(stack: Stack) -> None:
    mentee, subscription = subscriber(stack, plan(stack)["id"])
    euro = plan(stack, price={"amount": 8900, "currency": "EUR"})
    refused = act(mentee, subscription, "change", planId=euro["id"])
    assert (refused.status_code, refused.json()["code"]) == (422, "currency_locked")


def test_a_saved_card_pays_at_once_and_three_d_secure_asks_first(stack: Stack) -> None:
    mentee = stack.user()
    secret = mentee.post("/api/payment-methods/setup").json()["data"]["clientSecret"]
    pays(stack, secret)
    [method] = mentee.get("/api/payment-methods").json()["data"]
    paid = subscribe(mentee, plan(stack)["id"], paymentMethodId=method["id"])
    assert (paid.json()["data"]["status"], paid.json()["data"]["clientSecret"]) == ("ACTIVE", None)
    careful = stack.user()
    data = subscribe(careful, plan(stack)["id"]).json()["data"]
    intent = intent_of(data["clientSecret"])
    answer = client(stack).v1.payment_intents.confirm(intent, {"payment_method": "pm_card_authenticationRequired"})
    assert answer.status == "requires_action"
    stack.http.post("/_sim/stripe/_control", json={"authenticate": intent}).raise_for_status()
    stack.drain()
    assert current(careful, data["id"])["status"] == "ACTIVE"


def test_money_needs_a_key_and_bad_bodies_say_where(stack: Stack) -> None:
    mentee, admin = stack.user(), stack.user("ADMIN")
    without = mentee.post("/api/subscriptions", {"planId": plan(stack)["id"]})
    assert (without.status_code, without.json()["code"]) == (400, "idempotency_key_required")
    bad = admin.post("/api/plans", {"name": " ", "price": {"amount": 5.5, "currency": "XXX"}, "interval": "FORTNIGHT"})
    assert bad.status_code == 422
    assert {error["pointer"] for error in bad.json()["errors"]} >= {"#/name", "#/price/amount", "#/interval"}
    assert mentee.post("/api/plans", {"name": "Mine", "price": {"amount": 100, "currency": "USD"}}).status_code == 403


def test_a_subscription_at_stripe_is_not_mine_because_its_id_stands_in_my_row(stack: Stack) -> None:
    bought, thief, api = plan(stack), stack.user(), client(stack)
    mine = subscribe(thief, bought["id"]).json()["data"]
    other = api.v1.customers.create({"email": "somebody@example.com"}).id
    method = api.v1.payment_methods.attach("pm_card_visa", {"customer": other}).id
    [price] = api.v1.prices.list({"lookup_keys": [f"plan_{bought['id']}_1"]}).data
    paid = api.v1.subscriptions.create(
        {"customer": other, "items": [{"price": price.id}], "default_payment_method": method}
    )
    assert paid.status == "active"
    with stack.database() as database:
        database.execute(
            "update private.subscription set stripe_subscription_id = %s where id = %s", [paid.id, mine["id"]]
        )
    api.v1.subscriptions.update(paid.id, {"cancel_at_period_end": True})
    stack.drain()
    assert current(thief, mine["id"])["status"] == "INCOMPLETE"
