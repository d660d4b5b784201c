"""What we ask of Stripe, so that it happens once whatever breaks.

The database commits a command before the call is made, with the idempotency key of the call. After a crash the janitor
repeats it: with the same key while that helps (Stripe keeps it for 24 hours, and a failure with it), later by first
looking whether it has been done.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import stripe

from coachline import clock
from coachline.database import Database
from coachline.events import RetryLater
from coachline.logs import logger
from coachline.payments import giving_back, paying
from coachline.payments.stripe_api import asking, client
from coachline.problems import NotFound, Problem, Unavailable

KEY_KEPT = timedelta(hours=23)  # an hour less than Stripe says
ATTEMPTS_WITH_KEY = 3
Command = Mapping[str, Any]


def run(database: Database, command: Command) -> stripe.StripeObject:
    """Carry a command out and record what became of it: the object that it made or changed.

    Raises Declined, Refused or NotFound, which are recorded too, and Unavailable, which leaves it to the janitor.
    """
    try:
        with asking():
            made = _perform(database, command)
    except Unavailable:
        raise
    except Problem as refusal:
        if refusal.code != "request_in_progress":
            database.write("finish_stripe_command", command_id=command["id"], error=refusal.code)
        raise
    database.write("finish_stripe_command", command_id=command["id"], stripe_id=made.id)  # type: ignore[attr-defined]  # every object has one
    return made


def finish_lost(database: Database, *, quiet_seconds: int = 300, batch: int = 50) -> dict[str, int]:
    """Carry out the commands whose end nobody told: how many were done, refused, or are left for later."""
    counts = {"done": 0, "refused": 0, "later": 0}
    while True:
        commands = database.write("claim_lost_commands", quiet_seconds=quiet_seconds, batch=batch)["commands"]
        for command in commands:
            counts[_outcome(database, command)] += 1
        if len(commands) < batch:
            return counts


def run_waiting(database: Database, command_id: str) -> None:
    """Carry out a command that nobody waits for, unless that has been done. Raises RetryLater when Stripe is away."""
    command = database.read("get_waiting_command", command_id=command_id)
    try:
        if command:
            run(database, command)
    except Unavailable as error:
        raise RetryLater(30, error.detail) from error
    except Problem as refusal:
        logger.warning("stripe_command.refused", command_id=command_id, kind=command["kind"], code=refusal.code)


def _outcome(database: Database, command: Command) -> str:
    try:
        run(database, command)
    except Unavailable:
        return "later"
    except Problem:
        return "refused"
    return "done"


def customer_of(database: Database, person: Mapping[str, Any]) -> str:
    """The user's customer at Stripe, made when there is none: found again by our id in its metadata after a crash."""
    if known := person["stripe_customer_id"]:
        return str(known)
    ours, since = str(person["user_id"]), datetime.fromisoformat(person["since"])
    if clock.now() - since > KEY_KEPT and (made := _customer_made(ours, since)):
        return _recorded(database, ours, made)
    asked: Any = {"metadata": {"user_id": ours}} | {name: person[name] for name in ("email", "name") if person[name]}
    try:
        made = client().v1.customers.create(asked, {"idempotency_key": f"customer:{ours}"}).id
    except (stripe.IdempotencyError, stripe.APIError):  # the name has changed since; or Stripe keeps the failure
        made = _customer_made(ours, since)
        if made is None:
            raise
    return _recorded(database, ours, made)


def _customer_made(ours: str, since: datetime) -> str | None:
    """Walks what was made since we first wanted this customer: Stripe's search lags behind by a minute and more."""
    wanted: Any = {"created": {"gte": int(since.timestamp()) - 300}, "limit": 100}
    for customer in client().v1.customers.list(wanted).auto_paging_iter():
        if customer.metadata and customer.metadata.to_dict().get("user_id") == ours:
            return str(customer.id)
    return None


def _recorded(database: Database, user_id: str, customer: str) -> str:
    kept = database.write("record_customer", user_id=user_id, stripe_customer_id=customer)
    return str(kept["stripe_customer_id"])


class _Once:
    """A command with what its call needs; `key` makes the call idempotent while Stripe remembers it."""

    def __init__(self, command: Command, customer: str | None) -> None:
        self.parameters: Mapping[str, Any] = command["parameters"]
        self.subject = str(command["subject_id"])
        self.customer = customer
        attempt = command["attempts"]
        # Stripe keeps failures with the key, too: after a few of them only a look tells what has happened.
        self.forgotten = (
            clock.now() - datetime.fromisoformat(command["sent_at"]) > KEY_KEPT or attempt > ATTEMPTS_WITH_KEY
        )
        again = f":{attempt}" if self.forgotten else ""
        self.key: Any = {"idempotency_key": command["idempotency_key"] + again}
        self.subscription = str(self.parameters.get("stripe_subscription_id"))


def _perform(database: Database, command: Command) -> stripe.StripeObject:
    needs_customer = command["kind"] in _OF_A_CUSTOMER
    customer = customer_of(database, command["customer"]) if needs_customer else None
    return _CALLS[command["kind"]](_Once(command, customer))


def _create_subscription(once: _Once) -> stripe.StripeObject:
    assert once.customer is not None  # noqa: S101 - for the type checker
    if once.forgotten:
        found = client().v1.subscriptions.list({"customer": once.customer, "status": "all", "limit": 100})
        for subscription in found.auto_paging_iter():
            if subscription.metadata.to_dict().get("subscription_id") == once.subject:
                return subscription
        raise NotFound  # it was never made; whoever asked has given up long ago
    method, trial = once.parameters.get("payment_method"), once.parameters.get("trial_days")
    asked: dict[str, Any] = {
        "customer": once.customer,
        "items": [{"price": once.parameters["price"]}],
        "payment_behavior": "allow_incomplete" if method else "default_incomplete",
        "payment_settings": {"save_default_payment_method": "on_subscription"},
        "trial_settings": {"end_behavior": {"missing_payment_method": "cancel"}},
        "metadata": {"subscription_id": once.subject},
        "expand": ["latest_invoice.confirmation_secret"],
    }
    asked |= {"default_payment_method": method} if method else {}
    asked |= {"trial_period_days": trial} if trial else {}
    return client().v1.subscriptions.create(asked, once.key)  # type: ignore[arg-type]  # a plain dictionary


def change_of(subscription: stripe.Subscription, price: str, proration_date: int | None) -> dict[str, Any]:
    """The parameters of a change to another price, for the change itself and for its preview alike."""
    item = subscription["items"].data[0]
    dated = {"proration_date": proration_date} if proration_date else {}
    return {"items": [{"id": item.id, "price": price}], "proration_behavior": "always_invoice", **dated}


def _change_subscription(once: _Once) -> stripe.StripeObject:
    current = client().v1.subscriptions.retrieve(once.subscription)
    price = once.parameters["price"]
    if once.forgotten and (current["items"].data[0].price.id == price or current.pending_update):
        return current
    asked = change_of(current, price, once.parameters.get("proration_date"))
    asked |= {"payment_behavior": "pending_if_incomplete", "expand": ["latest_invoice.confirmation_secret"]}
    return client().v1.subscriptions.update(once.subscription, asked, once.key)  # type: ignore[arg-type]  # a plain dictionary


def _unless(status: str, call: Callable[[_Once], stripe.StripeObject]) -> Callable[[_Once], stripe.StripeObject]:
    """The call, but not a second time when Stripe has forgotten the key and the state is reached."""

    def perform(once: _Once) -> stripe.StripeObject:
        if once.forgotten:
            current = client().v1.subscriptions.retrieve(once.subscription)
            if current.status == status:
                return current
        return call(once)

    return perform


def _pause(once: _Once) -> stripe.StripeObject:
    return client().v1.subscriptions.pause(once.subscription, {"type": "subscription"}, once.key)


def _resume(once: _Once) -> stripe.StripeObject:
    asked: Any = {"expand": ["latest_invoice.confirmation_secret"]}
    return client().v1.subscriptions.resume(once.subscription, asked, once.key)


def _cancel(once: _Once) -> stripe.StripeObject:
    if once.parameters.get("when") == "NOW":
        return client().v1.subscriptions.cancel(once.subscription, {}, once.key)
    return client().v1.subscriptions.update(once.subscription, {"cancel_at_period_end": True}, once.key)


def _reactivate(once: _Once) -> stripe.StripeObject:
    return client().v1.subscriptions.update(once.subscription, {"cancel_at_period_end": False}, once.key)


def _create_setup_intent(once: _Once) -> stripe.StripeObject:
    if once.forgotten:
        raise NotFound  # whoever wanted to enter a card has gone
    asked: Any = {"customer": once.customer, "usage": "off_session"}
    return client().v1.setup_intents.create(asked, once.key)


def _make_default(once: _Once) -> stripe.StripeObject:
    """The default of the customer, and of the live subscription, whose own would otherwise be charged still."""
    method = once.parameters["payment_method"]
    if live := once.parameters.get("stripe_subscription_id"):
        own = {"idempotency_key": once.key["idempotency_key"] + ":subscription"}
        client().v1.subscriptions.update(live, {"default_payment_method": method}, own)  # type: ignore[arg-type]  # a plain dictionary
    settings: Any = {"invoice_settings": {"default_payment_method": method}}
    return client().v1.customers.update(str(once.customer), settings, once.key)


def _detach(once: _Once) -> stripe.StripeObject:
    method = once.parameters["payment_method"]
    if once.forgotten:
        current = client().v1.payment_methods.retrieve(method)
        if current.customer is None:
            return current
    return client().v1.payment_methods.detach(method, None, once.key)


def _create_account(once: _Once) -> stripe.StripeObject:
    """An Express account that can receive transfers; it is the coach who tells Stripe the rest."""
    if once.forgotten:
        for account in client().v1.accounts.list({"limit": 100}).auto_paging_iter():
            if account.metadata and account.metadata.to_dict().get("coach_id") == once.subject:
                return account
    asked: Any = {
        "type": "express",
        "capabilities": {"transfers": {"requested": True}},
        "metadata": {"coach_id": once.subject},
    }
    return client().v1.accounts.create(asked, once.key)


def _open_payment(once: _Once) -> stripe.StripeObject:
    return paying.create(once.subject, once.parameters, once.key, customer=once.customer, forgotten=once.forgotten)


def _of_subject(call: Callable[..., stripe.StripeObject]) -> Callable[[_Once], stripe.StripeObject]:
    return lambda once: call(once.subject, once.parameters, once.key, forgotten=once.forgotten)


_OF_A_CUSTOMER = {"subscription.create", "setup_intent.create", "payment_method.default", "payment.create"}
_CALLS: dict[str, Callable[[_Once], stripe.StripeObject]] = {
    "account.create": _create_account,
    "subscription.create": _create_subscription,
    "subscription.change": _change_subscription,
    "subscription.pause": _unless("paused", _pause),
    "subscription.resume": _unless("active", _resume),
    "subscription.cancel": _unless("canceled", _cancel),
    "subscription.reactivate": _reactivate,
    "setup_intent.create": _create_setup_intent,
    "payment_method.default": _make_default,
    "payment_method.detach": _detach,
    "refund.create": _of_subject(giving_back.refund),
    "transfer.reverse": _of_subject(giving_back.reverse_transfer),
    "dispute.submit": _of_subject(giving_back.submit_evidence),
    "payment.create": _open_payment,
    "payment.confirm": _of_subject(paying.confirm),
    "payment.cancel": _of_subject(paying.cancel),
    "transfer.create": _of_subject(paying.top_up),
}
