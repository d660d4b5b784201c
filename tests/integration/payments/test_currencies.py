"""Currencies of the database and of the API: steps, minimums and arithmetic as the layer has them."""

import random
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from coachline.money import CURRENCIES, fee, half_up, part_of_refund
from tests.support.billing import PLAN
from tests.support.stack import SignedIn, Stack
from tests.support.story import PROFILE, at, book, next_weekday, published_coach


def test_the_database_has_the_table_of_the_layer(stack: Stack) -> None:
    with stack.database() as database:
        rows = database.execute("select code, exponent, step, minimum, maximum from private.currency").fetchall()
    assert {row["code"]: tuple(row.values()) for row in rows} == {code: tuple(c) for code, c in CURRENCIES.items()}


def test_the_database_computes_as_the_layer_does(stack: Stack) -> None:
    chance = random.Random(1)  # noqa: S311 - repeatable tries
    tries: list[list[Any]] = []
    for _ in range(2000):
        currency = chance.choice(sorted(CURRENCIES))
        paid = chance.choice([chance.randint(1, 99), chance.randint(1, 99_999_999)])
        before = chance.randint(0, paid)
        numbers = [chance.randint(0, paid), paid, before, chance.randint(0, paid - before)]
        tries.append([currency, chance.randint(-(10**10), 10**10), chance.randint(1, 1440), *numbers])
    with stack.database() as database:
        rows = database.execute(
            """select private.half_up(t.numerator, t.denominator, private.step_of(t.currency)) as rounded,
                      private.fee_of(t.paid, (t.denominator * 6)::integer, t.currency) as fee,
                      private.part_of_refund(t.part, t.paid, t.before, t.refunded, t.currency) as part
               from jsonb_to_recordset(%s) t (currency text, numerator bigint, denominator bigint, part bigint,
                                              paid bigint, before bigint, refunded bigint)""",
            [Jsonb([dict(zip(NAMES, each, strict=True)) for each in tries])],
        ).fetchall()
    for (currency, numerator, denominator, part, paid, before, refunded), row in zip(tries, rows, strict=True):
        assert row == {
            "rounded": half_up(numerator, denominator, CURRENCIES[currency].step),
            "fee": fee(paid, denominator * 6, currency),
            "part": part_of_refund(part, paid, before, refunded, currency),
        }


def errors(answer: Any) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


def rate(amount: Any, currency: str) -> dict[str, Any]:
    return {**PROFILE, "hourlyRate": {"amount": amount, "currency": currency}}


@pytest.mark.parametrize(
    ("amount", "currency", "pointer", "words"),
    [
        (500.5, "JPY", "#/hourlyRate/amount", "integer"),
        (5124, "KWD", "#/hourlyRate/amount", "multiples of 10"),
        (49, "USD", "#/hourlyRate/amount", "At least 50"),
        (29, "GBP", "#/hourlyRate/amount", "At least 30"),
        (100_000_000, "USD", "#/hourlyRate/amount", "99999999"),
        (150, "ISK", "#/hourlyRate/amount", "multiples of 100"),
        (98, "USD", "#/hourlyRate", "30 minutes would cost less than 50"),
        (5120, "KWD", "#/hourlyRate/currency", "not enabled"),
    ],
)
def test_a_rate_that_cannot_be_charged_is_refused(
    stack: Stack, amount: Any, currency: str, pointer: str, words: str
) -> None:
    assert words in errors(stack.user("COACH").post("/api/coach/profile", rate(amount, currency)))[pointer]


def test_prices_of_plans_and_of_durations_are_held_to_it_as_well(stack: Stack) -> None:
    admin, coach = stack.user("ADMIN"), stack.user("COACH")
    assert list(errors(admin.post("/api/plans", {**PLAN, "price": {"amount": 9, "currency": "USD"}}))) == [
        "#/price/amount"
    ]
    kwd = {"amount": 5120, "currency": "KWD"}
    assert list(errors(admin.post("/api/plans", {**PLAN, "price": kwd}))) == ["#/price/currency"]
    durations = [{"duration": 30, "price": {"amount": 9000, "currency": "USD"}}, {"duration": 60, "price": kwd}]
    asked = coach.post("/api/coach/profile", {**PROFILE, "durationPrices": durations})
    assert list(errors(asked)) == ["#/durationPrices/1/price/currency"]
    assert coach.get("/api/coach/profile").status_code == 404  # nothing half-written


def test_a_part_of_what_was_paid_is_held_to_the_steps_as_well(stack: Stack) -> None:
    asked = {"amount": {"amount": 5124, "currency": "KWD"}, "reason": "GOODWILL", "note": "The sound failed."}
    refused = stack.user("ADMIN").post(f"/api/payments/{uuid4()}/refunds", asked, key=uuid4().hex)
    assert list(errors(refused)) == ["#/amount/amount"]
    asked["amount"] = {"amount": 1, "currency": "USD"}  # below the minimum of a charge, and enough for a refund
    assert stack.user("ADMIN").post(f"/api/payments/{uuid4()}/refunds", asked, key=uuid4().hex).status_code == 404


@pytest.fixture
def kuwait(stack: Stack) -> Any:
    """Dinars are enabled, as an account of Stripe's in Kuwait would have them."""
    with stack.database() as database:
        [row] = database.execute("select private.setting('currencies') as before").fetchall()
        database.execute("select private.set_setting('currencies', private.setting('currencies') || '[\"KWD\"]')")
        yield stack
        database.execute("select private.set_setting('currencies', %s)", [Jsonb(row["before"])])


@pytest.mark.usefixtures("kuwait")
def test_a_session_in_dinars_costs_and_pays_whole_steps(stack: Stack) -> None:
    coach, mentee = published_coach(stack, profile=rate(12_350, "KWD")), stack.user()
    start = at(next_weekday(), "10:00")
    half = book(mentee, coach, start, 30)
    assert half.status_code == 201, half.text
    assert half.json()["data"]["price"] == {"amount": 6180, "currency": "KWD"}  # 6175 is no amount: half-up to 10
    with stack.database() as database:
        [row] = database.execute("select fee_amount from session where id = %s", [half.json()["data"]["id"]]).fetchall()
    assert row["fee_amount"] == 530  # 8.5 % of 6180 are 525.3


def test_yen_have_no_parts(stack: Stack) -> None:
    coach, mentee = published_coach(stack, profile=rate(5501, "JPY")), stack.user()
    session = book(mentee, coach, at(next_weekday(), "10:00"), 30).json()["data"]
    assert session["price"] == {"amount": 2751, "currency": "JPY"}


def test_the_database_itself_refuses_an_amount_that_a_currency_does_not_have(stack: Stack, coach: SignedIn) -> None:
    with stack.database() as database, pytest.raises(psycopg.errors.CheckViolation):
        database.execute(
            "insert into coach_rate (coach_id, amount, currency) values (%s, 5124, 'KWD')", [coach.user_id]
        )


def test_no_column_of_the_database_holds_money_as_anything_but_integers(stack: Stack) -> None:
    with stack.database() as database:
        columns = database.execute(
            """select table_schema || '.' || table_name || '.' || column_name as name, data_type
               from information_schema.columns where table_schema in ('public', 'private')"""
        ).fetchall()
    # Values of goals are numbers of any unit.
    of_money = [c for c in columns if c["name"].endswith(AMOUNTS) and not c["name"].startswith("public.goal")]
    amounts = {c["name"]: c["data_type"] for c in of_money}
    assert {"public.session.price_amount", "private.plan_price.amount", "private.invoice.total"} <= amounts.keys()
    assert {name: kind for name, kind in amounts.items() if kind not in ("integer", "bigint")} == {}
    inexact = {c["name"] for c in columns if c["data_type"] in ("real", "double precision", "money")}
    assert inexact == set()
    with_currency = {c["name"].rpartition(".")[0] for c in columns if c["name"].endswith(".currency")}
    assert {
        c["name"] for c in columns if c["data_type"] == "numeric" and c["name"].rpartition(".")[0] in with_currency
    } == set()


NAMES = ("currency", "numerator", "denominator", "part", "paid", "before", "refunded")
AMOUNTS = ("amount", "total", "subtotal", "amount_due", "amount_paid", "amount_remaining", "fee", "minimum", "maximum")


@pytest.fixture
def coach(stack: Stack) -> SignedIn:
    return stack.user("COACH")
