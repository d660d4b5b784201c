"""Payment intents, their charges, and the money that these move."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import stripe

from devstack.simulators.stripe.account import Account, merged_metadata, page
from devstack.simulators.stripe.balance import Balance
from devstack.simulators.stripe.catalog import check_amount
from devstack.simulators.stripe.methods import (
    Methods,
    Token,
    card_error,
    next_action,
    refuse_old_method_types,
    unexpected,
)
from devstack.simulators.stripe.shapes import Row, StripeError, blank

BANK_DAYS = 4  # business days until an ACH debit has succeeded or failed
KINDS = {"usd": ["card", "link", "us_bank_account"], "eur": ["card", "link", "sepa_debit"]}


class Intents:
    def __init__(self, account: Account, methods: Methods, balance: Balance) -> None:
        self._account = account
        self._methods = methods
        self._balance = balance
        self.settled: list[Callable[[Row], None]] = []  # told of an intent that succeeded or failed

    def create(self, given: Row, **settings: Any) -> Row:
        """`settings` are members that no parameter sets: of an invoice's own payment intent."""
        refuse_old_method_types(given)
        check_amount(given["amount"], given["currency"].lower())
        self._check_destination(given)
        plain = ("customer", "description", "setup_future_usage", "application_fee_amount", "transfer_group")
        excluded = given.get("excluded_payment_method_types") or []
        kinds = KINDS.get(given["currency"].lower(), ["card", "link"])
        row = self._account.new(
            stripe.PaymentIntent,
            "payment_intent",
            amount=given["amount"],
            currency=given["currency"].lower(),
            status="requires_payment_method",
            payment_method_types=[kind for kind in kinds if kind not in excluded],
            excluded_payment_method_types=excluded or None,
            capture_method="automatic_async",
            metadata=merged_metadata({}, given.get("metadata")),
            **{key: given[key] for key in plain if key in given},
            **settings,
        )
        if given.get("transfer_data"):
            row["transfer_data"] = blank(stripe.PaymentIntent.TransferData, **given["transfer_data"])
        row["client_secret"] = f"{row['id']}_secret_{self._account.random(24)}"
        if given.get("payment_method"):
            method = self._of_customer(given["payment_method"], row)
            row |= {"payment_method": method["id"], "status": "requires_confirmation"}
        row = self._account.put("payment_intent", row, "payment_intent.created")
        return self.confirm(row["id"], given) if given.get("confirm") else row

    def confirm(self, name: str, given: Row) -> Row:
        """Try to pay: the intent as it is then; a decline is a 402 that carries it."""
        row = self._account.get("payment_intent", name)
        if row["status"] not in ("requires_payment_method", "requires_confirmation", "requires_action"):
            raise unexpected("PaymentIntent", row["status"], "payment_intent_unexpected_state", payment_intent=row)
        chosen = given.get("payment_method") or row["payment_method"]
        if not chosen:
            message = "You cannot confirm this PaymentIntent because it's missing a payment method."
            raise StripeError(message, code="payment_intent_unexpected_state", payment_intent=row)
        method = self._of_customer(chosen, row)
        if row["transfer_data"]:
            self._balance.check_destination(row["transfer_data"]["destination"], "transfer_data[destination]")
        token = self._methods.token_of(method["id"])
        row |= {"payment_method": method["id"], "last_payment_error": None, "next_action": None}
        if token.outcome in ("decline", "attach_only"):
            return self._fail(row, token)
        if token.outcome == "authenticate" and not given.get("authenticated"):
            if given.get("off_session"):
                return self._fail(row, token._replace(code="authentication_required", decline_code=None))
            row |= {"status": "requires_action", "next_action": next_action(stripe.PaymentIntent.NextAction)}
            return self._account.put("payment_intent", row, "payment_intent.requires_action")
        if row["setup_future_usage"] and row["customer"]:
            self._methods.attach(method["id"], row["customer"])
        if token.outcome in ("bank", "bank_fails"):
            row = self._account.put("payment_intent", row | {"status": "processing"}, "payment_intent.processing")
            due = {
                "id": row["id"],
                "at": _business_days_after(self._account.now, BANK_DAYS),
                "fails": token.outcome != "bank",
            }
            self._account.store.put("bank_debit", row["id"], due)
            return row
        return self._succeed(row)

    def cancel(self, name: str, given: Row) -> Row:
        row = self._account.get("payment_intent", name)
        if row["status"] in ("succeeded", "canceled", "processing"):
            raise unexpected("PaymentIntent", row["status"], "payment_intent_unexpected_state", payment_intent=row)
        row |= {"status": "canceled", "canceled_at": self._account.now, "next_action": None}
        row["cancellation_reason"] = given.get("cancellation_reason")
        return self._account.put("payment_intent", row, "payment_intent.canceled")

    def settle_bank_debit(self, name: str) -> None:
        """The bank has answered."""
        due = self._account.store.get("bank_debit", name)
        self._account.store.delete("bank_debit", name)
        row = self._account.get("payment_intent", name)
        if due and due["fails"]:
            try:
                self._fail(row, self._methods.token_of(row["payment_method"]))
            except StripeError:
                return
        self._succeed(row)

    def list(self, given: Row) -> Row:
        wanted = {"customer": given["customer"]} if "customer" in given else {}
        return page(self._account.find("payment_intent", **wanted), given, "/v1/payment_intents")

    def _of_customer(self, name: str, intent: Row) -> Row:
        method = self._methods.materialise(name)
        if method["customer"] and method["customer"] != intent["customer"]:
            message = f"The payment method `{name}` belongs to another customer."
            raise StripeError(message, code="payment_method_customer_decline", param="payment_method")
        if method["type"] in (intent["excluded_payment_method_types"] or []):
            message = f"The PaymentMethod provided ({method['type']}) is not allowed for this PaymentIntent."
            raise StripeError(message, param="payment_method")
        return method

    def _check_destination(self, given: Row) -> None:
        """An application fee is taken from a payment that goes to somebody else, and is no more than that."""
        destination, fee = (given.get("transfer_data") or {}).get("destination"), given.get("application_fee_amount")
        if destination:
            self._balance.check_destination(destination, "transfer_data[destination]")
        if fee is not None and not destination:
            message = (
                "Can only apply an application_fee_amount when the PaymentIntent is attempting a direct payment (using "
                "an OAuth key or Stripe-Account header) or destination payment (using `transfer_data[destination]`)."
            )
            raise StripeError(message, param="application_fee_amount")
        if fee is not None and not 0 < fee <= given["amount"]:
            message = "The application fee must be positive and no larger than the amount."
            raise StripeError(message, param="application_fee_amount")

    def _succeed(self, row: Row) -> Row:
        charge = self._charge(row, status="succeeded", paid=True, captured=True, amount_captured=row["amount"])
        charge = self._account.put("charge", charge, "charge.succeeded")
        row |= {"status": "succeeded", "amount_received": row["amount"], "latest_charge": charge["id"]}
        row = self._account.put("payment_intent", row, "payment_intent.succeeded")
        self._balance.settle(charge)
        for tell in self.settled:
            tell(row)
        return row

    def _fail(self, row: Row, token: Token) -> Row:
        error = card_error(token)
        charge = self._charge(row, status="failed", failure_code=token.code, failure_message=str(error))
        self._account.put("charge", charge, "charge.failed")
        failure = {key: error.body["error"].get(key) for key in ("code", "decline_code", "message", "type")}
        row |= {
            "status": "requires_payment_method",
            "latest_charge": charge["id"],
            "last_payment_error": {
                **failure,
                "payment_method": self._account.get("payment_method", row["payment_method"]),
            },
            "payment_method": None,
        }
        row = self._account.put("payment_intent", row, "payment_intent.payment_failed")
        for tell in self.settled:
            tell(row)
        error.body["error"] |= {"payment_intent": row, "charge": charge["id"]}
        raise error

    def _charge(self, intent: Row, **outcome: Any) -> Row:
        return self._account.new(
            stripe.Charge,
            "charge",
            amount=intent["amount"],
            currency=intent["currency"],
            customer=intent["customer"],
            payment_intent=intent["id"],
            payment_method=intent["payment_method"],
            application_fee_amount=intent["application_fee_amount"],
            transfer_group=intent["transfer_group"] or (f"group_{intent['id']}" if intent["transfer_data"] else None),
            transfer_data=_destination(intent["transfer_data"]),
            metadata=dict(intent["metadata"]),
            **outcome,
        )


def _destination(transfer_data: Row | None) -> Row | None:
    if transfer_data is None:
        return None
    given = {name: transfer_data[name] for name in ("amount", "destination")}
    return blank(stripe.Charge.TransferData, **given)


def _business_days_after(now: int, days: int) -> int:
    at = datetime.fromtimestamp(now, UTC)
    while days:
        at += timedelta(days=1)
        days -= at.weekday() < 5
    return int(at.timestamp())
