"""Credit in money: an account is the sum of its entries, never below zero, whatever is done to it, at once or again."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import DictRow

from tests.support.growth import BROKEN_ACCOUNTS
from tests.support.ledger import Ledger
from tests.support.sessions import insert_session
from tests.support.stack import SignedIn, Stack

Database = psycopg.Connection[DictRow]
START = datetime(2030, 1, 1, 10, tzinfo=UTC)
SESSIONS = 3


def call(database: Database, function: str, *arguments: Any) -> int:
    row = database.execute(
        f"select private.{function}({', '.join(['%s'] * len(arguments))}) as it", arguments
    ).fetchone()
    assert row is not None
    return int(row["it"])


def account(database: Database, user_id: str) -> tuple[int, int]:
    row = database.execute("select balance, owed from credit_account where user_id = %s", [user_id]).fetchone()
    return (row["balance"], row["owed"]) if row else (0, 0)


def sessions(database: Database, coach: SignedIn, mentee: SignedIn, count: int = 1) -> list[str]:
    """Ids of sessions that are over; the constraints let such ones overlap."""
    return [insert_session(database, coach.user_id, mentee.user_id, START, status="COMPLETED") for _ in range(count)]


def test_credit_is_given_spent_given_back_and_clawed_back(stack: Stack, coach: SignedIn, database: Database) -> None:
    mentee = stack.user()
    first, second = sessions(database, coach, mentee, 2)
    assert call(database, "take_credit", mentee.user_id, "USD", 900, first) == 0
    assert call(database, "grant_credit", mentee.user_id, "USD", 2500, "gift") == 2500
    assert call(database, "grant_credit", mentee.user_id, "USD", 9999, "gift") == 2500
    assert call(database, "take_credit", mentee.user_id, "USD", 1500, first) == 1500
    assert call(database, "take_credit", mentee.user_id, "USD", 500, first) == 1500
    assert call(database, "take_credit", mentee.user_id, "USD", 1500, second) == 1000
    assert call(database, "return_credit", first, 400, "refund 1") == 400
    assert call(database, "return_credit", first, 400, "refund 1") == 400
    assert account(database, mentee.user_id) == (400, 0)
    assert call(database, "claw_back_credit", mentee.user_id, "USD", 2500, "gift") == 400
    assert call(database, "claw_back_credit", mentee.user_id, "USD", 2500, "gift") == 400
    assert account(database, mentee.user_id) == (0, 2100)
    assert call(database, "return_credit", first) == 1100
    assert call(database, "return_credit", first) == 0
    assert account(database, mentee.user_id) == (0, 1000)
    assert call(database, "grant_credit", mentee.user_id, "USD", 1200, "another gift") == 1200
    assert account(database, mentee.user_id) == (200, 0)


def test_credit_of_another_currency_or_person_pays_nothing(stack: Stack, coach: SignedIn, database: Database) -> None:
    mentee, other = stack.user(), stack.user()
    (session,) = sessions(database, coach, mentee)
    for person, currency in ((mentee, "EUR"), (other, "USD")):
        call(database, "grant_credit", person.user_id, currency, 2500, "gift")
        with pytest.raises(psycopg.errors.CheckViolation, match="its owner in its own currency"):
            call(database, "take_credit", person.user_id, currency, 100, session)
    assert call(database, "take_credit", mentee.user_id, "USD", 100, session) == 0


def test_an_accounts_figures_cannot_be_written(stack: Stack, coach: SignedIn, database: Database) -> None:
    mentee = stack.user()
    (session,) = sessions(database, coach, mentee)
    call(database, "grant_credit", mentee.user_id, "USD", 2500, "gift")
    database.execute("update credit_account set balance = 1000000, owed = 5 where user_id = %s", [mentee.user_id])
    assert account(database, mentee.user_id) == (2500, 0)
    call(database, "take_credit", mentee.user_id, "USD", 1000, session)
    entry = (
        "insert into credit_entry (user_id, currency, kind, amount, session_id, key) values (%s, 'USD', %s, %s, %s, %s)"
    )
    for kind, amount, at, key in (
        ("SPENT", -1501, sessions(database, coach, mentee)[0], None),
        ("SPENT", -1, session, None),
        ("SPENT", -1, None, None),
        ("RETURNED", 1001, session, None),
        ("GRANTED", -5, None, "x"),
        ("GRANTED", 5, None, None),
        ("GRANTED", 5, None, "gift"),
    ):
        with pytest.raises(psycopg.errors.IntegrityError):
            database.execute(entry, [mentee.user_id, kind, amount, at, key])
    for statement in (
        "update credit_entry set amount = amount + 1",
        "delete from credit_entry",
        "truncate credit_entry",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            database.execute(statement)
    assert account(database, mentee.user_id) == (1500, 0)


def test_twenty_at_once_take_no_more_than_there_is(stack: Stack, coach: SignedIn, database: Database) -> None:
    mentee = stack.user()
    booked = sessions(database, coach, mentee, 20)

    def at_once(function: str, *rows: tuple[Any, ...]) -> list[int]:
        def one(arguments: tuple[Any, ...]) -> int:
            with stack.database() as own:
                return call(own, function, *arguments)

        with ThreadPoolExecutor(len(rows)) as pool:
            return list(pool.map(one, rows))

    assert at_once("grant_credit", *[(mentee.user_id, "USD", 2500, "gift")] * 20) == [2500] * 20
    assert at_once("take_credit", *[(mentee.user_id, "USD", 300, booked[0])] * 20) == [300] * 20
    taken = at_once("take_credit", *[(mentee.user_id, "USD", 300, session) for session in booked])
    assert sum(taken) == 2500
    assert account(database, mentee.user_id) == (0, 0)
    assert sum(at_once("return_credit", *[(booked[0],)] * 20)) == 300
    assert at_once("claw_back_credit", *[(mentee.user_id, "USD", 2500, "gift")] * 20) == [300] * 20
    assert account(database, mentee.user_id) == (0, 2200)
    assert database.execute(BROKEN_ACCOUNTS).fetchall() == []


KEYS, AMOUNTS = st.sampled_from("abcd"), st.integers(1, 3000)
STEPS = st.one_of(
    st.tuples(st.just("grant"), KEYS, AMOUNTS),
    st.tuples(st.just("take"), st.integers(0, SESSIONS - 1), st.integers(0, 3000)),
    st.tuples(st.just("give_back"), st.integers(0, SESSIONS - 1), st.none() | AMOUNTS),
    st.tuples(st.just("claw_back"), KEYS, AMOUNTS),
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEPS, min_size=5, max_size=25))
def test_any_sequence_leaves_what_a_slow_ledger_says(
    stack: Stack, coach: SignedIn, database: Database, steps: list[tuple[Any, ...]]
) -> None:
    made = database.execute(
        "insert into user_account (clerk_id) values (%s) returning id::text as id", [f"user_{uuid4().hex}"]
    ).fetchone()
    assert made is not None
    person, ledger = SignedIn(made["id"], "", "", stack.http), Ledger()
    booked = sessions(database, coach, person, SESSIONS)
    for name, what, amount in steps:
        match name:
            case "grant":
                found = call(database, "grant_credit", person.user_id, "USD", amount, what)
            case "take":
                found = call(database, "take_credit", person.user_id, "USD", amount, booked[what])
            case "give_back":
                found = call(database, "return_credit", booked[what], amount)
            case _:
                found = call(database, "claw_back_credit", person.user_id, "USD", amount, what)
        assert found == getattr(ledger, name)(what, amount)
        assert account(database, person.user_id) == (ledger.balance, ledger.owed)
    assert database.execute(BROKEN_ACCOUNTS).fetchall() == []
