"""Refunds and disputes over HTTP, with queues and the bus between: what people see and may do."""

from datetime import timedelta

import pytest

from tests.support import billing
from tests.support.paid_sessions import at_stack
from tests.support.sessions import insert_session
from tests.support.stack import SignedIn, Stack
from tests.support.story import at, next_weekday

Two = tuple[SignedIn, SignedIn]


@pytest.fixture(scope="module")
def two(stack: Stack) -> Two:
    coach = stack.user("COACH")
    with stack.database() as database:
        database.execute("insert into coach_profile (user_id) values (%s)", [coach.user_id])
    return coach, stack.user()


def session(stack: Stack, two: Two, hour: int) -> str:
    with stack.database() as database:
        start = at(next_weekday(weeks=3), "00:00") + timedelta(hours=hour)
        return insert_session(database, two[0].user_id, two[1].user_id, start)


def test_a_session_that_is_called_off_gives_back_by_itself(stack: Stack, two: Two) -> None:
    coach, mentee = two
    booked = session(stack, two, 0)
    with stack.database() as database:
        payment = at_stack(stack, database).pay(booked, coach.user_id, mentee.user_id)["id"]
    assert coach.post(f"/api/sessions/{booked}/cancel", {"reason": "Ill"}).status_code == 200
    stack.drain()
    [given] = mentee.get(f"/api/payments/{payment}/refunds").json()["data"]
    assert (given["status"], given["reason"], given["initiator"]) == ("SUCCEEDED", "CANCELLATION", "SYSTEM")
    assert given["amount"] == {"amount": 15000, "currency": "USD"}
    assert coach.get(f"/api/payments/{payment}/refunds").json()["data"] == [given]


def test_an_admin_gives_back_and_nobody_else(stack: Stack, two: Two) -> None:
    coach, mentee = two
    booked, admin, stranger = session(stack, two, 4), stack.user("ADMIN"), stack.user("COACH", "MENTEE")
    with stack.database() as database:
        payment = at_stack(stack, database).pay(booked, coach.user_id, mentee.user_id)["id"]
    path = f"/api/payments/{payment}/refunds"
    body = {"amount": {"amount": 5000, "currency": "USD"}, "reason": "GOODWILL", "note": "The sound failed."}
    assert admin.post(path, body).json()["code"] == "idempotency_key_required"
    assert [who.post(path, body, key="mine").status_code for who in (coach, mentee)] == [403, 403]
    made = admin.post(path, body, key="mine")
    assert (made.status_code, made.headers["location"], made.json()["data"]["status"]) == (201, path, "SUCCEEDED")
    assert admin.post(path, body, key="mine").json()["data"]["id"] == made.json()["data"]["id"]
    assert admin.post(path, {**body, "note": "Another"}, key="mine").json()["code"] == "idempotency_key_reused"
    refused = admin.post(path, {**body, "amount": {"amount": 10001, "currency": "USD"}}, key="more").json()
    assert (refused["status"], refused["code"]) == (422, "refund_exceeds_payment")
    assert refused["refundable"] == {"amount": 10000, "currency": "USD"}
    assert admin.post(path, {**body, "amount": {"amount": 0, "currency": "USD"}}, key="0").status_code == 422
    assert stranger.get(path).status_code == 404
    stack.drain()
    assert [row["id"] for row in mentee.get(path).json()["data"]] == [made.json()["data"]["id"]]


def test_a_dispute_is_seen_by_its_coach_and_answered_by_an_admin(stack: Stack, two: Two) -> None:
    coach, mentee = two
    admin, stranger = stack.user("ADMIN"), stack.user("COACH")
    _, dispute = billing.given_back(stack, coach, mentee, [session(stack, two, 8), session(stack, two, 12)])
    path = f"/api/disputes/{dispute}"
    seen = coach.get(path).json()["data"]
    assert (seen["kind"], seen["status"], seen["needsResponse"]) == ("CHARGEBACK", "NEEDS_RESPONSE", True)
    assert (seen["menteeId"], seen["session"]["refunded"]["amount"]) == (mentee.user_id, 0)
    assert [row["id"] for row in coach.get("/api/disputes").json()["data"]] == [dispute]
    assert dispute in [row["id"] for row in admin.get("/api/disputes", params={"open": True}).json()["data"]]
    assert (stranger.get(path).status_code, stranger.get("/api/disputes").json()["data"]) == (404, [])
    assert mentee.get(path).status_code == 403

    draft = {"evidence": {"accessActivityLog": "Both were there."}, "version": seen["version"]}
    saved = coach.post(path + "/evidence", draft)
    assert saved.status_code == 200, saved.text
    assert saved.json()["data"]["evidence"]["accessActivityLog"] == "Both were there."
    assert coach.post(path + "/evidence", draft).json()["code"] == "version_conflict"
    submit = {"evidence": {}, "submit": True, "version": saved.json()["data"]["version"]}
    assert coach.post(path + "/evidence", submit).status_code == 403
    words = {"evidence": {"uncategorizedText": "winning_evidence"}, "submit": True, "version": submit["version"]}
    sent = admin.post(path + "/evidence", words)
    assert sent.status_code == 200, sent.text
    stack.drain()
    won = admin.get(path).json()["data"]
    assert (won["status"], won["evidenceSubmittedAt"] is not None, won["needsResponse"]) == ("WON", True, False)
    late = admin.post(path + "/evidence", {**words, "version": won["version"]})
    assert (late.status_code, late.json()["code"]) == (409, "dispute_closed")
    assert admin.get("/api/disputes", params={"open": True, "limit": 100}).status_code == 200
