"""What pays for a session besides money: account credit, a plan that includes it; and who bears it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.billing import client, intent_of, pays, plan, subscription_of
from tests.support.session_payments import HOURS, balance, booked, credit, hold_ran_out, janitor, movements, payment
from tests.support.stack import SignedIn, Stack
from tests.support.story import book, can_be_paid, paid_sessions, published_coach


@pytest.fixture(scope="module", autouse=True)
def _paid(stack: Stack) -> Iterator[None]:
    with paid_sessions(stack):
        yield


@pytest.fixture(scope="module")
def coach(stack: Stack, _paid: None) -> SignedIn:
    coach = stack.user("COACH", first_name="Casey", last_name="Morgan")
    return published_coach(stack, coach=can_be_paid(stack, coach))


@pytest.mark.parametrize(
    ("has", "moved"),
    [
        (500, {"CHARGE": 14500, "PROCESSING_FEE": -451, "TRANSFER": -14500, "FEE": 775}),
        (2000, {"CHARGE": 13000, "PROCESSING_FEE": -407, "TRANSFER": -13000, "CREDIT": -725}),
        (14990, {"CHARGE": 50, "PROCESSING_FEE": -31, "TRANSFER": -50, "CREDIT": -13675}),  # the least that is charged
    ],
)
def test_credit_pays_first_and_the_coach_is_paid_in_full(
    stack: Stack, coach: SignedIn, has: int, moved: dict[str, int]
) -> None:
    mentee = stack.user()
    credit(stack, mentee, has)
    made = booked(mentee, coach)
    pays(stack, made["clientSecret"])
    janitor(stack)
    intent = client(stack).v1.payment_intents.retrieve(intent_of(made["clientSecret"]))
    assert (intent.amount, intent.application_fee_amount or 0) == (moved["CHARGE"], moved.get("FEE", 0))
    assert movements(stack, made) == moved
    # What the coach has is the price less the fee, whatever it was paid with.
    assert -moved["TRANSFER"] - moved.get("CREDIT", 0) - moved.get("FEE", 0) == 15000 - 1275
    assert balance(stack, mentee) == has - (15000 - moved["CHARGE"])


def test_credit_that_covers_everything_needs_no_payment_at_stripe(stack: Stack, coach: SignedIn) -> None:
    mentee = stack.user()
    credit(stack, mentee, 20000)
    made = booked(mentee, coach)
    assert (made["status"], made["paymentStatus"], made["clientSecret"]) == ("SCHEDULED", "COMPLETED", None)
    janitor(stack)
    assert movements(stack, made) == {"CREDIT": -13725}
    assert (balance(stack, mentee), payment(mentee, made)["charged"]["amount"]) == (5000, 0)


def test_credit_comes_back_with_a_hold_that_ran_out(stack: Stack, coach: SignedIn) -> None:
    mentee = stack.user()
    credit(stack, mentee, 2000)
    made = booked(mentee, coach)
    assert balance(stack, mentee) == 0
    hold_ran_out(stack, made)
    janitor(stack)
    assert balance(stack, mentee) == 2000


def test_sessions_that_a_plan_includes_are_counted_once_also_by_five_at_once(stack: Stack, coach: SignedIn) -> None:
    mentee = stack.user()
    included = plan(stack, entitlements={"includedSessionsPerMonth": 2, "feeWaived": False, "features": []})
    subscription_of(stack, mentee, included["id"])
    starts = [HOURS.next() for _ in range(5)]
    with ThreadPoolExecutor(5) as pool:
        made = [each.json()["data"] for each in pool.map(lambda start: book(mentee, coach, start), starts)]
    assert sorted(each["status"] for each in made) == ["PENDING_PAYMENT"] * 3 + ["SCHEDULED"] * 2
    free = [each for each in made if each["status"] == "SCHEDULED"]
    assert {(each["paymentStatus"], each["price"]["amount"]) for each in free} == {("COMPLETED", 15000)}
    janitor(stack)
    assert [movements(stack, each) for each in free] == [{"CREDIT": -13725}] * 2
    assert coach.post(f"/api/sessions/{free[0]['id']}/cancel", {}).status_code == 200
    assert booked(mentee, coach)["status"] == "SCHEDULED"
    assert booked(mentee, coach)["status"] == "PENDING_PAYMENT"


def test_what_a_plan_has_paid_goes_back_to_the_plan_as_a_whole_and_is_no_credit(stack: Stack, coach: SignedIn) -> None:
    mentee, admin = stack.user(), stack.user("ADMIN")
    included = plan(stack, entitlements={"includedSessionsPerMonth": 1, "feeWaived": False, "features": []})
    subscription_of(stack, mentee, included["id"])
    made = booked(mentee, coach)
    janitor(stack)
    path, why = f"/api/payments/{made['paymentId']}/refunds", {"reason": "GOODWILL", "note": "The sound failed."}
    part = admin.post(path, why | {"amount": {"amount": 5000, "currency": "USD"}}, key="a part").json()
    assert (part["status"], part["code"]) == (422, "included_session")
    assert booked(mentee, coach)["status"] == "PENDING_PAYMENT"
    assert admin.post(path, why, key="all").json()["data"]["status"] == "SUCCEEDED"
    janitor(stack)
    [given] = mentee.get(path).json()["data"]
    nothing = {"amount": 0, "currency": "USD"}
    assert (given["included"], given["amount"], given["credit"]) == (True, nothing, nothing)
    assert balance(stack, mentee) == 0
    assert movements(stack, made) == {"CREDIT": -13725, "CREDIT_REVERSAL": 13725}
    assert booked(mentee, coach)["status"] == "SCHEDULED"  # the plan's session can be taken again


def test_the_fee_is_waived_by_a_plan(stack: Stack, coach: SignedIn) -> None:
    mentee = stack.user()
    waived = plan(stack, entitlements={"includedSessionsPerMonth": 0, "feeWaived": True, "features": []})
    subscription_of(stack, mentee, waived["id"])
    made = booked(mentee, coach)
    pays(stack, made["clientSecret"])
    assert movements(stack, made) == {"CHARGE": 15000, "PROCESSING_FEE": -465, "TRANSFER": -15000}
