"""Suspicious referrals: how they are found, that they wait, and what an ADMIN decides."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.referrals import (
    HOLD,
    REWARD,
    Database,
    advance,
    brought,
    code_of,
    credit,
    held,
    pay,
    redeem,
    refusal,
    state,
    tell,
    told,
)
from tests.support.stack import SignedIn, Stack
from tests.support.story import iso

DAY = timedelta(days=1)


def suspicious(stack: Stack, database: Database, coach: SignedIn) -> tuple[SignedIn, SignedIn, str, datetime]:
    """A qualified referral whose sides have one phone."""
    referrer, referee = stack.user(), stack.user()
    for user in (referrer, referee):
        database.execute(
            "insert into member_profile (user_id, phone) values (%s, %s)",
            [user.user_id, f"+1202{int(referrer.user_id[:6], 16) % 10**7:07}"],
        )
    referral = brought(referrer, referee)
    ended = datetime.now(UTC) + DAY
    session = held(database, coach.user_id, referee.user_id, ended)
    pay(database, session)
    tell(stack, session)
    return referrer, referee, referral, ended


def test_a_suspicious_referral_waits_for_an_admin(stack: Stack, coach: SignedIn, database: Database) -> None:
    referrer, _, referral, ended = suspicious(stack, database, coach)
    admin = stack.user("ADMIN")
    advance(stack, ended + HOLD)
    assert credit(referrer) == {}
    found = admin.get(f"/api/admin/referrals?review=PENDING&userId={referrer.user_id}").json()["data"]
    assert [(each["id"], each["flags"], each["status"]) for each in found] == [(referral, ["SAME_PHONE"], "QUALIFIED")]
    url = f"/api/admin/referrals/{referral}/review"
    body = {"decision": "APPROVED", "reason": "They share an office", "version": found[0]["version"]}
    assert refusal(admin.post(url, {**body, "version": 99})) == (409, "version_conflict")
    assert referrer.post(url, body).status_code == 403
    stack.clock(iso(ended + HOLD + DAY))
    try:
        answers = [admin.post(url, body, key=referral) for _ in range(2)]
    finally:
        stack.clock(None)
    decided = answers[0].json()["data"]
    assert answers[1].json()["data"] == decided
    assert (decided["status"], decided["review"], decided["reviewedBy"]) == ("REWARDED", "APPROVED", admin.user_id)
    assert credit(referrer) == {"USD": REWARD}
    again = {**body, "version": decided["version"]}
    assert refusal(admin.post(url, again)) == (409, "invalid_transition")
    reasons = database.execute(
        "select reason from private.audit_log where table_name = 'referral' and row_id = %s and reason is not null",
        [referral],
    ).fetchall()
    assert {row["reason"] for row in reasons} == {"They share an office"}
    fraud = admin.post(url, {**again, "decision": "REJECTED", "reason": "A ring, after all"}).json()["data"]
    assert (fraud["status"], fraud["rejection"], credit(referrer)) == ("REJECTED", "REVIEW", {"USD": 0})
    assert told(database, referral)[-2:] == ["ReferralClawedBack"] * 2


def test_a_rejected_referral_is_told_to_both_and_rewards_nobody(
    stack: Stack, coach: SignedIn, database: Database
) -> None:
    referrer, referee, referral, ended = suspicious(stack, database, coach)
    admin = stack.user("ADMIN")
    body = {"decision": "REJECTED", "reason": "One person", "version": state(database, referral)["version"]}
    assert admin.post(f"/api/admin/referrals/{referral}/review", body).status_code == 200
    advance(stack, ended + HOLD)
    assert (credit(referrer), credit(referee)) == ({}, {})
    stack.drain()
    for user in (referrer, referee):
        assert "referral_rejected" in {each["type"] for each in user.get("/api/notifications").json()["data"]}
        assert "One person" not in user.get("/api/notifications").text


def test_nobody_decides_about_his_own_referral(stack: Stack, database: Database) -> None:
    admin = stack.user("ADMIN", "MENTEE")
    referral = brought(stack.user(), admin)
    url, body = f"/api/admin/referrals/{referral}/review", {"decision": "REJECTED", "reason": "x", "version": 1}
    assert refusal(admin.post(url, body)) == (409, "own_referral")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Jo.Doe+x@gmail.com", "jodoe@googlemail.com", True),
        ("jo+a@example.com", "JO@example.com", True),
        ("jo.doe@example.com", "jodoe@example.com", False),
        ("jo@example.com", "jo@example.org", False),
    ],
)
def test_addresses_of_one_mailbox(database: Database, one: str, other: str, same: bool) -> None:
    found = database.execute("select private.mailbox(%s) = private.mailbox(%s) as it", [one, other]).fetchone()
    assert found == {"it": same}


def test_signs_of_one_person_are_found_among_those_whom_one_referrer_brought(stack: Stack, database: Database) -> None:
    referrer, first, second, stranger = (stack.user() for _ in range(4))
    given = code_of(referrer)
    for user, state_ in ((first, "NY"), (second, None), (stranger, "NJ")):
        database.execute(
            "insert into member_profile (user_id, license_number, license_state) values (%s, %s, %s)",
            [user.user_id, referrer.user_id[:8].upper(), state_],
        )
    for user in (first, second, stranger):
        database.execute(
            """insert into private.payment_method (user_id, stripe_payment_method_id, type, fingerprint)
               values (%s, 'pm_' || gen_random_uuid(), 'card', %s)""",
            [user.user_id, None if user is stranger else f"fp {given}"],
        )
    redeem(first, given)
    assert state(database, redeem(second, given).json()["data"]["id"])["flags"] == ["SAME_CARD", "SAME_LICENSE"]
    assert state(database, brought(stack.user(), stranger))["flags"] == []
