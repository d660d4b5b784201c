"""Sessions that are booked and paid over HTTP, and what is seen of them afterwards."""

from typing import Any
from uuid import uuid4

from tests.support.billing import client
from tests.support.stack import SignedIn, Stack
from tests.support.story import at, book, next_weekday


class Hours:
    """The coach's hours, each given out once."""

    def __init__(self) -> None:
        self._given = -1

    def next(self, weeks: int = 2) -> Any:
        self._given += 1
        day, hour = divmod(self._given, 5)
        return at(next_weekday(day % 5, weeks=weeks + day // 5), f"{9 + hour + hour // 2:02}:{30 * (hour % 2):02}")


HOURS = Hours()


def booked(mentee: SignedIn, coach: SignedIn, **more: Any) -> dict[str, Any]:
    answer = book(mentee, coach, HOURS.next(), **more)
    assert answer.status_code == 201, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def session(who: SignedIn, made: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = who.get(f"/api/sessions/{made['id']}").json()["data"]
    return data


def payment(who: SignedIn, made: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = who.get(f"/api/payments/{made['paymentId']}").json()["data"]
    return data


def movements(stack: Stack, made: dict[str, Any]) -> dict[str, int]:
    with stack.database() as database:
        rows = database.execute(
            "select kind::text, amount from private.money_movement where payment_id = %s", [made["paymentId"]]
        ).fetchall()
    assert len({row["kind"] for row in rows}) == len(rows)
    return {row["kind"]: row["amount"] for row in rows}


def saved_method(stack: Stack, mentee: SignedIn, token: str) -> str:
    """A method that the mentee has saved on Stripe's page: our id of it."""
    before = _methods(mentee)
    setup = mentee.post("/api/payment-methods/setup", {})
    intent = setup.json()["data"]["clientSecret"].split("_secret_")[0]
    client(stack).v1.setup_intents.confirm(intent, {"payment_method": token})
    stack.drain()
    [made] = _methods(mentee) - before
    return made


def _methods(who: SignedIn) -> set[str]:
    return {method["id"] for method in who.get("/api/payment-methods").json()["data"]}


def hold_ran_out(stack: Stack, made: dict[str, Any]) -> None:
    with stack.database() as database:
        database.execute(
            "update session set hold_expires_at = private.now() - interval '1 second' where id = %s", [made["id"]]
        )
    stack.http.post("/_dev/invoke/expire_holds", json={"time": "2000-01-01T00:00:00Z"}).raise_for_status()
    with stack.database() as database:
        database.execute("select private.expire_holds(mentee_id) from session where id = %s", [made["id"]])


def credit(stack: Stack, mentee: SignedIn, amount: int) -> None:
    with stack.database() as database:
        database.execute("select private.grant_credit(%s, 'USD', %s, %s)", [mentee.user_id, amount, uuid4().hex])


def balance(stack: Stack, mentee: SignedIn) -> int:
    with stack.database() as database:
        row = database.execute(
            "select coalesce(sum(balance), 0)::bigint as it from credit_account where user_id = %s", [mentee.user_id]
        ).fetchone()
    assert row is not None
    return int(row["it"])


def janitor(stack: Stack) -> None:
    """What finishes commands when everything that should have done it was lost; and what follows from them."""
    with stack.database() as database:
        database.execute("update private.stripe_command set sent_at = sent_at - interval '1 hour' where state = 'SENT'")
    stack.http.post("/_dev/invoke/finish_stripe_commands", json={"time": "2027-03-01T00:00:00Z"}).raise_for_status()
    stack.drain()
