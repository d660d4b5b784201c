"""Sessions that were paid: a charge on a coach's account at the simulated Stripe, and our rows of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import stripe
from psycopg.rows import DictRow

from tests.support import billing
from tests.support.sessions import insert_session
from tests.support.stack import SignedIn, Stack
from tests.support.stripe_world import World

_PAYMENT = """
    insert into private.payment (
      id, session_id, mentee_id, coach_id, status, amount, credit_amount, charge_amount, currency, fee_amount,
      application_fee_amount, top_up_amount, paid_amount, paid_at, stripe_account_id, stripe_payment_intent_id,
      stripe_charge_id, stripe_transfer_id, stripe_top_up_id, created_at)
    values (
      %(id)s, %(session)s, %(mentee)s, %(coach)s, 'COMPLETED', %(amount)s, %(credit)s, %(charged)s, 'USD', %(fee)s,
      %(application_fee)s, %(top_up)s, %(charged)s, %(now)s, %(account)s, %(intent)s,
      %(charge)s, %(transfer)s, %(top_up_id)s, %(now)s)"""


@dataclass(frozen=True)
class Paid:
    """A session of 150 dollars in ten days, and what was paid for it."""

    world: World
    coach: SignedIn
    mentee: SignedIn
    session_id: str
    payment_id: str
    account: str
    intent: str
    charge: str

    def row(self) -> dict[str, Any]:
        [row] = self.world.rows("select * from private.payment where id = %s", self.payment_id)
        return row

    def refunds(self) -> list[dict[str, Any]]:
        query = "select * from private.refund where payment_id = %s order by created_at, id"
        return self.world.rows(query, self.payment_id)

    def disputes(self) -> list[dict[str, Any]]:
        query = "select * from private.dispute where payment_id = %s order by opened_at"
        return self.world.rows(query, self.payment_id)

    def events(self, *types: str) -> list[dict[str, Any]]:
        """What was told of it on the bus."""
        rows = self.world.rows(
            """select type, payload from private.outbox_event
               where payload ->> 'paymentId' = %s order by occurred_at, id""",
            self.payment_id,
        )
        return [row for row in rows if row["type"] in types]

    def credit(self) -> int:
        """What the mentee has on his account."""
        [row] = self.world.rows("select balance from credit_account where user_id = %s", self.mentee.user_id)
        return int(row["balance"])

    def fee(self) -> str | None:
        """Stripe's application fee of the charge."""
        [charge] = [row for row in self.world.objects("charge") if row["id"] == self.charge]
        name: str | None = charge["application_fee"]
        return name

    def theirs(self, kind: str) -> list[dict[str, Any]]:
        """Stripe's objects of the charge."""
        return [row for row in self.world.objects(kind) if row.get("charge") == self.charge]


def paid(world: World, *, credit: int = 0, card: str = "pm_card_visa", days: float = 10) -> Paid:
    """Somebody has paid a session, `credit` of the price with account credit."""
    coach, mentee, now = world.stack.user("COACH"), world.stack.user(), world.stripe.clock.now()
    with world.stack.database() as database:
        database.execute("insert into coach_profile (user_id) values (%s)", [coach.user_id])
        start = now + timedelta(days=days)
        session = insert_session(database, coach.user_id, mentee.user_id, start, created=now)
        payer = Payer(world.stripe.client, world.stripe.control, database, now)
        row = payer.pay(session, coach.user_id, mentee.user_id, credit=credit, card=card)
    return Paid(world, coach, mentee, session, row["id"], row["account"], row["intent"], row["charge"])


@dataclass(frozen=True)
class Payer:
    """Pays sessions of 150 dollars at the simulated Stripe."""

    client: stripe.StripeClient
    control: Callable[..., Any]
    database: psycopg.Connection[DictRow]
    now: datetime

    def pay(self, session: str, coach: str, mentee: str, *, credit: int = 0, card: str = "pm_card_visa") -> Any:
        """Our row of the payment, and Stripe's names."""
        amount, fee = 15_000, 1_275
        charged, application_fee, top_up = amount - credit, max(fee - credit, 0), max(credit - fee, 0)
        account = self._account(coach)
        intent, charge = self._charged(charged, application_fee, account, card) if charged else (None, None)
        values: dict[str, Any] = {
            "id": str(uuid4()),
            "session": session,
            "mentee": mentee,
            "coach": coach,
            "amount": amount,
            "credit": credit,
            "charged": charged,
            "fee": fee,
            "application_fee": application_fee,
            "top_up": top_up,
            "account": account,
            "intent": intent,
            "charge": charge and charge.id,
            "transfer": charge and str(charge.transfer),
            "top_up_id": None,
            "now": self.now,
        }
        if top_up:
            more: Any = {"amount": top_up, "currency": "usd", "destination": account}
            values["top_up_id"] = self.client.v1.transfers.create(more).id
        if credit:
            self.database.execute("select private.grant_credit(%s, 'USD', %s, 'gift')", [mentee, credit])
            self.database.execute("select private.take_credit(%s, 'USD', %s, %s)", [mentee, credit, session])
        self.database.execute(_PAYMENT, values)
        return values

    def _account(self, coach: str) -> str:
        asked: Any = {"type": "express", "capabilities": {"transfers": {"requested": True}}}
        account = self.client.v1.accounts.create(asked).id
        self.control(onboard={"id": account, "ready": True})
        self.database.execute(
            """insert into private.coach_account (coach_id, stripe_account_id, transfers_active) values (%s, %s, true)
               on conflict do nothing""",
            [coach, account],
        )
        return account

    def _charged(self, amount: int, fee: int, account: str, card: str) -> tuple[str, stripe.Charge]:
        asked: Any = {"amount": amount, "currency": "usd", "payment_method": card, "confirm": True}
        asked |= {"transfer_data": {"destination": account}} | ({"application_fee_amount": fee} if fee else {})
        intent = self.client.v1.payment_intents.create(asked)
        return intent.id, self.client.v1.charges.retrieve(str(intent.latest_charge))


def at_stack(stack: Stack, database: psycopg.Connection[DictRow]) -> Payer:
    """At the Stripe of a whole stack."""

    def control(**options: Any) -> None:
        stack.http.post("/_sim/stripe/_control", json=options).raise_for_status()

    return Payer(billing.client(stack), control, database, datetime.now(UTC))
