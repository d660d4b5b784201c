"""GET /api/reports/revenue against a recount by another hand, over random histories put into the database."""

import csv
import io
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.integration.payments.test_jobs import run
from tests.support.sessions import insert_session
from tests.support.stack import SignedIn, Stack
from tests.support.story import PROFILE, iso

BEGIN = datetime(2034, 1, 1, tzinfo=UTC)  # a Sunday
END = BEGIN + timedelta(days=90)
FIGURES = ("gross", "credits", "fees", "refunds", "feesRefunded", "disputes")


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
    coach: SignedIn
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

    def dispute(self, database: psycopg.Connection[DictRow], paid: Paid) -> None:
        outcomes = (("INQUIRY", "WARNING_CLOSED"), ("CHARGEBACK", "LOST"), ("CHARGEBACK", "WON"))
        kind, status = self.chance.choice(outcomes)
        opened, closed = paid.at + timedelta(days=10), paid.at + timedelta(days=30)
        name = uuid4().hex
        database.execute(
            """insert into private.dispute (
                 payment_id, stripe_dispute_id, stripe_charge_id, kind, status, reason, amount, currency, opened_at,
                 closed_at)
               values (%s, %s, %s, %s, %s, 'fraudulent', %s, %s, %s, %s)""",
            [paid.payment, f"dp_{name}", f"ch_{name}", kind, status, paid.money, paid.currency, opened, closed],
        )
        if kind == "CHARGEBACK":
            self.add(opened, paid.coach, paid.currency, disputes=paid.money)
        if status == "WON":
            self.add(closed, paid.coach, paid.currency, disputes=-paid.money)

    def stripe_invoice(
        self, database: psycopg.Connection[DictRow], amount: int, currency: str, at: datetime, of: Any = None
    ) -> None:
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

    def subscription(self, database: psycopg.Connection[DictRow]) -> None:
        amount, currency, at = self.chance.randrange(500, 10_000), self.chance.choice(("USD", "EUR")), self.moment()
        self.stripe_invoice(database, amount, currency, at)
        self.add(at, None, currency, gross=amount, fees=amount)

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
        self.stripe_invoice(database, sum(amounts), currency, at, row["id"])
        self.add(at, coach, currency, len(amounts), gross=sum(amounts), fees=len(amounts) * 100)

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


def month(at: datetime) -> datetime:
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def day(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def week(at: datetime) -> datetime:
    return max(BEGIN, day(at) - timedelta(days=at.weekday()))


PERIODS = {"total": lambda _: BEGIN, "day": day, "week": week, "month": month}


def asked(who: SignedIn, **more: Any) -> Any:
    return who.get("/api/reports/revenue", params={"from": iso(BEGIN), "to": iso(END), **more})


def figures(row: dict[str, Any]) -> Counter[str]:
    found = Counter({name: row[name]["amount"] for name in (*FIGURES, "coachShare")})
    assert {row[name]["currency"] for name in FIGURES} == {row["currency"]}
    found["sessions"] = row["sessions"]
    return found


@pytest.fixture(scope="module")
def history(stack: Stack) -> History:
    made = History(stack, seed=7)
    with stack.database() as database:
        made.write(database, 150)
    return made


@pytest.mark.parametrize("interval", PERIODS)
def test_every_figure_is_what_the_rows_say(stack: Stack, history: History, interval: str) -> None:
    report = asked(stack.user("ADMIN"), interval=interval).json()["data"]
    rows = {(row["periodStart"], row["coachId"], row["currency"]): figures(row) for row in report["rows"]}
    wanted = {
        (iso(p), coach, currency): each for (p, coach, currency), each in history.recount(PERIODS[interval]).items()
    }
    assert len(rows) == len(report["rows"])
    assert rows == wanted
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (_, _, currency), each in wanted.items():
        for name, amount in each.items():
            sums[currency][name] += amount
    assert {row["currency"]: figures(row) for row in report["totals"]} == dict(sums)


def test_a_coach_sees_his_own_and_no_other(stack: Stack, history: History) -> None:
    mine, other = history.coaches
    report = asked(mine).json()["data"]
    wanted = {key[2]: each for key, each in history.recount(PERIODS["total"]).items() if key[1] == mine.user_id}
    assert {row["coachId"] for row in report["rows"]} == {mine.user_id}
    assert {row["currency"]: figures(row) for row in report["rows"]} == wanted
    assert {row["currency"]: figures(row) for row in report["totals"]} == wanted
    assert asked(mine, coachId=other.user_id).status_code == 404
    assert asked(mine, coachId=mine.user_id).json()["data"] == report
    assert asked(history.mentee).status_code == 403
    chosen = asked(stack.user("ADMIN"), coachId=mine.user_id, currency="EUR").json()["data"]
    assert [figures(row) for row in chosen["rows"]] == [wanted["EUR"]]


def test_as_csv(stack: Stack, history: History) -> None:
    admin = stack.user("ADMIN")
    answer = asked(admin, format="csv", interval="month")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    wanted = asked(admin, interval="month").json()["data"]["rows"]
    of_rows = [(r["coachId"], r["currency"], r["gross"], r["coachShare"], r["disputes"]) for r in rows]
    assert of_rows == [
        (r["coachId"] or "", r["currency"], *(str(r[name]["amount"]) for name in ("gross", "coachShare", "disputes")))
        for r in wanted
    ]
    assert len(of_rows) > len(history.coaches)


def test_snapshots_of_days_are_the_report_by_day(stack: Stack, history: History) -> None:
    last = END - timedelta(days=1)
    with stack.database() as database:
        database.execute("select set_config('request.jwt.claims', '{\"role\": \"service_role\"}', false)")
        for _ in range(2):  # taken again, it is the same
            database.execute("select public.take_revenue_snapshot(%s, %s)", [BEGIN.date(), last.date()])
        rows = database.execute(
            "select * from private.revenue_snapshot where day between %s and %s", [BEGIN.date(), last.date()]
        ).fetchall()
    names = {name: name for name in ("gross", "credits", "fees", "refunds", "disputes", "sessions")}
    names["fees_refunded"] = "feesRefunded"
    taken = {}
    for row in rows:
        at, coach = datetime.combine(row["day"], time(), UTC), row["coach_id"] and str(row["coach_id"])
        taken[at, coach, row["currency"]] = {name: row[column] for column, name in names.items()}
    recount = history.recount(day)
    assert taken == {key: {name: each[name] for name in names.values()} for key, each in recount.items()}


def test_the_nightly_job_takes_the_last_week(stack: Stack) -> None:
    assert "revenueRows" in run(stack, "close_billing_day")


@pytest.mark.parametrize(
    "more",
    [
        {"interval": "year"},
        {"coachId": "x"},
        {"currency": "usd"},
        {"to": iso(BEGIN)},
        {"to": iso(BEGIN + timedelta(days=367))},
    ],
)
def test_what_cannot_be_reported(stack: Stack, more: dict[str, Any]) -> None:
    assert asked(stack.user("ADMIN"), **more).status_code == 422
