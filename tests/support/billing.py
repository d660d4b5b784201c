"""Plans and subscribers, as many payment tests begin with them; and what Stripe's own pages would do."""

import json
from typing import Any
from uuid import uuid4

import httpx
import stripe

from tests.support.stack import SignedIn, Stack

PLAN: dict[str, Any] = {
    "name": "Growth",
    "description": "Two sessions a month and no fee.",
    "price": {"amount": 9900, "currency": "USD"},
    "entitlements": {"includedSessionsPerMonth": 2, "feeWaived": True, "features": ["goal_reports"]},
}


def client(stack: Stack) -> stripe.StripeClient:
    """Stripe as its account's owner sees it."""
    assert stack.directory is not None
    key = json.loads((stack.directory / "keys.json").read_text())["stripe_api_key"]
    return stripe.StripeClient(key, base_addresses={"api": stack.info["simulators"]["stripe"]})


def plan(stack: Stack, admin: SignedIn | None = None, **changes: Any) -> dict[str, Any]:
    """A plan for sale."""
    made = (admin or stack.user("ADMIN")).post("/api/plans", {**PLAN, **changes})
    assert made.status_code == 201, made.text
    data: dict[str, Any] = made.json()["data"]
    return data


def subscribe(mentee: SignedIn, plan_id: str, *, key: str | None = None, **more: Any) -> httpx.Response:
    return mentee.post("/api/subscriptions", {"planId": plan_id, **more}, key=key or uuid4().hex)


def intent_of(client_secret: str) -> str:
    return client_secret.split("_secret_", maxsplit=1)[0]


def pays(stack: Stack, client_secret: str, method: str = "pm_card_visa") -> None:
    """What Stripe.js does with a client secret, and everything that follows from it."""
    name, api = intent_of(client_secret), client(stack)
    if name.startswith("pi_"):
        api.v1.payment_intents.confirm(name, {"payment_method": method})
    else:
        api.v1.setup_intents.confirm(name, {"payment_method": method})
    stack.drain()


def subscriber(stack: Stack, plan_id: str) -> tuple[SignedIn, dict[str, Any]]:
    """A mentee whose subscription to the plan is paid."""
    mentee = stack.user()
    return mentee, subscription_of(stack, mentee, plan_id)


def subscription_of(stack: Stack, mentee: SignedIn, plan_id: str) -> dict[str, Any]:
    """A paid subscription of somebody's."""
    asked = subscribe(mentee, plan_id)
    assert asked.status_code == 201, asked.text
    pays(stack, asked.json()["data"]["clientSecret"])
    return current(mentee, asked.json()["data"]["id"])


def current(who: SignedIn, subscription_id: str) -> dict[str, Any]:
    answer = who.get(f"/api/subscriptions/{subscription_id}")
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def given_back(stack: Stack, coach: SignedIn, mentee: SignedIn, sessions: list[str]) -> tuple[str, str]:
    """Of two sessions, both paid: a payment that can be given back, and the dispute of the other's."""
    from tests.support.paid_sessions import at_stack  # noqa: PLC0415 - which is made of this

    with stack.database() as database:
        payer = at_stack(stack, database)
        paid, disputed = (payer.pay(session, coach.user_id, mentee.user_id) for session in sessions)
        payer.control(dispute={"charge": disputed["charge"]})
        stack.drain()
        found = database.execute("select id::text from private.dispute where payment_id = %s", [disputed["id"]])
        row = found.fetchone()
    assert row is not None
    return paid["id"], row["id"]


def writes(world: Any) -> list[tuple[str, str, SignedIn, dict[str, Any]]]:
    """The write routes of payments, ready to succeed, for tests/support/hostile.py."""
    subscribed = {"version": current(world.mentee, world.subscription_id)["version"]}
    dispute = world.admin.get(f"/api/disputes/{world.dispute_id}").json()["data"]
    actions = ("pause", "resume", "cancel", "reactivate")
    return [
        ("POST", "/api/plans", world.admin, PLAN),
        ("PATCH", "/api/plans/{id}", world.admin, {**PLAN, "name": "Bloom"}),
        ("DELETE", "/api/plans/{id}", world.admin, {}),
        ("DELETE", "/api/payment-methods/{id}", world.mentee, {}),
        ("POST", "/api/subscriptions", world.newcomer, {"planId": world.plan_id}),
        ("POST", "/api/subscriptions/{id}/change", world.mentee, {"planId": world.plan_id, **subscribed}),
        *(("POST", f"/api/subscriptions/{{id}}/{name}", world.mentee, subscribed) for name in actions),
        (
            "POST",
            "/api/payments/{id}/refunds",
            world.admin,
            {"amount": {"amount": 1, "currency": "USD"}, "reason": "OTHER", "note": "A cent"},
        ),
        (
            "POST",
            "/api/disputes/{id}/evidence",
            world.admin,
            {"evidence": {"serviceDate": "9 March"}, "submit": False, "version": dispute["version"]},
        ),
        ("POST", "/api/payments", world.mentee, {"sessionId": world.unpaid_id}),
        ("POST", "/api/payment-methods/setup", world.newcomer, {}),
        ("POST", "/api/payment-methods/{id}/default", world.mentee, {}),
        (
            "POST",
            "/api/coach/payouts/onboarding",
            world.coach,
            {"returnUrl": "https://app.example.com/payouts", "refreshUrl": "https://app.example.com/again"},
        ),
        ("POST", "/api/billing/portal", world.mentee, {"returnUrl": "https://app.example.com/billing"}),
    ]
