"""Referrals over the whole stack: Stripe's simulator, its webhooks, the bus and the consumer."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.support.paid_sessions import at_stack
from tests.support.referrals import HOLD, REWARD, advance, brought, credit, held, state, tell
from tests.support.stack import SignedIn, Stack
from tests.support.story import published_coach

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Qualified:
    """A referral whose session was charged at Stripe, and when its hold is over."""

    referrer: SignedIn
    referee: SignedIn
    referral_id: str
    payment_id: str
    due: datetime


def qualified(stack: Stack, card: str = "pm_card_visa") -> Qualified:
    coach, referrer, referee = published_coach(stack), stack.user(), stack.user()
    referral_id, ended = brought(referrer, referee), datetime.now(UTC) + DAY
    with stack.database() as database:
        session = held(database, coach.user_id, referee.user_id, ended)
        payment = at_stack(stack, database).pay(session, coach.user_id, referee.user_id, card=card)
    tell(stack, session)
    stack.drain()
    return Qualified(referrer, referee, referral_id, payment["id"], ended + HOLD)


def status(stack: Stack, it: Qualified) -> str:
    with stack.database() as database:
        return str(state(database, it.referral_id)["status"])


def test_a_refund_at_stripe_takes_both_rewards_back(stack: Stack) -> None:
    it, admin = qualified(stack), stack.user("ADMIN")
    advance(stack, it.due)
    assert credit(it.referrer) == credit(it.referee) == {"USD": REWARD}
    everything = {"reason": "GOODWILL", "note": "The sound failed."}
    part = {**everything, "amount": {"amount": 1000, "currency": "USD"}}
    for body, kept in ((part, REWARD), (everything, 0)):
        given = admin.post(f"/api/payments/{it.payment_id}/refunds", body, key=f"{it.payment_id}-{kept}")
        assert given.status_code == 201, given.text
        stack.drain()
        assert credit(it.referrer) == credit(it.referee) == {"USD": kept}
    assert status(stack, it) == "REJECTED"
    stack.drain()
    for user in (it.referrer, it.referee):
        told = [each["type"] for each in user.get("/api/notifications").json()["data"]]
        assert {"referral_rewarded", "referral_clawed_back"} <= set(told)


def test_a_chargeback_stops_the_reward(stack: Stack) -> None:
    it = qualified(stack, "pm_card_createDispute")
    with stack.database() as database:
        open_ones = database.execute(
            "select kind::text from private.dispute where payment_id = %s and closed_at is null", [it.payment_id]
        ).fetchall()
    assert [row["kind"] for row in open_ones] == ["CHARGEBACK"]
    advance(stack, it.due)
    assert (status(stack, it), credit(it.referrer)) == ("QUALIFIED", {})
