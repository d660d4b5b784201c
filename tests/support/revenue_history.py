"""Payments, invoices, refunds and disputes at random, put into the database; and what they add up to, by hand."""

import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.rows import DictRow

from tests.support.sessions import insert_session
from tests.support.stack import SignedIn, Stack
from tests.support.story import PROFILE

BEGIN = datetime(2034, 1, 1, tzinfo=UTC)  # a Sunday
END = BEGIN + timedelta(days=90)


@dataclass(frozen=True)
class Entry:
    """One thing that happened, as it was put into the database."""

    at: datetime
    coach: str | None
    currency: str
    figures: dict[str, int]
    sessions: int = 0


@dataclass(frozen=True)
class Paid:
    """A payment that may be refunded or disputed."""

    payment: Any
    coach: SignedIn | None
    currency: str
    money: int
    credit: int
    fee: int
    at: datetime


class History:
    """Payments, invoices, refunds and disputes at random, of two coaches, in two currencies."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - repeatable
        self.coaches = [stack.user("COACH"), stack.user("COACH")]
        for coach in self.coaches:
            assert coach.post("/api/coach/profile", PROFILE).status_code == 201
        self.mentee = stack.user()
        self.entries: list[Entry] = []
        self.hours = 0

    def write(self, database: psycopg.Connection[DictRow], count: int) -> None:
        for _ in range(count):
            what = self.chance.choice([self.payment, self.payment, self.payment, self.invoice, self.subscription])
            with database.transaction():
                what(database)

    def moment(self) -> datetime:
        """Some of them lie before and behind what is asked for, and one on each end of it."""
        edge = {0: BEGIN, 1: END, 2: BEGIN - timedelta(microseconds=1)}.get(self.chance.randrange(30))
        return edge or BEGIN + timedelta(hours=self.chance.randrange(-200, 92 * 24))

    def add(self, at: datetime, coach: SignedIn | None, currency: str, sessions: int = 0, **figures: int) -> None:
        self.entries.append(Entry(at, coach.user_id if coach else None, currency, figures, sessions))

    def session(self, database: psycopg.Connection[DictRow], coach: SignedIn, at: datetime) -> str:
        return insert_session(database, coach.user_id, self.mentee.user_id, at, status="COMPLETED")

    def payment(self, database: psycopg.Connection[DictRow]) -> None:
        coach, at = self.chance.choice(self.coaches), self.moment()
        currency, amount = self.chance.choice(("USD", "EUR")), self.chance.randrange(5000, 40_000)
        fee, credit = amount * 85 // 1000, self.chance.choice((0, 0, self.chance.randrange(amount)))
        [row] = database.execute(
            """insert into private.payment (
                 session_id, mentee_id, coach_id, status, amount, credit_amount, charge_amount, currency, fee_amount,
                 application_fee_amount, top_up_amount, paid_amount, paid_at)
               values (
                 %(session)s, %(mentee)s, %(coach)s, 'COMPLETED', %(amount)s, %(credit)s, %(charge)s, %(currency)s,
                 %(fee)s,
                 greatest(%(fee)s - %(credit)s, 0), greatest(%(credit)s - %(fee)s, 0), %(charge)s, %(at)s)
               returning id""",
            {
                "session": self.session(database, coach, at),
                "mentee": self.mentee.user_id,
                "coach": coach.user_id,
                "amount": amount,
                "credit": credit,
                "charge": amount - credit,
                "currency": currency,
                "fee": fee,
                "at": at,
            },
        ).fetchall()
        self.add(at, coach, currency, 1, gross=amount - credit, credits=credit, fees=fee)
        paid = Paid(row["id"], coach, currency, amount - credit, credit, fee, at)
        what = self.chance.random()
        if what < 0.4:
            self.refund(database, paid)
        elif what < 0.6:
            self.dispute(database, paid)

    def refund(self, database: psycopg.Connection[DictRow], paid: Paid) -> None:
        later = paid.at + timedelta(days=self.chance.randrange(40))
        status = self.chance.choice(("SUCCEEDED", "SUCCEEDED", "FAILED", "PENDING"))
        amount, kept = paid.money // 2, paid.fee // 2
        succeeded = later if status == "SUCCEEDED" else None
        database.execute(
            """insert into private.refund (payment_id, status, reason, initiator, amount, credit_amount, currency,
                 fee_reversed_amount, succeeded_at)
               values (%s, %s, 'GOODWILL', 'ADMIN', %s, %s, %s, %s, %s)""",
            [paid.payment, status, amount, paid.credit, paid.currency, kept, succeeded],
        )
        if succeeded:
            self.add(later, paid.coach, paid.currency, refunds=amount, feesRefunded=kept, credits=-paid.credit)

    def dispute(self, database: psycopg.Connection[DictRow], paid: Paid, charge: str | None = None) -> None:
        """Of a payment, or of an invoice that was paid with that charge."""
        outcomes = (("INQUIRY", "WARNING_CLOSED"), ("CHARGEBACK", "LOST"), ("CHARGEBACK", "WON"))
        kind, status = self.chance.choice(outcomes)
        opened, closed = paid.at + timedelta(days=10), paid.at + timedelta(days=30)
        name = uuid4().hex
        database.execute(
            """insert into private.dispute (
                 payment_id, stripe_dispute_id, stripe_charge_id, kind, status, reason, amount, currency, opened_at,
                 closed_at)
               values (%s, %s, %s, %s, %s, 'fraudulent', %s, %s, %s, %s)""",
            [
                None if charge else paid.payment,
                f"dp_{name}",
                charge or f"ch_{name}",
                kind,
                status,
                paid.money,
                paid.currency,
                opened,
                closed,
            ],
        )
        if kind == "CHARGEBACK":
            self.add(opened, paid.coach, paid.currency, disputes=paid.money)
        if status == "WON":
            self.add(closed, paid.coach, paid.currency, disputes=-paid.money)

    def stripe_invoice(
        self, database: psycopg.Connection[DictRow], amount: int, currency: str, at: datetime, of: Any = None
    ) -> Any:
        """Its id."""
        [row] = database.execute(
            """insert into private.invoice (user_id, stripe_invoice_id, status, currency, subtotal, total, amount_due,
                 amount_paid, amount_remaining, period_start, period_end, paid_at, created_at, session_invoice_id)
               values (%(user)s, %(name)s, 'PAID', %(currency)s, %(amount)s, %(amount)s, %(amount)s, %(amount)s, 0,
                       %(at)s, %(at)s, %(at)s, %(at)s, %(of)s) returning id""",
            {
                "user": self.mentee.user_id,
                "name": f"in_{uuid4().hex}",
                "currency": currency,
                "amount": amount,
                "at": at,
                "of": of,
            },
        ).fetchall()
        database.execute(
            """insert into private.invoice_line (invoice_id, position, amount, period_start, period_end)
               values (%s, 1, %s, %s, %s)""",
            [row["id"], amount, at, at],
        )
        return row["id"]

    def back(self, database: psycopg.Connection[DictRow], paid: Paid) -> None:
        """What becomes of the charge of an invoice, which is `paid.payment`; of a subscription's without a coach."""
        charge, later = f"ch_{uuid4().hex}", paid.at + timedelta(days=self.chance.randrange(40))
        moved = """insert into private.money_movement (kind, amount, currency, stripe_id, invoice_id, occurred_at)
                   values (%s, %s, %s, %s, %s, %s)"""
        database.execute(moved, ["CHARGE", paid.money, paid.currency, charge, paid.payment, paid.at])
        what, part, kept = self.chance.random(), paid.money // 3, paid.fee // 3
        coach = paid.coach
        if what < 0.5:
            database.execute(moved, ["REFUND", -part, paid.currency, f"re_{uuid4().hex}", paid.payment, later])
            self.add(later, coach, paid.currency, refunds=part, feesRefunded=0 if coach else part)
            if coach:
                database.execute(
                    moved, ["FEE_REVERSAL", -kept, paid.currency, f"fr_{uuid4().hex}", paid.payment, later]
                )
                self.add(later, coach, paid.currency, feesRefunded=kept)
        if what < 0.2:
            failed = later + timedelta(days=3)
            database.execute(moved, ["REFUND_FAILURE", part, paid.currency, f"re_{uuid4().hex}", paid.payment, failed])
            self.add(failed, coach, paid.currency, refunds=-part, feesRefunded=0 if coach else -part)
        elif what > 0.7:
            self.dispute(database, paid, charge)

    def subscription(self, database: psycopg.Connection[DictRow]) -> None:
        amount, currency, at = self.chance.randrange(500, 10_000), self.chance.choice(("USD", "EUR")), self.moment()
        invoice = self.stripe_invoice(database, amount, currency, at)
        self.add(at, None, currency, gross=amount, fees=amount)
        self.back(database, Paid(invoice, None, currency, amount, 0, amount, at))

    def invoice(self, database: psycopg.Connection[DictRow]) -> None:
        """A month's sessions of the mentee with a coach; each month is its own, so that none is there twice."""
        coach, at, currency = self.chance.choice(self.coaches), self.moment(), self.chance.choice(("USD", "EUR"))
        amounts = [self.chance.randrange(5000, 9000) for _ in range(self.chance.randint(1, 3))]
        self.hours += 1
        [row] = database.execute(
            """insert into private.session_invoice (mentee_id, coach_id, currency, month, total, fee)
               values (%s, %s, %s, date '2000-01-01' + make_interval(months => %s), %s, %s) returning id""",
            [self.mentee.user_id, coach.user_id, currency, self.hours, sum(amounts), len(amounts) * 100],
        ).fetchall()
        shared = [self.mentee.user_id, coach.user_id, currency]
        for amount in amounts:
            database.execute(
                """insert into private.session_on_account (session_id, mentee_id, coach_id, currency, amount, fee,
                     session_invoice_id, settled_at) values (%s, %s, %s, %s, %s, 100, %s, %s)""",
                [self.session(database, coach, at), *shared, amount, row["id"], at],
            )
        total, fee = sum(amounts), len(amounts) * 100
        invoice = self.stripe_invoice(database, total, currency, at, row["id"])
        self.add(at, coach, currency, len(amounts), gross=total, fees=fee)
        self.back(database, Paid(invoice, coach, currency, total, 0, fee, at))

    def recount(self, period: Any) -> dict[tuple[Any, str | None, str], Counter[str]]:
        """By period, coach and currency, one entry after another."""
        found: defaultdict[tuple[Any, str | None, str], Counter[str]] = defaultdict(Counter)
        for entry in self.entries:
            if BEGIN <= entry.at < END:
                counter = found[period(entry.at), entry.coach, entry.currency]
                counter.update(entry.figures)
                counter["sessions"] += entry.sessions
        for counter in found.values():
            counter["coachShare"] = counter["gross"] + counter["credits"] - counter["fees"]
        return dict(found)
