"""GET /api/reports/subscriptions against a recount by another hand, over random histories put into the database."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import uuid4

import pytest

from tests.support.billing import plan
from tests.support.stack import SignedIn, Stack
from tests.support.story import iso

BEGIN = datetime(2031, 1, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=31)
YEARLY = {"MONTH": 12, "YEAR": 1}
PAYS = {"ACTIVE", "PAST_DUE"}
NEXT = {
    None: ["TRIALING", "ACTIVE"],
    "TRIALING": ["ACTIVE", "CANCELED", "PAST_DUE"],
    "ACTIVE": ["ACTIVE", "PAST_DUE", "CANCELED", "PAUSED"],
    "PAST_DUE": ["ACTIVE", "CANCELED", "UNPAID"],
    "UNPAID": ["ACTIVE", "CANCELED"],
    "PAUSED": ["ACTIVE", "CANCELED"],
}


@dataclass(frozen=True)
class Change:
    at: datetime
    status: str
    price: dict[str, Any]

    @property
    def yearly(self) -> Fraction:
        paid = self.status in PAYS
        return Fraction(self.price["amount"] * YEARLY[self.price["interval"]]) if paid else Fraction(0)


@pytest.fixture(scope="module")
def prices(stack: Stack) -> list[dict[str, Any]]:
    made = [
        plan(stack, price={"amount": amount, "currency": currency}, interval=interval)
        for currency in ("USD", "EUR")
        for amount, interval in ((9900, "MONTH"), (19900, "MONTH"), (100_001, "YEAR"))
    ]
    with stack.database() as database:
        return [
            {
                "amount": each["price"]["amount"],
                "currency": each["price"]["currency"],
                "interval": each["interval"],
                "plan": each["id"],
                "id": database.execute(
                    "select id from private.plan_price where plan_id = %s and is_current", [each["id"]]
                ).fetchone(),
            }
            for each in made
        ]


@pytest.fixture
def empty(stack: Stack) -> Iterator[None]:
    """Without the histories of other tests: the report counts everyone."""
    with stack.database() as database:
        database.execute("create table devstack.kept as table private.subscription_change")
        database.execute("alter table private.subscription_change disable trigger user")
        database.execute("delete from private.subscription_change")
        yield
        database.execute("delete from private.subscription_change")
        database.execute("insert into private.subscription_change overriding system value select * from devstack.kept")
        database.execute("alter table private.subscription_change enable trigger user")
        database.execute("drop table devstack.kept")


def history(chance: random.Random, prices: list[dict[str, Any]]) -> list[Change]:
    at, status = BEGIN - timedelta(days=chance.randint(0, 40)), None
    price = chance.choice(prices)
    same = [each for each in prices if each["currency"] == price["currency"]]
    changes: list[Change] = []
    while status != "CANCELED" and at < END + timedelta(days=10):
        status = chance.choice(NEXT[status])
        price = chance.choice(same) if status == "ACTIVE" and chance.random() < 0.5 else price
        changes.append(Change(at, status, price))
        at += timedelta(seconds=chance.randint(1, 20 * 86_400))
    return changes


def shuffled(changes: list[Change]) -> list[Change]:
    return sorted(changes, key=lambda change: hash((change.at, change.status)))


def store(stack: Stack, person: SignedIn, changes: list[Change]) -> None:
    with stack.database() as database:
        last = changes[-1]
        row = database.execute(
            """insert into private.subscription (user_id, plan_id, plan_price_id, status)
               values (%s, %s, %s, 'CANCELED') returning id""",
            [person.user_id, last.price["plan"], last.price["id"]["id"]],
        ).fetchone()
        assert row
        # In any order, as events come.
        for change in shuffled(changes):
            database.execute(
                """insert into private.subscription_change
                     (subscription_id, occurred_at, status, plan_price_id, collection_paused, event_id)
                   values (%s, %s, %s, %s, false, %s)""",
                [row["id"], change.at, change.status, change.price["id"]["id"], f"evt_{uuid4().hex}"],
            )


def half_up(value: Fraction) -> int:
    magnitude = (2 * abs(value.numerator) + value.denominator) // (2 * value.denominator)
    return magnitude if value >= 0 else -magnitude


def recount(people: list[list[list[Change]]]) -> dict[str, dict[str, int | None]]:
    """The figures by currency, one subscription after the other."""
    exact: dict[str, dict[str, Fraction]] = {}
    for subscriptions in people:
        ever_paid = False
        for changes in sorted(subscriptions, key=lambda each: each[0].at):
            seen = [change for change in changes if change.at < END]
            if not seen:
                continue
            names = ("mrr", "paying", "new", "reactivation", "expansion", "contraction", "churn", "churned")
            sums = exact.setdefault(seen[0].price["currency"], dict.fromkeys(names, Fraction(0)))
            sums["mrr"] += seen[-1].yearly
            sums["paying"] += seen[-1].yearly > 0
            before = Fraction(0)
            for change in seen:
                delta = change.yearly - before
                if delta and change.at >= BEGIN:
                    kind = "new" if not before and not ever_paid else "reactivation" if not before else "expansion"
                    kind = kind if delta > 0 else "contraction" if change.yearly else "churn"
                    sums[kind] += delta
                    sums["churned"] += kind == "churn"
                ever_paid = ever_paid or change.yearly > 0
                before = change.yearly
    counts = {"paying", "churned"}
    figures: dict[str, dict[str, int | None]] = {}
    for currency, sums in exact.items():
        figures[currency] = {
            name: int(value) if name in counts else half_up(value / 12) for name, value in sums.items()
        }
        paying = int(sums["paying"])
        figures[currency] |= {
            "arr": half_up(sums["mrr"]),
            "arpu": half_up(sums["mrr"] / 12 / paying) if paying else None,
        }
    return figures


def at_end(people: list[list[list[Change]]]) -> list[Change]:
    """Where each subscription stands at the end."""
    seen = ([change for change in changes if change.at < END] for subscriptions in people for changes in subscriptions)
    return [changes[-1] for changes in seen if changes]


def by_plan(people: list[list[list[Change]]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for last in at_end(people):
        counts = found.setdefault(last.price["plan"], dict.fromkeys(("paying", "trialing", "pastDue"), 0))
        counts["paying"] += last.yearly > 0
        counts["trialing"] += last.status == "TRIALING"
        counts["pastDue"] += last.status == "PAST_DUE"
    return found


def trials(people: list[list[list[Change]]]) -> dict[str, int]:
    begun = [
        [change for change in changes if change.at < END]
        for subscriptions in people
        for changes in subscriptions
        if BEGIN <= changes[0].at < END
    ]
    tried = [changes for changes in begun if any(change.status == "TRIALING" for change in changes)]
    return {"started": len(tried), "converted": sum(any(change.yearly for change in changes) for changes in tried)}


def failed_invoices(stack: Stack, people: list[SignedIn], chance: random.Random) -> list[dict[str, Any]]:
    """Invoices of all kinds, put into the database; and what is to be reported of them."""
    made: list[dict[str, Any]] = []
    with stack.database() as database:
        database.execute("alter table private.invoice disable trigger user")  # they have no lines
        database.execute("delete from private.invoice where number like 'RECOUNT-%'")
        for number in range(40):
            row = {
                "currency": chance.choice(["USD", "EUR"]),
                "status": chance.choice(["DRAFT", "OPEN", "PAID", "UNCOLLECTIBLE", "VOID"]),
                "remaining": chance.randint(0, 20_000),
                "attempts": chance.randint(0, 3),
                "at": BEGIN + timedelta(seconds=chance.randint(-20 * 86_400, 50 * 86_400)),
            }
            made.append(row)
            database.execute(
                """insert into private.invoice (
                     user_id, stripe_invoice_id, number, status, currency, subtotal, total, amount_due, amount_paid,
                     amount_remaining, attempt_count, period_start, period_end, created_at)
                   values (%(person)s, %(name)s, %(number)s, %(status)s, %(currency)s, 20000, 20000, 20000, 0,
                           %(remaining)s, %(attempts)s, %(at)s, %(at)s, %(at)s)""",
                {
                    **row,
                    "person": chance.choice(people).user_id,
                    "name": f"in_{uuid4().hex}",
                    "number": f"RECOUNT-{number}",
                },
            )
        database.execute("alter table private.invoice enable trigger user")
    failed = [
        row
        for row in made
        if row["attempts"] and row["status"] in {"OPEN", "UNCOLLECTIBLE"} and BEGIN <= row["at"] < END
    ]
    return [
        {
            "currency": currency,
            "invoices": sum(row["currency"] == currency for row in failed),
            "open": {
                "amount": sum(row["remaining"] for row in failed if row["currency"] == currency),
                "currency": currency,
            },
        }
        for currency in sorted({row["currency"] for row in failed})
    ]


def snapshot(stack: Stack) -> dict[str, dict[str, int]]:
    """What the job keeps of the period's last day, by plan."""
    with stack.database() as database, database.transaction():
        database.execute("select set_config('request.jwt.claims', '{\"role\": \"service_role\"}', true)")
        day = (END - timedelta(days=1)).date()
        for _ in range(2):  # taken again, it is the same
            database.execute("select public.take_subscription_snapshot(%s)", [day])
        rows = database.execute(
            """select c.plan_id, sum(s.subscribers)::integer as paying, sum(s.trialing)::integer as trialing,
                 sum(s.past_due)::integer as past_due, sum(s.annual_amount)::bigint as yearly
               from private.subscription_snapshot s join private.plan_price c on c.id = s.plan_price_id
               where s.day = %s group by c.plan_id""",
            [day],
        ).fetchall()
    return {str(row.pop("plan_id")): row for row in rows}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("empty")
def test_the_report_is_what_another_hand_counts(stack: Stack, prices: list[dict[str, Any]], seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a history, no secret
    people, persons = [], [stack.user() for _ in range(12)]
    for person in persons:
        first = history(chance, prices)
        subscriptions = [first]
        if first[-1].status == "CANCELED" and chance.random() < 0.5:
            later = history(chance, prices)
            shift = first[-1].at - later[0].at + timedelta(hours=1)
            subscriptions.append([Change(change.at + shift, change.status, change.price) for change in later])
        for changes in subscriptions:
            store(stack, person, changes)
        people.append(subscriptions)
    failed = failed_invoices(stack, persons, chance)
    admin = stack.user("ADMIN")
    answer = admin.get("/api/reports/subscriptions", params={"from": iso(BEGIN), "to": iso(END)})
    assert answer.status_code == 200, answer.text
    report = answer.json()["data"]
    told = {row["currency"]: row for row in report["currencies"]}
    expected = recount(people)
    assert told.keys() == expected.keys()
    for currency, figures in expected.items():
        found = {
            name: told[currency][name]["amount"] if isinstance(told[currency][name], dict) else told[currency][name]
            for name in figures
        }
        assert found == figures, currency
    plans = by_plan(people)
    counts = {row["planId"]: {name: row[name] for name in ("paying", "trialing", "pastDue")} for row in report["plans"]}
    assert counts == plans
    assert report["trials"] == trials(people)
    assert report["failedPayments"] == failed
    kept = snapshot(stack)
    assert {name: row["paying"] for name, row in kept.items()} == {
        name: row["paying"] for name, row in plans.items() if any(row.values())
    }
    assert sum(row["yearly"] for row in kept.values()) == sum(last.yearly for last in at_end(people))
    table = admin.get("/api/reports/subscriptions", params={"from": iso(BEGIN), "to": iso(END), "format": "csv"})
    assert table.headers["Content-Type"].startswith("text/csv")
    assert len(table.text.splitlines()) == 1 + len(told)


def test_a_period_is_checked(stack: Stack) -> None:
    admin = stack.user("ADMIN")
    for start, end in ((END, BEGIN), (BEGIN, BEGIN + timedelta(days=367))):
        answer = admin.get("/api/reports/subscriptions", params={"from": iso(start), "to": iso(end)})
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "to")
