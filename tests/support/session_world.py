"""Sessions that are booked and paid in one process with Stripe, for crashes, faults and storms."""

from datetime import datetime, timedelta
from typing import Any

from coachline.payments import session_payments, sync
from coachline.payments.session_payments import PaymentInput
from coachline.scheduling import booking
from coachline.scheduling.booking import BookingRequest
from tests.support.stack import SignedIn
from tests.support.story import SCHEDULE, WEEKDAYS, iso, paid_sessions, published_coach
from tests.support.stripe_world import World

ALWAYS: dict[str, Any] = {
    **SCHEDULE,
    "timezone": "UTC",
    "weekly": [{"day": day, "intervals": [{"from": "00:00", "to": "24:00"}]} for day in WEEKDAYS],
    "bufferBefore": 0,
    "bufferAfter": 0,
    "bookingWindowDays": 730,
}


def payable_coach(world: World, hourly: int = 15_000) -> SignedIn:
    """A coach, day and night, with an account at this world's Stripe."""
    with paid_sessions(world.stack, on=False):
        rate = {"hourlyRate": {"amount": hourly, "currency": "USD"}}
        coach = published_coach(world.stack, schedule=ALWAYS, profile=rate)
    account = world.stripe.coach()
    with world.stack.database() as database:
        database.execute(
            "insert into private.coach_account (coach_id, stripe_account_id, transfers_active) values (%s, %s, true)",
            [coach.user_id, account],
        )
    return coach


def book(
    world: World,
    person: SignedIn,
    coach: SignedIn,
    start: datetime,
    *,
    method: Any = None,
    key: str | None = None,
    minutes: int = 60,
) -> dict[str, Any]:
    """What POST /api/sessions does."""
    caller = world.caller(person, "session:book", key)
    asked = {"coachId": coach.user_id, "start": iso(start), "duration": minutes}
    asked |= {"paymentMethodId": str(method)} if method else {}
    made = booking.book(caller, BookingRequest.model_validate(asked))
    return {**made, **(session_payments.open_payment(caller, made) if made["payment"] else {})}


class Payer:
    """A mentee with a customer and a saved card at this world's Stripe."""

    def __init__(self, world: World, coach: SignedIn, card: str = "pm_card_visa") -> None:
        self.world, self.coach, self.person = world, coach, world.stack.user()
        api = world.stripe.client.v1
        known: Any = {"metadata": {"user_id": self.person.user_id}, "email": "payer@example.com"}
        self.customer = api.customers.create(known).id
        world.database.write("record_customer", user_id=self.person.user_id, stripe_customer_id=self.customer)
        api.payment_methods.attach(card, {"customer": self.customer})
        sync.payment_methods(world.database, self.customer)
        [row] = world.rows("select id from private.payment_method where user_id = %s", self.person.user_id)
        self.method = row["id"]

    def book(
        self, start: datetime, *, method: bool = True, key: str | None = None, minutes: int = 60
    ) -> dict[str, Any]:
        chosen = self.method if method else None
        return book(self.world, self.person, self.coach, start, method=chosen, key=key, minutes=minutes)

    def pay(self, session_id: str) -> Any:
        """What POST /api/payments does."""
        body = PaymentInput.model_validate({"sessionId": session_id, "paymentMethodId": str(self.method)})
        return session_payments.pay(self.world.caller(self.person, "payment:make"), body)

    def sessions(self) -> list[dict[str, Any]]:
        return self.world.rows("select * from session where mentee_id = %s order by created_at", self.person.user_id)

    def payments(self) -> list[dict[str, Any]]:
        return self.world.rows(
            "select * from private.payment where mentee_id = %s order by created_at, surplus, id", self.person.user_id
        )

    def intents(self) -> list[dict[str, Any]]:
        return [each for each in self.world.objects("payment_intent") if each["customer"] == self.customer]


def hours(world: World) -> Any:
    """Starts far enough ahead, none of them twice."""
    at = world.stripe.clock.now()
    while True:
        ahead = world.stripe.clock.now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=10)
        at = max(at + timedelta(hours=1), ahead)
        yield at


def agrees(world: World, payer: Payer) -> None:
    """What must hold of a mentee's sessions and payments, whatever has happened to the process that made them."""
    waiting = "select kind from private.stripe_command where state = 'SENT' and user_id = %s"
    assert world.rows(waiting, payer.person.user_id) == []
    intents = {each["id"]: each for each in payer.intents()}
    for row in payer.payments():
        theirs = intents.pop(row["stripe_payment_intent_id"], None)
        paid = theirs is not None and theirs["status"] == "succeeded"
        assert (row["paid_at"] is not None) == (paid or row["charge_amount"] == 0), (row, theirs)
        assert theirs is None or row["charge_amount"] == theirs["amount"]
        [session] = [each for each in payer.sessions() if each["id"] == row["session_id"]]
        if row["surplus"]:
            assert row["status"] == "REFUNDED", row
        else:
            assert (session["status"] == "SCHEDULED") == (row["status"] == "COMPLETED"), (session["status"], row)
            assert session["fee_amount"] == row["fee_amount"]
    assert intents == {}, "Stripe has a payment that we do not know"
