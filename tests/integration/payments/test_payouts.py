"""Coaches' accounts at Stripe: led through its onboarding, mirrored, needed once sessions are paid for."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.billing import client
from tests.support.stack import SignedIn, Stack
from tests.support.story import PROFILE

BACK = {"returnUrl": "https://app.example.com/payouts", "refreshUrl": "https://app.example.com/payouts/again"}


def account_of(stack: Stack, coach: SignedIn) -> str:
    """What Stripe calls the account of a coach who has begun."""
    found = [
        account.id
        for account in client(stack).v1.accounts.list({"limit": 100}).auto_paging_iter()
        if account.metadata and account.metadata.to_dict().get("coach_id") == coach.user_id
    ]
    assert len(found) == 1
    return found[0]


def control(stack: Stack, **options: Any) -> None:
    stack.http.post("/_sim/stripe/_control", json=options).raise_for_status()
    stack.drain()


def shown(coach: SignedIn) -> dict[str, Any]:
    answer = coach.get("/api/coach/payouts")
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def test_a_coach_is_led_through_onboarding_and_then_ready(stack: Stack) -> None:
    coach = stack.user("COACH")
    assert shown(coach)["status"] == "NOT_STARTED"
    first = coach.post("/api/coach/payouts/onboarding", BACK)
    assert first.status_code == 200, first.text
    assert first.json()["data"]["url"].startswith("https://connect.stripe.com/")
    assert coach.post("/api/coach/payouts/onboarding", BACK).status_code == 200
    name = account_of(stack, coach)
    assert shown(coach)["status"] == "ONBOARDING"
    control(stack, onboard={"id": name, "ready": True})
    ready = shown(coach)
    assert (ready["status"], ready["requirements"], ready["payouts"]) == ("READY", [], [])
    control(stack, payout={"id": name, "amount": 13725})
    [payout] = shown(coach)["payouts"]
    assert (payout["amount"], payout["status"]) == ({"amount": 13725, "currency": "USD"}, "PAID")
    control(stack, onboard={"id": name, "ready": False, "restricted": "requirements.past_due"})
    late = shown(coach)
    assert (late["status"], late["disabledReason"], bool(late["requirements"])) == (
        "RESTRICTED",
        "requirements.past_due",
        True,
    )


@pytest.fixture
def paid_sessions(stack: Stack) -> Iterator[None]:
    with stack.database() as database:
        database.execute("select private.set_setting('flag.session_payments', 'true')")
        yield
        database.execute("select private.set_setting('flag.session_payments', 'false')")


@pytest.mark.usefixtures("paid_sessions")
def test_while_sessions_are_paid_for_a_rate_needs_an_account_that_can_be_paid(stack: Stack) -> None:
    coach, free = stack.user("COACH"), stack.user("COACH")
    coach.post("/api/coach/profile", PROFILE)
    free.post("/api/coach/profile", {**PROFILE, "hourlyRate": {"amount": 0, "currency": "USD"}})
    publish = {"status": "PUBLISHED", "version": 1}
    refused = coach.patch("/api/coach/profile", publish)
    assert (refused.status_code, refused.json()["code"]) == (409, "payouts_not_ready")
    assert free.patch("/api/coach/profile", publish).status_code == 200
    coach.post("/api/coach/payouts/onboarding", BACK)
    control(stack, onboard={"id": account_of(stack, coach), "ready": True})
    assert coach.patch("/api/coach/profile", publish).status_code == 200


def test_a_mentee_has_no_payouts_and_a_way_back_is_a_web_address(stack: Stack) -> None:
    assert stack.user().get("/api/coach/payouts").status_code == 403
    answer = stack.user("COACH").post("/api/coach/payouts/onboarding", {**BACK, "returnUrl": "javascript:alert(1)"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/returnUrl")
