"""Referrals over HTTP: codes, redeeming them, what each side may know, and the review."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from tests.support.referrals import (
    ALPHABET,
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
from tests.support.stack import SignedIn, Stack, wait_until
from tests.support.story import iso

DAY = timedelta(days=1)


def listed(user: SignedIn, query: str = "") -> dict[str, Any]:
    answer = user.get(f"/api/referrals{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def at_once(*calls: Callable[[], httpx.Response]) -> list[tuple[int, str]]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [refusal(each) for each in pool.map(lambda call: call(), calls)]


def test_a_code_brings_credit_to_both(stack: Stack, coach: SignedIn, database: Database) -> None:
    referrer, referee = stack.user(), stack.user()
    assert listed(referrer)["code"] is None
    given = code_of(referrer)
    assert len(given) == 8
    assert set(given) <= set(ALPHABET)
    assert listed(referrer)["code"]["code"] == given
    redeemed = redeem(referee, f" {given[:4].lower()}-{given[4:]} ")
    assert redeemed.status_code == 201, redeemed.text
    mine = redeemed.json()["data"]
    assert (mine["side"], mine["status"], mine["reward"]) == ("REFEREE", "SIGNED_UP", None)
    ended = datetime.now(UTC) + DAY
    session = held(database, coach.user_id, referee.user_id, ended)
    tell(stack, session)
    assert listed(referee)["redeemed"]["status"] == "SIGNED_UP"  # not paid yet
    pay(database, session)
    tell(stack, session, "PaymentCompleted")
    theirs = listed(referrer)["data"][0]
    assert (theirs["status"], theirs["side"], theirs["reward"]["amount"]) == ("QUALIFIED", "REFERRER", REWARD)
    assert datetime.fromisoformat(theirs["holdUntil"]) == ended + HOLD
    advance(stack, ended + HOLD - timedelta(microseconds=1))
    assert (credit(referrer), credit(referee)) == ({}, {})
    advance(stack, ended + HOLD)
    advance(stack, ended + HOLD + DAY)
    assert credit(referrer) == credit(referee) == {"USD": REWARD}
    entries = referrer.get("/api/referrals/rewards").json()["data"]
    assert [(each["kind"], each["referralId"]) for each in entries] == [("GRANTED", mine["id"])]
    for side in (referrer, referee):
        assert told(database, mine["id"], side) == ["ReferralRedeemed", "ReferralQualified", "ReferralRewarded"]


def test_neither_side_learns_who_the_other_is(stack: Stack, coach: SignedIn, database: Database) -> None:
    referrer = stack.user(first_name="Rosalind", last_name="Referrer")
    referee = stack.user(first_name="Edmund", last_name="Referee")
    referral = brought(referrer, referee)
    session = held(database, coach.user_id, referee.user_id, datetime.now(UTC) + DAY)
    pay(database, session)
    tell(stack, session)
    advance(stack, datetime.now(UTC) + DAY + HOLD)
    stack.drain()
    for one, other, name in ((referrer, referee, "Edmund"), (referee, referrer, "Rosalind")):
        notices = one.get("/api/notifications").json()["data"]
        assert "referral_rewarded" in {each["type"] for each in notices}
        seen = listed(one) | {"rewards": one.get("/api/referrals/rewards").json(), "notices": notices}
        for secret in (other.user_id, name, session):
            assert secret not in str(seen)
        payloads = database.execute(
            """select payload::text from private.outbox_event
               where payload ->> 'referralId' = %s and payload ->> 'userId' = %s""",
            [referral, one.user_id],
        ).fetchall()
        assert not [row for row in payloads if other.user_id in row["payload"] or session in row["payload"]]


def test_a_code_is_redeemed_once_however_often_and_at_once(stack: Stack) -> None:
    first, second, referee = stack.user(), stack.user(), stack.user()
    codes = [code_of(first), code_of(second)]
    answers = at_once(*[lambda n=n: redeem(referee, codes[n % 2]) for n in range(20)])
    assert sorted(answers) == [(201, "")] + [(409, "referral_redeemed")] * 19
    assert len(listed(first)["data"]) + len(listed(second)["data"]) == 1


def test_a_repeated_key_is_one_redemption_and_one_code(stack: Stack) -> None:
    referrer, referee = stack.user(), stack.user()
    one, again = (referrer.post("/api/referrals/code", key="code").json()["data"] for _ in range(2))
    assert one == again
    first, second = (redeem(referee, one["code"], key="redeem") for _ in range(2))
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert refusal(redeem(referee, "CCCCCCCC", key="redeem")) == (422, "idempotency_key_reused")


def test_what_is_wrong_with_a_code_is_never_said(stack: Stack, database: Database) -> None:
    owner, suspended, below, mine = stack.user(), stack.user(), stack.user(), stack.user()
    replaced, of_suspended = code_of(owner), code_of(suspended)
    code_of(owner)
    database.execute("update user_account set status = 'SUSPENDED' where id = %s", [suspended.user_id])
    brought(mine, below)
    answers = [redeem(mine, given) for given in ("23456789", "not a code", replaced, of_suspended, code_of(below))]
    assert {each.status_code for each in answers} == {422}
    alike = [{k: v for k, v in each.json().items() if k not in ("requestId", "instance")} for each in answers]
    assert alike[1:] == alike[:-1]
    assert alike[0]["code"] == "referral_code_invalid"
    assert refusal(redeem(mine, listed(mine)["code"]["code"])) == (409, "own_referral_code")


def test_a_code_is_redeemed_within_thirty_days_of_signing_up(stack: Stack, database: Database) -> None:
    referrer, early, late = stack.user(), stack.user(), stack.user()
    given = code_of(referrer)
    for user, age in ((early, 30 * DAY - timedelta(minutes=5)), (late, 30 * DAY)):
        signed_up = datetime.now(UTC) - age
        database.execute("update user_account set created_at = %s where id = %s", [signed_up, user.user_id])
        assert listed(user)["redeemUntil"] == iso(signed_up + 30 * DAY)
    assert redeem(early, given).status_code == 201
    assert refusal(redeem(late, given)) == (409, "referral_too_late")
    assert refusal(redeem(late, "23456789")) == (409, "referral_too_late")  # says nothing of the code


@pytest.mark.parametrize("people", [2, 3])
def test_a_loop_cannot_be_closed_by_those_who_close_it_at_once(stack: Stack, people: int) -> None:
    users = [stack.user() for _ in range(people)]
    codes = [code_of(user) for user in users]
    rounds = [lambda n=n: redeem(users[n], codes[(n + 1) % people]) for n in range(people)]
    answers = at_once(*rounds * 3)
    assert answers.count((201, "")) == people - 1
    assert answers.count((422, "referral_code_invalid")) == 3
    assert len(answers) == 3 * people


def test_two_halves_of_a_loop_that_share_nobody_are_not_both_redeemed(stack: Stack, database: Database) -> None:
    """Nobody's row is in both requests, and both have looked before either is stored."""
    a, b, c, d = (stack.user() for _ in range(4))
    brought(b, a)
    brought(d, c)
    halves = [(b, code_of(c)), (d, code_of(a))]
    waiting = """select count(*) as it from pg_locks l join pg_database d on d.oid = l.database
                 where d.datname = current_database() and not l.granted and l.locktype in ('relation', 'advisory')"""
    with ThreadPoolExecutor(2) as pool:
        with stack.database() as other, other.transaction():
            other.execute("lock table private.referral in share mode")  # may be read, and not be written
            asked = [pool.submit(redeem, who, given) for who, given in halves]
            wait_until(lambda: database.execute(waiting).fetchone() == {"it": 2}, what="both requests waiting")
        answers = sorted(refusal(each.result()) for each in asked)
    assert answers == [(201, ""), (422, "referral_code_invalid")]


def issue_until_none_is_free(database: Database) -> None:
    """Codes from a generator that gives each of them four times, then from one that always gives the same."""
    issued = "select (private.issue_referral_code(%s)).code"
    generator = "create or replace function private.random_code() returns text language sql as "
    with database.transaction():
        made = database.execute(
            "insert into user_account (clerk_id) values ('code ' || gen_random_uuid()) returning id"
        ).fetchone()
        assert made is not None
        database.execute("create sequence public.tried")
        four_times = "lpad(translate((nextval('public.tried') / 4)::text, '01', '9C'), 8, '2')"
        database.execute(f"{generator} $$ select {four_times} $$")
        assert len({str(database.execute(issued, [made["id"]]).fetchone()) for _ in range(4)}) == 4
        database.execute(f"{generator} $$ select '22222222' $$")
        database.execute(issued, [made["id"]])


def test_codes_that_are_taken_are_tried_again(database: Database) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation, match="Ten codes in a row"):
        issue_until_none_is_free(database)


def test_pages_of_whom_a_code_brought(stack: Stack) -> None:
    referrer = stack.user()
    given = code_of(referrer)
    made = [redeem(stack.user(), given).json()["data"]["id"] for _ in range(3)]
    first = listed(referrer, "?limit=2")
    rest = listed(referrer, f"?limit=2&cursor={first['nextCursor']}")
    assert [each["id"] for each in first["data"] + rest["data"]] == made[::-1]
    assert rest["nextCursor"] is None


def test_a_deleted_account_takes_its_code_along(stack: Stack, coach: SignedIn, database: Database) -> None:
    gone, referee, later = stack.user(), stack.user(), stack.user()
    given = code_of(gone)
    as_referrer = redeem(referee, given).json()["data"]["id"]
    as_referee = brought(stack.user(), gone)
    database.execute(
        """select set_config('request.jwt.claims', '{"role": "service_role"}', false),
                  public.delete_clerk_user(gen_random_uuid(), %s)""",
        [gone.clerk_id],
    )
    assert refusal(redeem(later, given)) == (422, "referral_code_invalid")
    assert state(database, as_referee)["rejection"] == "ACCOUNT_CLOSED"
    ended = datetime.now(UTC) + DAY
    session = held(database, coach.user_id, referee.user_id, ended)
    pay(database, session)
    tell(stack, session)
    advance(stack, ended + HOLD)
    assert (state(database, as_referrer)["status"], credit(referee)) == ("REWARDED", {"USD": REWARD})
    assert database.execute("select 1 from credit_entry where user_id = %s", [gone.user_id]).fetchall() == []


def test_redemptions_are_limited(stack: Stack, database: Database) -> None:
    kept = database.execute(
        "select value::text from private.setting where key = 'rate_limit.referral_redeem'"
    ).fetchone()
    assert kept is not None
    guesser = stack.user()
    database.execute("""select private.set_setting('rate_limit.referral_redeem', '{"limit": 2, "seconds": 60}')""")
    try:
        answers = [redeem(guesser, "23456789") for _ in range(3)]
    finally:
        database.execute("select private.set_setting('rate_limit.referral_redeem', %s)", [kept["value"]])
    assert [each.status_code for each in answers] == [422, 422, 429]
    assert int(answers[2].headers["retry-after"]) <= 60
