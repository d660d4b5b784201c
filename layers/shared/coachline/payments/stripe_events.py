"""What Stripe's events mean for us: a reason to fetch the object again. What they say themselves may be old.

Any order, any repetition, any version of the API: only ids are read from the payload, except for the history of
subscriptions, which keeps what was true at the event's own moment.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from coachline.database import Database
from coachline.events import PermanentFailure, RetryLater
from coachline.payments import charge_sync, mirror, sync
from coachline.payments.stripe_api import is_live
from coachline.payments.stripe_event_types import HISTORY
from coachline.problems import NotFound

_Object = Mapping[str, Any]


def apply(database: Database, event_id: str, event_type: str, payload: Mapping[str, Any]) -> None:
    """Apply one stored event and mark it handled. What Stripe does not know any more has no effect."""
    data = payload.get("data")
    subject = data.get("object") if isinstance(data, Mapping) else None
    if not isinstance(subject, Mapping) or not isinstance(subject.get("id"), str):
        raise PermanentFailure("The event has no data.object.id")
    # Of a connected account, only the account itself is mirrored here; of the other mode nothing.
    of_us = (payload.get("account") is None) != event_type.startswith("account.")
    if of_us and bool(payload.get("livemode")) is is_live():
        with suppress(NotFound):
            _handler_of(event_type)(database, subject, payload)
    database.write("finish_webhook_event", event_id=event_id)


def _handler_of(event_type: str) -> Callable[[Database, _Object, Mapping[str, Any]], None]:
    for prefix, handler in _HANDLERS.items():
        if event_type.startswith(prefix):
            return handler
    raise PermanentFailure(f"{event_type} is not handled")


def _subscription(database: Database, subject: _Object, event: Mapping[str, Any]) -> None:
    if sync.subscription(database, subject["id"])["unknown"]:
        return
    if event["type"] in HISTORY:
        database.write(
            "record_subscription_change",
            row_=mirror.history_row(subject),
            event_id=event["id"],
            occurred_at=datetime.fromtimestamp(event["created"], UTC).isoformat(),
        )
    if event["type"] == "customer.subscription.trial_will_end":
        ends_at = mirror.instant(subject["trial_end"])
        database.write("notice_trial_end", stripe_subscription_id=subject["id"], ends_at=ends_at)


def _invoice(database: Database, subject: _Object, event: Mapping[str, Any]) -> None:
    sync.invoice(database, subject["id"])
    if event["type"] == "invoice.payment_failed":
        attempt = subject["attempt_count"]
        database.write("notice_failed_payment", stripe_invoice_id=subject["id"], attempt=attempt)


def _invoice_payment(database: Database, subject: _Object, _event: Mapping[str, Any]) -> None:
    sync.invoice(database, subject["invoice"])


def _method(database: Database, subject: _Object, event: Mapping[str, Any]) -> None:
    """A detached method names its former customer among what has changed."""
    before = event["data"].get("previous_attributes") or {}
    for customer in (subject.get("customer"), before.get("customer")):
        if customer:
            sync.payment_methods(database, customer)


def _customer(database: Database, subject: _Object, _event: Mapping[str, Any]) -> None:
    sync.payment_methods(database, subject["id"])


def _payment(database: Database, subject: _Object, _event: Mapping[str, Any]) -> None:
    sync.payment(database, subject["id"])


def _charge_updated(database: Database, subject: _Object, _event: Mapping[str, Any]) -> None:
    """The balance transaction of a charge comes after it; what belongs to no intent is none of ours."""
    if subject.get("payment_intent"):
        sync.payment(database, subject["payment_intent"])


def _transfer_made(database: Database, subject: _Object, _event: Mapping[str, Any]) -> None:
    sync.transfer(database, subject["id"])


def _account(database: Database, subject: _Object, _event: Mapping[str, Any]) -> None:
    sync.coach_account(database, subject["id"])


def _refund_or_dispute(database: Database, subject: _Object, _event: Mapping[str, Any]) -> None:
    _charge(database, subject["charge"])


def _transfer(database: Database, subject: _Object, _event: Mapping[str, Any]) -> None:
    """A transfer that was reversed belongs to a charge, also the one that account credit caused."""
    charge = database.read("charge_of_transfer", transfer=subject["id"])
    if charge:
        _charge(database, charge)


def _charge(database: Database, name: str) -> None:
    """A payment whose success was told late, or never, is fetched first; so is the invoice that a charge has paid."""
    answer = charge_sync.mirror_charge(database, name)
    if answer["state"] == "early":
        sync.payment(database, answer["payment_intent"])
        answer = charge_sync.mirror_charge(database, name)
    elif answer.get("unowned") and answer["payment_intent"] and sync.invoice_of(database, answer["payment_intent"]):
        charge_sync.mirror_charge(database, name)
    if answer["state"] == "early":
        raise RetryLater(5, f"{name} is not known to be paid yet")


_HANDLERS: dict[str, Callable[[Database, _Object, Mapping[str, Any]], None]] = {
    "account.": _account,
    "charge.dispute.": _refund_or_dispute,
    "refund.": _refund_or_dispute,
    "charge.updated": _charge_updated,
    "payment_intent.": _payment,
    "transfer.created": _transfer_made,
    "transfer.": _transfer,
    "customer.subscription.": _subscription,
    "invoice_payment.": _invoice_payment,
    "invoice.": _invoice,
    "payment_method.": _method,
    "setup_intent.": _method,
    "customer.": _customer,
}
