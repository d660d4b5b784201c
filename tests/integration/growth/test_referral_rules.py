"""What becomes of a referral by what is paid, given back, disputed and decided, in any order, however often told."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from coachline.events import DomainEvent
from coachline.growth import referral_jobs
from tests.support.growth import BROKEN_ACCOUNTS
from tests.support.mortal import Killed, Mortal
from tests.support.referrals import (
    HOLD,
    REWARD,
    Database,
    advance,
    brought,
    close_dispute,
    code_of,
    credit,
    dispute,
    held,
    on_account,
    pay,
    redeem,
    refund,
    state,
    tell,
    told,
)
from tests.support.stack import SignedIn, Stack

DAY = timedelta(days=1)
PRICE, MINIMUM = 15000, 5000


@pytest.fixture(autouse=True)
def _accounts_add_up(database: Database) -> Iterator[None]:
    yield
    assert database.execute(BROKEN_ACCOUNTS).fetchall() == []


class Pair:
    """Two people, one of whom has brought the other."""

    def __init__(self, stack: Stack, database: Database, coach: SignedIn) -> None:
        self.stack, self.database, self.coach = stack, database, coach
        self.referrer, self.referee = stack.user(), stack.user()
        self.referral = brought(self.referrer, self.referee)
        self.since = state(database, self.referral)["redeemed_at"]

    def session(self, after: timedelta = DAY, *, credit: int = 0, paid: bool = True) -> str:
        """One that ended so long after the code was redeemed."""
        made = held(self.database, self.coach.user_id, self.referee.user_id, self.since + after)
        if paid:
            pay(self.database, made, credit=credit)
        tell(self.stack, made)
        return made

    def settle(self, after: timedelta) -> str:
        """What the referral is at that moment, which is told twice."""
        for _ in range(2):
            self.database.execute("select private.settle_referral(%s, %s)", [self.referral, self.since + after])
        return self.status

    @property
    def status(self) -> str:
        return str(state(self.database, self.referral)["status"])

    @property
    def credit(self) -> tuple[int, int]:
        return credit(self.referrer).get("USD", 0), credit(self.referee).get("USD", 0)


@pytest.fixture
def pair(stack: Stack, database: Database, coach: SignedIn) -> Pair:
    return Pair(stack, database, coach)


def test_credit_alone_pays_for_nothing_that_counts(pair: Pair) -> None:
    pair.session(paid=False)
    pair.session(2 * DAY, credit=PRICE)
    pair.session(3 * DAY, credit=PRICE - MINIMUM + 1)
    assert pair.status == "SIGNED_UP"
    counted = pair.session(4 * DAY, credit=PRICE - MINIMUM)
    assert str(state(pair.database, pair.referral)["session_id"]) == counted
    assert pair.settle(4 * DAY + HOLD - timedelta(seconds=1)) == "QUALIFIED"
    assert pair.settle(4 * DAY + HOLD) == "REWARDED"


def test_sessions_before_the_code_and_after_its_time_do_not_count(pair: Pair) -> None:
    pair.session(-DAY)
    pair.session(180 * DAY)
    assert pair.status == "SIGNED_UP"
    assert pair.settle(180 * DAY - timedelta(seconds=1)) == "SIGNED_UP"
    assert pair.settle(180 * DAY) == "EXPIRED"
    pair.session(2 * DAY)
    assert pair.settle(200 * DAY) == "EXPIRED"
    assert told(pair.database, pair.referral, pair.referee) == ["ReferralRedeemed", "ReferralExpired"]


def test_a_refund_during_the_hold_leaves_it_to_the_next_session(pair: Pair) -> None:
    first = pair.session()
    refund(pair.database, first, PRICE - MINIMUM)
    tell(pair.stack, first, "RefundSucceeded")
    assert pair.status == "QUALIFIED"
    refund(pair.database, first, 1)
    tell(pair.stack, first, "RefundSucceeded")
    assert (pair.status, pair.settle(2 * DAY + HOLD)) == ("SIGNED_UP", "SIGNED_UP")
    pair.session(5 * DAY)
    assert pair.settle(2 * DAY + HOLD) == "QUALIFIED"
    assert pair.settle(5 * DAY + HOLD) == "REWARDED"
    assert pair.credit == (REWARD, REWARD)
    assert told(pair.database, pair.referral, pair.referrer) == [
        *("ReferralRedeemed", "ReferralQualified", "ReferralUnqualified", "ReferralQualified", "ReferralRewarded")
    ]


def test_a_refund_after_the_reward_takes_it_back_for_good(pair: Pair) -> None:
    session = pair.session()
    assert pair.settle(DAY + HOLD) == "REWARDED"
    refund(pair.database, session, PRICE - MINIMUM)
    tell(pair.stack, session, "RefundSucceeded")
    assert (pair.status, pair.credit) == ("REWARDED", (REWARD, REWARD))
    refund(pair.database, session, 1)
    for _ in range(3):
        tell(pair.stack, session, "RefundSucceeded")
    assert (pair.status, pair.credit) == ("REJECTED", (0, 0))
    pair.session(3 * DAY)
    assert (pair.settle(30 * DAY), pair.credit) == ("REJECTED", (0, 0))
    assert told(pair.database, pair.referral, pair.referee)[-1] == "ReferralClawedBack"


def test_a_reward_that_was_spent_is_taken_from_what_comes_next(pair: Pair) -> None:
    session = pair.session()
    assert pair.settle(DAY + HOLD) == "REWARDED"
    booked = held(pair.database, pair.coach.user_id, pair.referrer.user_id, pair.since + DAY)
    take = "select private.take_credit(%s, 'USD', 2000, %s) as it"
    assert pair.database.execute(take, [pair.referrer.user_id, booked]).fetchone() == {"it": 2000}
    refund(pair.database, session, PRICE)
    tell(pair.stack, session, "RefundSucceeded")
    assert pair.credit == (0, 0)
    pair.database.execute("select private.return_credit(%s)", [booked])
    assert pair.credit == (0, 0)  # the booking was called off: what it gives back is what the reward was
    entries = pair.referrer.get("/api/referrals/rewards").json()["data"]
    assert [(each["kind"], each["amount"]["amount"]) for each in reversed(entries)] == [
        *(("GRANTED", 2500), ("SPENT", -2000), ("CLAWED_BACK", -500), ("RETURNED", 2000), ("COLLECTED", -2000))
    ]


@pytest.mark.parametrize(("outcome", "status"), [("WON", "REWARDED"), ("LOST", "SIGNED_UP")])
def test_a_dispute_during_the_hold_stops_the_reward_until_it_is_closed(pair: Pair, outcome: str, status: str) -> None:
    session = pair.session()
    opened = dispute(pair.database, session)
    tell(pair.stack, session, "DisputeOpened")
    assert (pair.settle(DAY + HOLD), pair.credit) == ("QUALIFIED", (0, 0))
    close_dispute(pair.database, opened, outcome)
    tell(pair.stack, session, "DisputeClosed")
    assert pair.settle(2 * DAY + HOLD) == status


@pytest.mark.parametrize(
    ("kind", "outcome", "status"),
    [("CHARGEBACK", "WON", "REWARDED"), ("CHARGEBACK", "LOST", "REJECTED"), ("INQUIRY", "WARNING_CLOSED", "REWARDED")],
)
def test_only_a_lost_dispute_takes_a_reward_back(pair: Pair, kind: str, outcome: str, status: str) -> None:
    session = pair.session()
    assert pair.settle(DAY + HOLD) == "REWARDED"
    opened = dispute(pair.database, session, kind)
    assert pair.settle(DAY + HOLD) == "REWARDED"
    close_dispute(pair.database, opened, outcome)
    tell(pair.stack, session, "DisputeClosed")
    assert pair.status == status
    assert pair.credit == ((REWARD, REWARD) if status == "REWARDED" else (0, 0))


def test_a_session_on_account_counts_once_its_invoice_is_paid(pair: Pair) -> None:
    session = pair.session(paid=False)
    invoice = on_account(pair.database, session)
    advance(pair.stack, pair.since + 2 * DAY)
    assert pair.status == "SIGNED_UP"
    pair.database.execute(
        "update private.invoice set status = 'PAID', paid_at = %s where stripe_invoice_id = %s",
        [pair.since + 20 * DAY, invoice],
    )
    advance(pair.stack, pair.since + 21 * DAY)
    assert pair.status == "QUALIFIED"
    assert pair.settle(20 * DAY + HOLD - timedelta(seconds=1)) == "QUALIFIED"
    assert pair.settle(20 * DAY + HOLD) == "REWARDED"


def test_nobody_is_rewarded_while_either_is_suspended(pair: Pair) -> None:
    pair.session()
    suspend = "update user_account set status = %s where id = %s"
    pair.database.execute(suspend, ["SUSPENDED", pair.referrer.user_id])
    assert pair.settle(DAY + HOLD) == "QUALIFIED"
    pair.database.execute(suspend, ["ACTIVE", pair.referrer.user_id])
    assert pair.settle(DAY + HOLD) == "REWARDED"


def test_terms_that_change_later_change_nothing(pair: Pair) -> None:
    pair.session()
    kept = pair.database.execute("select value from private.setting where key = 'referrals'").fetchone()
    assert kept is not None
    dear = {**kept["value"], "rewards": {"USD": {"referrer": 1, "referee": 1, "minimumPaid": 99999}}}
    setting = "select private.set_setting('referrals', %s)"
    pair.database.execute(setting, [json.dumps(dear)])
    try:
        assert pair.settle(DAY + HOLD) == "REWARDED"
        assert pair.settle(2 * DAY + HOLD) == "REWARDED"
        other = Pair(pair.stack, pair.database, pair.coach)
        other.session()
        assert other.status == "SIGNED_UP"
    finally:
        pair.database.execute(setting, [json.dumps(kept["value"])])
    assert pair.credit == (REWARD, REWARD)


def test_a_referrer_earns_no_more_than_his_month_allows_also_at_once(
    stack: Stack, coach: SignedIn, database: Database
) -> None:
    referrer = stack.user()
    given = code_of(referrer)
    referrals, sessions = [], []
    ended = datetime(2031, 3, 10, tzinfo=UTC)
    for _ in range(12):
        referee = stack.user()
        referrals.append(redeem(referee, given).json()["data"]["id"])
        database.execute("update private.referral set expires_at = '2032-01-01' where id = %s", [referrals[-1]])
        sessions.append(held(database, coach.user_id, referee.user_id, ended))
        pay(database, sessions[-1])
        tell(stack, sessions[-1])

    def reward(referral: str, at: datetime = ended + HOLD) -> None:
        with stack.database() as own:
            own.execute("select private.settle_referral(%s, %s)", [referral, at])

    with ThreadPoolExecutor(11) as pool:
        list(pool.map(reward, referrals[:11]))
    rows = [state(database, referral) for referral in referrals]
    assert [row["status"] for row in rows] == ["REWARDED"] * 11 + ["QUALIFIED"]
    assert sorted(row["referrer_amount"] for row in rows[:11]) == [0] + [REWARD] * 10
    assert {row["referee_amount"] for row in rows} == {REWARD}
    assert credit(referrer) == {"USD": 10 * REWARD}
    capped = [each for each in referrer.get("/api/referrals").json()["data"] if each["capped"]]
    assert [each["reward"]["amount"] for each in capped] == [0]
    reward(referrals[11], datetime(2031, 4, 1, tzinfo=UTC))  # another month
    assert credit(referrer) == {"USD": 11 * REWARD}


def test_events_in_any_order_and_any_number_do_everything_once(pair: Pair) -> None:
    session = pair.session()
    for kind in ("PaymentCompleted", "SessionCompleted", "PaymentDeclined", "DisputeClosed") * 2:
        tell(pair.stack, session, kind)
    now = pair.since + DAY + HOLD
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: advance(pair.stack, now), range(4)))
    assert pair.credit == (REWARD, REWARD)
    for side in (pair.referrer, pair.referee):
        assert told(pair.database, pair.referral, side) == ["ReferralRedeemed", "ReferralQualified", "ReferralRewarded"]


@pytest.mark.parametrize("after", [False, True], ids=["before the step", "after the step"])
def test_killed_in_the_middle_and_told_again_it_does_everything_once(pair: Pair, after: bool) -> None:
    session = pair.session(paid=False)
    pay(pair.database, session)
    event = DomainEvent("0b7c1e0e-6f0f-4f4e-9d55-5a1c1f2f9a10", "PaymentCompleted", pair.since, {"sessionId": session})
    with pytest.raises(Killed):
        referral_jobs.settle(Mortal(pair.stack, 0, after=after), event)
    assert pair.status == ("QUALIFIED" if after else "SIGNED_UP")
    referral_jobs.settle(Mortal(pair.stack), event)
    assert pair.status == "QUALIFIED"
    with pytest.raises(Killed):
        referral_jobs.advance_referrals(Mortal(pair.stack, 0, after=after), pair.since + DAY + HOLD, batch=1)
    referral_jobs.advance_referrals(Mortal(pair.stack), pair.since + DAY + HOLD, batch=1)
    assert (pair.status, pair.credit) == ("REWARDED", (REWARD, REWARD))
    refund(pair.database, session, PRICE)
    with pytest.raises(Killed):
        referral_jobs.settle(Mortal(pair.stack, 0, after=after), event)
    referral_jobs.settle(Mortal(pair.stack), event)
    assert (pair.status, pair.credit) == ("REJECTED", (0, 0))


def test_an_event_of_something_else_is_passed_over(stack: Stack) -> None:
    event = DomainEvent("x", "PaymentFailed", datetime.now(UTC), {"userId": "x"})
    at_once = Mortal(stack, 0)
    referral_jobs.settle(at_once, event)
    with pytest.raises(Killed):  # only now: it has written nothing before
        at_once.write("settle_referrals")
