"""Sessions that are paid: held, paid at Stripe, scheduled when Stripe says so; declined, too late, twice."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import stripe

from tests.support.billing import client, intent_of, pays
from tests.support.session_payments import (
    HOURS,
    booked,
    hold_ran_out,
    janitor,
    movements,
    payment,
    saved_method,
    session,
)
from tests.support.stack import SignedIn, Stack
from tests.support.story import at, book, can_be_paid, iso, next_weekday, paid_sessions, published_coach


@pytest.fixture(scope="module", autouse=True)
def _paid(stack: Stack) -> Iterator[None]:
    with paid_sessions(stack):
        yield


@pytest.fixture(scope="module")
def coach(stack: Stack, _paid: None) -> SignedIn:
    coach = stack.user("COACH", first_name="Casey", last_name="Morgan")
    return published_coach(stack, coach=can_be_paid(stack, coach))


def test_a_session_is_held_then_paid_then_scheduled(stack: Stack, coach: SignedIn) -> None:
    mentee = stack.user()
    made = booked(mentee, coach)
    assert (made["status"], made["paymentStatus"], bool(made["holdExpiresAt"])) == ("PENDING_PAYMENT", "PENDING", True)
    pays(stack, made["clientSecret"])
    assert session(mentee, made)["status"] == "SCHEDULED"
    paid = payment(mentee, made)
    assert (paid["status"], paid["paid"]["amount"], paid["fee"]) == ("COMPLETED", 15000, None)
    assert payment(coach, made)["fee"] == {"amount": 1275, "currency": "USD"}
    intent = client(stack).v1.payment_intents.retrieve(intent_of(made["clientSecret"]))
    assert (intent.amount, intent.application_fee_amount) == (15000, 1275)
    assert movements(stack, made) == {"CHARGE": 15000, "PROCESSING_FEE": -465, "TRANSFER": -15000, "FEE": 1275}
    told = [event for event in stack.http.get("/_dev/events").json()["events"] if made["id"] in str(event)]
    kinds = [event["detail-type"] for event in told]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "SessionHeld": 1,
        "PaymentCompleted": 1,
        "SessionScheduled": 1,
    } | {kind: 1 for kind in kinds if kind.startswith("Meeting")}
    listed = mentee.get("/api/payments", params={"sessionId": made["id"]}).json()["data"]
    assert [each["id"] for each in listed] == [made["paymentId"]]
    assert stack.user().get(f"/api/payments/{made['paymentId']}").status_code == 404


def test_a_saved_card_pays_at_once_and_a_repeated_request_books_and_pays_nothing_more(
    stack: Stack, coach: SignedIn
) -> None:
    mentee, key, start = stack.user(), uuid4().hex, HOURS.next()
    method = saved_method(stack, mentee, "pm_card_visa")
    first = book(mentee, coach, start, key=key, paymentMethodId=method)
    again = book(mentee, coach, start, key=key, paymentMethodId=method)
    assert (first.status_code, again.status_code) == (201, 201)
    made = first.json()["data"]
    assert made == again.json()["data"]
    assert (made["paymentStatus"], made["clientSecret"]) == ("COMPLETED", None)
    stack.drain()
    assert session(mentee, made)["status"] == "SCHEDULED"
    assert len(mentee.get("/api/payments").json()["data"]) == 1
    assert movements(stack, made)["CHARGE"] == 15000


def test_a_repeated_request_hands_the_client_secret_out_again(stack: Stack, coach: SignedIn) -> None:
    mentee, key, start = stack.user(), uuid4().hex, HOURS.next()
    first, again = (book(mentee, coach, start, key=key).json()["data"] for _ in range(2))
    assert first["clientSecret"]
    assert first == again
    with stack.database() as database:
        kept = database.execute("select count(*) as n from private.idempotency_key where body::text like '%_secret_%'")
        assert kept.fetchone() == {"n": 0}


def test_a_declined_card_leaves_the_session_payable_with_another(stack: Stack, coach: SignedIn) -> None:
    mentee = stack.user()
    bad = saved_method(stack, mentee, "pm_card_chargeCustomerFail")
    made = booked(mentee, coach, paymentMethodId=bad)
    assert (made["status"], made["paymentStatus"], bool(made["clientSecret"])) == ("PENDING_PAYMENT", "FAILED", True)
    stack.drain()
    assert (payment(mentee, made)["status"], payment(mentee, made)["failureCode"]) == ("FAILED", "generic_decline")
    declined = mentee.post("/api/payments", {"sessionId": made["id"], "paymentMethodId": bad}, key=uuid4().hex)
    assert (declined.status_code, declined.json()["code"]) == (402, "payment_declined")
    good = saved_method(stack, mentee, "pm_card_visa")
    paid = mentee.post("/api/payments", {"sessionId": made["id"], "paymentMethodId": good}, key=uuid4().hex)
    assert (paid.status_code, paid.json()["data"]["status"]) == (201, "COMPLETED")
    stack.drain()
    assert session(mentee, made)["status"] == "SCHEDULED"
    again = mentee.post("/api/payments", {"sessionId": made["id"], "paymentMethodId": good}, key=uuid4().hex)
    assert (again.status_code, again.json()["code"]) == (409, "already_paid")


def test_a_card_with_3d_secure_is_confirmed_by_its_holder(stack: Stack, coach: SignedIn) -> None:
    mentee = stack.user()
    made = booked(mentee, coach)
    api = client(stack).v1.payment_intents
    api.confirm(intent_of(made["clientSecret"]), {"payment_method": "pm_card_authenticationRequired"})
    stack.drain()
    assert payment(mentee, made)["status"] == "REQUIRES_ACTION"
    control = {"authenticate": intent_of(made["clientSecret"])}
    stack.http.post("/_sim/stripe/_control", json=control).raise_for_status()
    stack.drain()
    assert (payment(mentee, made)["status"], session(mentee, made)["status"]) == ("COMPLETED", "SCHEDULED")


def test_a_hold_that_runs_out_cancels_its_payment_at_stripe(stack: Stack, coach: SignedIn) -> None:
    mentee = stack.user()
    made = booked(mentee, coach)
    hold_ran_out(stack, made)
    janitor(stack)
    assert (session(mentee, made)["status"], payment(mentee, made)["status"]) == ("EXPIRED", "CANCELED")
    assert client(stack).v1.payment_intents.retrieve(intent_of(made["clientSecret"])).status == "canceled"
    late = mentee.post("/api/payments", {"sessionId": made["id"]}, key=uuid4().hex)
    assert (late.status_code, late.json()["code"]) == (409, "not_payable")


def test_who_pays_after_the_hold_has_the_time_when_nobody_else_took_it(stack: Stack, coach: SignedIn) -> None:
    mentee = stack.user()
    made = booked(mentee, coach)
    hold_ran_out(stack, made)
    assert session(mentee, made)["status"] == "EXPIRED"
    pays(stack, made["clientSecret"])
    assert (session(mentee, made)["status"], payment(mentee, made)["status"]) == ("SCHEDULED", "COMPLETED")
    janitor(stack)  # the cancellation that was asked for finds it paid
    assert (session(mentee, made)["status"], payment(mentee, made)["status"]) == ("SCHEDULED", "COMPLETED")


def test_of_two_tabs_one_pays(stack: Stack, coach: SignedIn) -> None:
    mentee = stack.user()
    method = saved_method(stack, mentee, "pm_card_visa")
    made = booked(mentee, coach)
    body = {"sessionId": made["id"], "paymentMethodId": method}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: mentee.post("/api/payments", body, key=uuid4().hex), range(4)))
    assert {answer.status_code for answer in answers} <= {201, 409, 422}
    assert sum(answer.status_code == 201 for answer in answers) >= 1
    stack.drain()
    assert session(mentee, made)["status"] == "SCHEDULED"
    assert movements(stack, made)["CHARGE"] == 15000
    found = client(stack).v1.payment_intents.list({"limit": 100}).auto_paging_iter()
    mine = [each for each in found if each.to_dict()["metadata"].get("session_id") == made["id"]]
    assert [each.status for each in mine] == ["succeeded"]


def test_a_bank_may_take_days_when_there_are_days(stack: Stack, coach: SignedIn) -> None:
    mentee = stack.user()
    bank = saved_method(stack, mentee, "pm_usBankAccount_success")
    soon = at(next_weekday(weeks=0), "16:00")
    near = book(mentee, coach, soon, paymentMethodId=bank)
    assert near.status_code in (422, 409), near.text
    made = booked(mentee, coach, paymentMethodId=bank)
    stack.drain()
    held = session(mentee, made)
    assert (made["paymentStatus"], held["status"], held["holdExpiresAt"] > made["holdExpiresAt"]) == (
        "PROCESSING",
        "PENDING_PAYMENT",
        True,
    )
    again = mentee.post("/api/payments", {"sessionId": made["id"]}, key=uuid4().hex)
    assert (again.status_code, again.json()["code"]) == (409, "payment_in_progress")


def test_an_account_that_cannot_be_paid_any_more_frees_the_time(stack: Stack) -> None:
    other = published_coach(stack, coach=can_be_paid(stack, stack.user("COACH")))
    mentee, start, key = stack.user(), HOURS.next(), uuid4().hex
    restrict = {"onboard": {"coachId": other.user_id, "ready": False, "restricted": "requirements.past_due"}}
    stack.http.post("/_sim/stripe/_control", json=restrict).raise_for_status()
    # We have not heard of it yet, and Stripe refuses.
    with stack.database() as database:
        database.execute(
            "update private.coach_account set transfers_active = true where coach_id = %s", [other.user_id]
        )
    refused = book(mentee, other, start, key=key)
    assert (refused.status_code, refused.json()["code"]) == (409, "payouts_not_ready")
    again = book(mentee, other, start, key=key)
    assert (again.status_code, again.json()["code"]) == (409, "payouts_not_ready")
    stack.drain()
    known = book(mentee, other, start)
    assert (known.status_code, known.json()["code"]) == (409, "payouts_not_ready")
    assert {each["status"] for each in mentee.get("/api/sessions").json()["data"]} <= {"CANCELLED"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"amount": 1}, 422, "validation_failed"),
        ({"price": {"amount": 1, "currency": "USD"}}, 422, "validation_failed"),
        ({"expectedPrice": {"amount": 15000, "currency": "EUR"}}, 409, "price_changed"),
        ({"expectedPrice": {"amount": 14999, "currency": "USD"}}, 409, "price_changed"),
        ({"expectedPrice": {"amount": 500.5, "currency": "JPY"}}, 422, "validation_failed"),
        ({"expectedPrice": {"amount": 5124, "currency": "KWD"}}, 422, "validation_failed"),
        ({"paymentMethodId": "pm_card_visa"}, 422, "validation_failed"),
        ({"paymentMethodId": "0c0a6b1e-6a5c-4c0e-8a53-1d2c1f6f2b10"}, 404, "not_found"),
    ],
)
def test_what_is_paid_is_not_the_callers_to_choose(
    stack: Stack, coach: SignedIn, body: dict[str, Any], status: int, code: str
) -> None:
    mentee = stack.user()
    refused = book(mentee, coach, at(next_weekday(4, weeks=12), "10:00"), **body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert mentee.get("/api/sessions").json()["data"] == []


def test_a_method_of_somebody_elses_pays_nothing(stack: Stack, coach: SignedIn) -> None:
    mentee, other = stack.user(), stack.user()
    theirs = saved_method(stack, other, "pm_card_visa")
    refused = book(mentee, coach, at(next_weekday(4, weeks=12), "12:00"), paymentMethodId=theirs)
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    made = booked(mentee, coach)
    again = mentee.post("/api/payments", {"sessionId": made["id"], "paymentMethodId": theirs}, key=uuid4().hex)
    assert (again.status_code, again.json()["code"]) == (404, "not_found")
    foreign = other.post("/api/payments", {"sessionId": made["id"], "paymentMethodId": theirs}, key=uuid4().hex)
    assert (foreign.status_code, foreign.json()["code"]) == (404, "not_found")


def test_free_sessions_are_scheduled_at_once(stack: Stack) -> None:
    free = published_coach(stack, profile={"hourlyRate": {"amount": 0, "currency": "USD"}})
    made = booked(stack.user(), free)
    assert (made["status"], made["paymentId"], made["clientSecret"]) == ("SCHEDULED", None, None)


def test_an_intent_at_another_amount_is_concluded_nothing_from(stack: Stack, coach: SignedIn) -> None:
    """Nobody but the Dashboard can do this; then a person has to look, and nothing is booked."""
    mentee = stack.user()
    made = booked(mentee, coach)
    name = intent_of(made["clientSecret"])
    row = client(stack).v1.payment_intents.retrieve(name)
    assert isinstance(row, stripe.PaymentIntent)
    told = {"stripe_payment_intent_id": name, "payment_id": made["paymentId"], "customer": row.customer}
    told |= {"status": "COMPLETED", "amount": 1, "currency": "USD"}
    with stack.database() as database:
        answer = database.execute(
            """select set_config('request.jwt.claims', '{"role": "service_role"}', false),
                 mirror_payments(jsonb_build_array(%s::jsonb), (select last_value from private.stripe_write)) as it""",
            [json.dumps(told)],
        ).fetchone()
    assert answer is not None
    assert answer["it"]["body"]["written"] == 0
    assert session(mentee, made)["status"] == "PENDING_PAYMENT"


def test_a_paid_session_is_moved_at_its_price_and_at_no_other(stack: Stack, coach: SignedIn) -> None:
    mentee = stack.user()
    made = booked(mentee, coach)
    pays(stack, made["clientSecret"])
    version = session(mentee, made)["version"]
    longer = {"start": iso(HOURS.next()), "duration": 120, "version": version}
    refused = mentee.post(f"/api/sessions/{made['id']}/reschedule", longer, key=uuid4().hex)
    assert (refused.status_code, refused.json()["code"]) == (409, "price_paid")
    moved = mentee.post(
        f"/api/sessions/{made['id']}/reschedule", {"start": iso(HOURS.next()), "version": version}, key=uuid4().hex
    )
    assert moved.status_code == 200, moved.text
