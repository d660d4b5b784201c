"""What the database holds of payments, refunds and movements, whoever writes."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.support.stack import Stack
from tests.support.story import at, book, next_weekday, published_coach

SETTLED = {"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED", "DISPUTED"}
MACHINE = {
    "PENDING": {"REQUIRES_ACTION", "PROCESSING", "COMPLETED", "FAILED", "CANCELED"},
    "REQUIRES_ACTION": {"PENDING", "PROCESSING", "COMPLETED", "FAILED", "CANCELED"},
    "PROCESSING": {"COMPLETED", "FAILED", "CANCELED"},
    "FAILED": {"PENDING", "REQUIRES_ACTION", "PROCESSING", "COMPLETED", "CANCELED"},
    "CANCELED": set(),
    **{status: SETTLED - {status} for status in SETTLED},
}


@pytest.fixture(scope="module")
def session_id(stack: Stack) -> str:
    coach, mentee = published_coach(stack), stack.user()
    booked = book(mentee, coach, at(next_weekday(), "10:00"))
    return str(booked.json()["data"]["id"])


def payment(database: Any, session_id: str, **more: Any) -> str:
    """A payment of 15000 with a fee of 1275, written past every function."""
    row = {"amount": 15000, "charge_amount": 15000, "fee_amount": 1275, "application_fee_amount": 1275, **more}
    names = ", ".join(row)
    made = database.execute(
        f"""insert into private.payment (session_id, mentee_id, coach_id, currency, surplus, {names})
            select id, mentee_id, coach_id, 'USD', true, {", ".join(["%s"] * len(row))} from session where id = %s
            returning id""",  # noqa: S608 - names of this module
        [*row.values(), session_id],
    ).fetchone()
    return str(made["id"])


def move(database: Any, name: str, status: str) -> None:
    settled = status in SETTLED
    database.execute(
        """update private.payment set status = %s, canceled_at = case when %s then now() end,
             paid_at = case when %s then coalesce(paid_at, now()) else paid_at end,
             paid_amount = case when %s then charge_amount else paid_amount end where id = %s""",
        [status, status == "CANCELED", settled, settled, name],
    )


def test_a_payment_moves_as_its_machine_says_and_no_other_way(stack: Stack, session_id: str) -> None:
    with stack.database() as database:
        rows = database.execute(
            """select before::text, after::text from unnest(enum_range(null::payment_status)) before,
                 unnest(enum_range(null::payment_status)) after
               where before <> after and private.payment_may_become(before::text, after::text)"""
        ).fetchall()
        assert {(row["before"], row["after"]) for row in rows} == {(a, b) for a in MACHINE for b in MACHINE[a]}
        name = payment(database, session_id)
        move(database, name, "COMPLETED")
        for late in ("PENDING", "REQUIRES_ACTION", "PROCESSING", "FAILED", "CANCELED"):
            with pytest.raises(psycopg.Error, match="invalid_transition"):
                move(database, name, late)


def test_what_was_agreed_on_stays(stack: Stack, session_id: str) -> None:
    with stack.database() as database:
        name = payment(database, session_id)
        free = "amount = 1, charge_amount = 1, fee_amount = 0, application_fee_amount = 0"
        for change in (free, "currency = 'EUR'"):
            with pytest.raises(psycopg.Error, match="terms_fixed"):
                database.execute(f"update private.payment set {change} where id = %s", [name])  # noqa: S608 - of this module
        database.execute("update private.payment set stripe_payment_intent_id = %s where id = %s", [name, name])
        with pytest.raises(psycopg.Error, match="terms_fixed"):
            database.execute("update private.payment set stripe_payment_intent_id = 'pi_other' where id = %s", [name])


@pytest.mark.parametrize(
    "wrong",
    [
        {"charge_amount": 14000},
        {"credit_amount": 2000, "charge_amount": 13000},  # the fee bears the credit first
        {"paid_amount": 14999},
        {"status": "COMPLETED"},
        {"fee_amount": 15001},
    ],
)
def test_amounts_that_do_not_add_up_cannot_be_written(stack: Stack, session_id: str, wrong: dict[str, Any]) -> None:
    with stack.database() as database, pytest.raises(psycopg.errors.CheckViolation):
        payment(database, session_id, **wrong)


def test_credit_is_borne_by_the_fee_first_and_by_a_transfer_then(stack: Stack, session_id: str) -> None:
    with stack.database() as database:
        some = {"credit_amount": 1000, "charge_amount": 14000, "application_fee_amount": 275}
        more = {"credit_amount": 2000, "charge_amount": 13000, "application_fee_amount": 0, "top_up_amount": 725}
        assert all(payment(database, session_id, **columns) for columns in (some, more)), "each is written"


def test_a_session_has_one_live_payment(stack: Stack, session_id: str) -> None:
    with stack.database() as database:
        first, second = payment(database, session_id), payment(database, session_id)
        database.execute("update private.payment set surplus = false where id = %s", [first])
        with pytest.raises(psycopg.errors.UniqueViolation):
            database.execute("update private.payment set surplus = false where id = %s", [second])
        move(database, first, "CANCELED")
        database.execute("update private.payment set surplus = false where id = %s", [second])
        move(database, second, "CANCELED")


def test_never_more_is_given_back_than_was_paid_also_by_ten_at_once(stack: Stack, session_id: str) -> None:
    with stack.database() as database:
        name = payment(database, session_id)
        move(database, name, "COMPLETED")

    def give_back(_: int) -> bool:
        with stack.database() as own:
            try:
                own.execute(
                    """insert into private.refund (payment_id, reason, initiator, amount, currency)
                       values (%s, 'GOODWILL', 'ADMIN', 4000, 'USD')""",
                    [name],
                )
            except psycopg.Error as error:
                assert "refund_exceeds_payment" in str(error)  # noqa: PT017 - counted below
                return False
        return True

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(give_back, range(10))) == 3
    with stack.database() as database:
        database.execute(
            """update private.refund set status = 'FAILED'
               where id = (select id from private.refund where payment_id = %s limit 1)""",
            [name],
        )
    assert give_back(0)
    assert not give_back(0)


def test_a_movement_is_written_once_and_stays(stack: Stack) -> None:
    charge = f"ch_{uuid4().hex}"
    insert = """insert into private.money_movement (kind, amount, currency, stripe_id, occurred_at)
                values (%s, %s, %s, %s, now())"""
    with stack.database() as database:
        database.execute(insert, ["CHARGE", 15000, "USD", charge])
        database.execute(insert, ["PROCESSING_FEE", -465, "USD", charge])
        with pytest.raises(psycopg.errors.UniqueViolation):
            database.execute(insert, ["CHARGE", 15000, "USD", charge])
        for statement in ("update private.money_movement set amount = 1", "delete from private.money_movement"):
            with pytest.raises(psycopg.Error, match="append-only"):
                database.execute(statement)
