"""Referrals: codes, paid sessions made by SQL past every wall, and what becomes of them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from psycopg.rows import DictRow

from tests.support.notifications import brought as message
from tests.support.sessions import insert_session
from tests.support.stack import SignedIn, Stack
from tests.support.story import iso

Database = psycopg.Connection[DictRow]
ALPHABET = "23456789CFGHJMPQRVWX"
HOLD = timedelta(days=14)
REWARD = 2500

PAYMENT = """
    insert into private.payment (
      session_id, mentee_id, coach_id, status, amount, credit_amount, charge_amount, currency, fee_amount,
      application_fee_amount, top_up_amount, paid_amount, paid_at)
    select s.id, s.mentee_id, s.coach_id, 'COMPLETED', s.price_amount, %(credit)s, s.price_amount - %(credit)s,
           s.currency, s.fee_amount, greatest(s.fee_amount - %(credit)s, 0), greatest(%(credit)s - s.fee_amount, 0),
           s.price_amount - %(credit)s, s.completed_at
    from session s where s.id = %(session)s returning id::text as id"""

DISPUTE = """
    insert into private.dispute (
      payment_id, stripe_dispute_id, stripe_charge_id, kind, status, reason, amount, currency, opened_at)
    select p.id, 'du_' || gen_random_uuid(), 'ch_' || gen_random_uuid(), %s, 'NEEDS_RESPONSE', 'fraudulent',
           p.paid_amount, p.currency, now()
    from private.payment p where p.session_id = %s returning id::text as id"""


def code_of(user: SignedIn) -> str:
    """The user's new code."""
    answer = user.post("/api/referrals/code")
    assert answer.status_code == 201, answer.text
    code: str = answer.json()["data"]["code"]
    return code


def redeem(user: SignedIn, code: str, *, key: str | None = None) -> httpx.Response:
    return user.post("/api/referrals/redeem", {"code": code}, key=key)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """An answer's status, and the code of its problem if it is one."""
    return answer.status_code, answer.json().get("code", "")


def brought(referrer: SignedIn, referee: SignedIn) -> str:
    """The id of a referral between the two."""
    answer = redeem(referee, code_of(referrer))
    assert answer.status_code == 201, answer.text
    referral_id: str = answer.json()["data"]["id"]
    return referral_id


def held(database: Database, coach_id: str, mentee_id: str, ended: datetime) -> str:
    """A session that was completed at its end, and not paid for yet."""
    session_id = insert_session(database, coach_id, mentee_id, ended - timedelta(hours=1), status="COMPLETED")
    database.execute("update session set completed_at = ends_at where id = %s", [session_id])
    return session_id


def pay(database: Database, session_id: str, *, credit: int = 0) -> None:
    """Pays it when it was completed, with this much of credit and the rest in money."""
    database.execute(PAYMENT, {"session": session_id, "credit": credit})


def on_account(database: Database, session_id: str) -> str:
    """Puts it on an invoice that is open, and answers what Stripe calls that."""
    invoice = f"in_{uuid4().hex}"
    database.execute(
        """with v as (
             insert into private.invoice (user_id, stripe_invoice_id, status, currency, subtotal, total, amount_due,
               amount_paid, amount_remaining, period_start, period_end, created_at)
             select s.mentee_id, %(invoice)s, 'OPEN', s.currency, s.price_amount, s.price_amount, s.price_amount, 0,
                    s.price_amount, s.starts_at, s.ends_at, s.ends_at from session s where s.id = %(session)s
             returning id, total, period_start, period_end),
           l as (
             insert into private.invoice_line (invoice_id, position, amount, period_start, period_end)
             select v.id, 1, v.total, v.period_start, v.period_end from v),
           i as (
             insert into private.session_invoice (
               mentee_id, coach_id, currency, month, total, fee, stripe_invoice_id, sent_at)
             select s.mentee_id, s.coach_id, s.currency, date_trunc('month', s.ends_at), s.price_amount, s.fee_amount,
                    %(invoice)s, s.ends_at from session s where s.id = %(session)s returning id)
           insert into private.session_on_account (
             session_id, mentee_id, coach_id, currency, amount, fee, session_invoice_id, settled_at)
           select s.id, s.mentee_id, s.coach_id, s.currency, s.price_amount, s.fee_amount, i.id, s.ends_at
           from session s, i where s.id = %(session)s""",
        {"invoice": invoice, "session": session_id},
    )
    return invoice


def past_referral(database: Database, referrer_id: str, session_id: str, moment: datetime, status: str) -> None:
    """The one of who took the session: REWARDED at that moment, REJECTED a day after that, or EXPIRED without it."""
    database.execute(
        """with code as (
             insert into private.referral_code (code, user_id, retired_at)
             values (private.random_code(), %(who)s, %(at)s) returning code)
           insert into private.referral (
             referrer_id, referee_id, code, status, redeemed_at, expires_at, session_id, currency, referrer_amount,
             referee_amount, minimum_paid, hold_until, rewarded_at, rejection, ended_at)
           select %(who)s, s.mentee_id, code.code, o.status, s.starts_at, %(at)s, s.id, s.currency, 0, 0, 1, %(at)s,
             case when o.status <> 'EXPIRED' then %(at)s end,
             case when o.status = 'REJECTED' then 'REFUNDED'::public.referral_rejection end,
             case when o.status <> 'REWARDED' then %(at)s + interval '1 day' end
           from session s, code, (select %(status)s::public.referral_status) o (status) where s.id = %(session)s""",
        {"who": referrer_id, "session": session_id, "at": moment, "status": status},
    )


def refund(database: Database, session_id: str, amount: int) -> None:
    database.execute(
        """update private.payment set refunded_amount = refunded_amount + %(amount)s,
             status = (case when refunded_amount + %(amount)s = paid_amount then 'REFUNDED'
                       else 'PARTIALLY_REFUNDED' end)::payment_status
           where session_id = %(session)s""",
        {"amount": amount, "session": session_id},
    )


def dispute(database: Database, session_id: str, kind: str = "CHARGEBACK") -> str:
    made = database.execute(DISPUTE, [kind, session_id]).fetchone()
    assert made is not None
    dispute_id: str = made["id"]
    return dispute_id


def close_dispute(database: Database, dispute_id: str, status: str) -> None:
    database.execute("update private.dispute set status = %s, closed_at = now() where id = %s", [status, dispute_id])


def tell(stack: Stack, session_id: str, kind: str = "SessionCompleted") -> None:
    """Bring the consumer an event about a session."""
    event = message(str(uuid4()), kind, {"sessionId": session_id})
    answer = stack.http.post("/_dev/invoke/referral_events", json=event).json()
    assert answer["result"]["batchItemFailures"] == [], answer


def advance(stack: Stack, now: datetime) -> dict[str, int]:
    """Run the job as of that moment."""
    answer = stack.http.post("/_dev/invoke/advance_referrals", json={"time": iso(now)}).json()
    assert answer.get("result", {}).get("failed") == 0, answer
    counts: dict[str, int] = answer["result"]
    return counts


def state(database: Database, referral_id: str) -> DictRow:
    row = database.execute("select * from private.referral where id = %s", [referral_id]).fetchone()
    assert row is not None
    return row


def credit(user: SignedIn) -> dict[str, int]:
    """What there is of each currency."""
    answer = user.get("/api/referrals/rewards")
    assert answer.status_code == 200, answer.text
    return {each["currency"]: each["amount"] for each in answer.json()["balances"]}


def told(database: Database, referral_id: str, user: SignedIn | None = None) -> list[str]:
    """The events of a referral, or what one side was told."""
    rows = database.execute(
        """select type from private.outbox_event where payload ->> 'referralId' = %s
           and (%s::text is null or payload ->> 'userId' = %s) order by sequence""",
        [referral_id, user and user.user_id, user and user.user_id],
    ).fetchall()
    return [row["type"] for row in rows]


def waiting(stack: Stack, referrer: SignedIn) -> str:
    """The id of a referral that waits for a decision, at version 2."""
    referral_id = brought(referrer, stack.user())
    with stack.database() as database:
        database.execute(
            "update private.referral set flags = '{SAME_PHONE}', review = 'PENDING' where id = %s", [referral_id]
        )
    return referral_id


def writes(world: Any) -> list[tuple[str, str, SignedIn, dict[str, Any]]]:
    """The write routes of referrals, ready to succeed, for tests/support/hostile.py."""
    return [
        ("POST", "/api/referrals/code", world.coach, {}),
        ("POST", "/api/referrals/redeem", world.newcomer, {"code": world.referral_code}),
        (
            "POST",
            "/api/admin/referrals/{id}/review",
            world.admin,
            {"decision": "APPROVED", "reason": "Two colleagues", "version": 2},
        ),
    ]
