"""Sessions on account of many people, made by SQL; and what has to become of them, computed the slow way."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import uuid4

import psycopg

from tests.support.stripe_world import World

MONTH = date(2027, 3, 1)
PER_INVOICE, COACHES_EACH = 10, 4
ENDS = (  # of ten sessions: status, refunded percent, who was absent or cancelled
    *[("COMPLETED", None, None)] * 5,
    ("CANCELLED", 0, "MENTEE"),
    ("CANCELLED", 100, "COACH"),
    ("CANCELLED", 50, "ADMIN"),
    ("NO_SHOW", 0, "MENTEE"),
    ("NO_SHOW", 100, "COACH"),
)
PERSON = """
    insert into user_account (id, clerk_id, email, first_name, last_name, payment_terms)
    values (%(id)s::uuid, %(id)s::text, %(email)s, %(name)s, 'Bulk', %(terms)s)"""
SESSION = """
    insert into session (
      coach_id, mentee_id, status, starts_at, ends_at, duration_minutes, buffer_before, buffer_after, blocked,
      coach_timezone, mentee_timezone, rate_amount, price_amount, fee_amount, fee_bps, currency,
      refund_percent, refund_amount, cancelled_at, cancelled_by, no_show_by, created_at)
    select
      %(coach)s, %(mentee)s, s.status, t.at, t.at + interval '1 hour', 60, 0, 0,
      tstzrange(t.at, t.at + interval '1 hour'), 'UTC', 'America/Chicago',
      %(price)s, %(price)s, private.fee_of(%(price)s, 850, %(currency)s), 850, %(currency)s, %(percent)s::integer,
      private.half_up(%(price)s::bigint * %(percent)s::integer, 100, private.step_of(%(currency)s)),
      case when s.status = 'CANCELLED' then t.at - interval '2 hours' end,
      case when s.status = 'CANCELLED' then %(by)s::session_actor end,
      case when s.status = 'NO_SHOW' then %(by)s::session_actor end, t.at - interval '9 days'
    from (select %(status)s::session_status as status) s, (select %(start)s::timestamptz as at) t"""


@dataclass
class Invoice:
    """What an invoice is of: minor units by session, and the platform's share of them."""

    sessions: dict[str, int] = field(default_factory=dict)
    fee: int = 0

    @property
    def total(self) -> int:
        return sum(self.sessions.values())


Key = tuple[str, str, str]  # mentee, coach, currency


def coach_who_is_paid(world: World, connection: psycopg.Connection[Any], coach: str) -> str:
    """An account at Stripe that can receive transfers; its id."""
    asked: Any = {
        "type": "express",
        "capabilities": {"transfers": {"requested": True}},
        "metadata": {"coach_id": coach},
    }
    account = world.stripe.client.v1.accounts.create(asked).id
    world.stripe.control(onboard={"id": account, "ready": True})
    connection.execute(
        """insert into private.coach_account (coach_id, stripe_account_id, transfers_active, payouts_enabled)
           values (%s, %s, true, true)""",
        [coach, account],
    )
    return account


def fill(world: World, sessions: int, *, seed: int = 1, month: date = MONTH) -> None:
    """`sessions` that were held, missed or cancelled in a month: ten of each mentee with each of his four coaches."""
    chance = random.Random(seed)  # noqa: S311 - repeatable
    pairs = max(1, sessions // PER_INVOICE)
    mentees = [str(uuid4()) for _ in range(max(1, pairs // COACHES_EACH))]
    coaches = [str(uuid4()) for _ in range(max(min(pairs, COACHES_EACH), len(mentees) // 10))]
    with world.stack.database() as database, database.transaction():
        for table in ("user_account", "session", "coach_profile"):
            database.execute(f"alter table {table} disable trigger user")
        with database.cursor() as cursor:
            people = [(each, "INVOICE") for each in mentees] + [(each, "PREPAID") for each in coaches]
            rows = [{"id": i, "email": f"{i}@bulk.example.com", "name": i[:8], "terms": t} for i, t in people]
            cursor.executemany(PERSON, rows)
            cursor.executemany(
                "insert into coach_profile (user_id, status) values (%s, 'PUBLISHED')", [[c] for c in coaches]
            )
        for coach in coaches:
            coach_who_is_paid(world, database, coach)
        values = [_session(chance, mentees, coaches, n, month) for n in range(sessions)]
        with database.cursor() as cursor:
            cursor.executemany(SESSION, values)
        database.execute(
            """insert into private.session_on_account (session_id, mentee_id, coach_id, currency)
               select id, mentee_id, coach_id, currency from session where mentee_id = any (%s)""",
            [mentees],
        )
        for table in ("user_account", "session", "coach_profile"):
            database.execute(f"alter table {table} enable trigger user")
        database.execute("select private.rebuild_metrics()")
    with world.stack.database() as database:
        database.execute("analyze")


def _session(chance: random.Random, mentees: list[str], coaches: list[str], n: int, month: date) -> dict[str, Any]:
    pair = n // PER_INVOICE
    mentee = pair // COACHES_EACH % len(mentees)
    coach = (mentee * 3 + pair % COACHES_EACH) % len(coaches)
    status, percent, by = chance.choice(ENDS)
    currency = chance.choice(("USD", "EUR")) if coach % 7 == 3 else "USD"  # one who has changed his currency
    start = datetime(month.year, month.month, 1, tzinfo=UTC) + timedelta(hours=chance.randrange(28 * 24))
    return {
        "mentee": mentees[mentee],
        "coach": coaches[coach],
        "status": status,
        "percent": percent,
        "by": by,
        "currency": currency,
        "price": chance.randrange(5000, 30_000),
        "start": start,
    }


def expected(world: World) -> dict[Key, Invoice]:
    """From the sessions alone: what has to be charged, by mentee, coach and currency."""
    rows = world.rows(
        """select s.*, s.id::text as name from session s join private.session_on_account a on a.session_id = s.id"""
    )
    found: defaultdict[Key, Invoice] = defaultdict(Invoice)
    for row in rows:
        amount, fee = charged(row) or (0, 0)
        if amount:
            invoice = found[str(row["mentee_id"]), str(row["coach_id"]), row["currency"]]
            invoice.sessions[row["name"]] = amount
            invoice.fee += fee
    return dict(found)


def charged(row: dict[str, Any]) -> tuple[int, int] | None:
    """What of a session's price is charged once it has ended, and the platform's share of that."""
    kept = {"COMPLETED": 100, "NO_SHOW": 100 if row["no_show_by"] == "MENTEE" else 0}.get(row["status"])
    if row["status"] == "CANCELLED":
        kept = 100 - row["refund_percent"]
    if kept is None:
        return None
    amount = row["price_amount"] - _half_up(Fraction(row["price_amount"] * (100 - kept), 100))
    return amount, _half_up(Fraction(row["fee_amount"] * amount, row["price_amount"]))


def _half_up(exact: Fraction) -> int:
    return int(exact + Fraction(1, 2))


def at_stripe(world: World) -> dict[Key, list[Invoice]]:
    """What Stripe has sent, by whose customer it is and whose account it pays."""
    customers = {each["id"]: each["metadata"].get("user_id") for each in world.objects("customer")}
    accounts = {each["id"]: each["metadata"].get("coach_id") for each in world.objects("account")}
    terms = {each["id"]: each for each in world.objects("invoice_terms")}
    found: defaultdict[Key, list[Invoice]] = defaultdict(list)
    ours = {row["id"] for row in world.rows("select id::text as id from private.session_invoice")}
    for row in world.objects("invoice"):
        if row["metadata"].get("session_invoice_id") not in ours:
            continue
        assert row["status"] == "open", row
        assert row["total"] == row["amount_due"] == sum(line["amount"] for line in row["lines"]["data"])
        coach = accounts[terms[row["id"]]["transfer_data"]["destination"]]
        invoice = Invoice({line["metadata"]["session_id"]: line["amount"] for line in row["lines"]["data"]})
        invoice.fee = terms[row["id"]].get("application_fee_amount", 0)
        assert len(invoice.sessions) == len(row["lines"]["data"])
        found[customers[row["customer"]], coach, row["currency"].upper()].append(invoice)
    return dict(found)


def check(world: World) -> int:
    """One invoice for each mentee, coach and currency, of the right sessions, at Stripe and here; how many."""
    wanted, sent = expected(world), at_stripe(world)
    wrong = {key: sent.get(key) for key in wanted.keys() | sent.keys() if sent.get(key) != [wanted.get(key)]}
    assert wrong == {}, {key: wanted.get(key) for key in wrong}
    rows = world.rows(
        """select i.mentee_id::text as mentee, i.coach_id::text as coach, i.currency, i.total, i.fee,
                  i.sent_at is not null as sent,
                  (select count(*) from private.session_on_account a where a.session_invoice_id = i.id) as sessions
           from private.session_invoice i"""
    )
    assert {
        (r["mentee"], r["coach"], r["currency"]): (r["total"], r["fee"], r["sessions"], r["sent"]) for r in rows
    } == {key: (each.total, each.fee, len(each.sessions), True) for key, each in wanted.items()}
    assert len(rows) == len(wanted)
    assert world.rows("select 1 from private.session_on_account where settled_at is null") == []
    return len(wanted)


def forget(world: World) -> None:
    """What was on account before is none of the next test's."""
    with world.stack.database() as database, database.transaction():
        database.execute("alter table private.session_on_account disable trigger user")
        database.execute("update private.invoice_line set session_id = null where session_id is not null")
        database.execute("update private.invoice set session_invoice_id = null where session_invoice_id is not null")
        database.execute("delete from private.session_on_account")
        database.execute("delete from private.session_invoice")
        database.execute("alter table private.session_on_account enable trigger user")
