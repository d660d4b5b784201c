"""Payment methods and setup intents: what a card does is decided by the test token that it came from."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import stripe

from devstack.simulators.stripe.account import Account, merged_metadata, page
from devstack.simulators.stripe.shapes import Row, StripeError, blank


class Token(NamedTuple):
    """What stands behind a test payment method. `outcome` is what Payment intents read."""

    kind: str
    last4: str
    outcome: str = "ok"
    code: str = "card_declined"
    decline_code: str | None = None
    brand: str = "visa"


def _declined(last4: str, decline_code: str | None, code: str = "card_declined") -> Token:
    return Token("card", last4, "decline", code, decline_code)


TOKENS = {
    "pm_card_visa": Token("card", "4242"),
    "pm_card_mastercard": Token("card", "4444", brand="mastercard"),
    "pm_card_amex": Token("card", "0005", brand="amex"),
    "pm_card_chargeDeclined": _declined("0002", "generic_decline"),
    "pm_card_visa_chargeDeclined": _declined("0002", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": _declined("9995", "insufficient_funds"),
    "pm_card_chargeDeclinedExpiredCard": _declined("0069", None, "expired_card"),
    "pm_card_chargeDeclinedIncorrectCvc": _declined("0127", None, "incorrect_cvc"),
    "pm_card_chargeDeclinedProcessingError": _declined("0119", None, "processing_error"),
    "pm_card_chargeCustomerFail": Token("card", "0341", "attach_only", decline_code="generic_decline"),
    "pm_card_authenticationRequired": Token("card", "3184", "authenticate"),
    "pm_card_createDispute": Token("card", "0259", "dispute"),
    "pm_card_createDisputeProductNotReceived": Token("card", "2685", "dispute_not_received"),
    "pm_card_createDisputeInquiry": Token("card", "1976", "inquiry"),
    "pm_card_refundFail": Token("card", "5126", "refund_fails"),
    "pm_card_pendingRefund": Token("card", "7726", "refund_pends"),
    "pm_usBankAccount_success": Token("us_bank_account", "6789", "bank"),
    "pm_usBankAccount_insufficientFunds": Token("us_bank_account", "2227", "bank_fails", "insufficient_funds"),
    "pm_sepaDebit_success": Token("sepa_debit", "3000", "bank"),
    "pm_link": Token("link", "", brand="link"),
}


class Methods:
    def __init__(self, account: Account) -> None:
        self._account = account

    def token_of(self, method: str) -> Token:
        """What stands behind a payment method; a token itself may be used in its place."""
        row = self._account.store.get("token", method)
        return TOKENS[row["token"]] if row else TOKENS[method]

    def materialise(self, name: str) -> Row:
        """A payment method by id; a test token is cloned to a new one, as Stripe does."""
        if name not in TOKENS:
            return self._account.get("payment_method", name, "payment_method")
        token = TOKENS[name]
        row = self._account.new(
            stripe.PaymentMethod, "payment_method", type=token.kind, metadata={}, allow_redisplay="unspecified"
        )
        for kind in [key for key, value in row.items() if value is None and key not in ("customer", "metadata")]:
            row.pop(kind)
        row[token.kind] = _details(token, self._account.now)
        self._account.store.put("token", row["id"], {"id": row["id"], "token": name})
        return self._account.put("payment_method", row)

    def attach(self, name: str, customer: str) -> Row:
        row = self.materialise(name)
        if row["customer"] == customer:
            return row
        if self._account.store.get("detached", row["id"]) or row["customer"]:
            message = "This PaymentMethod was previously used and cannot be attached. Use a new one."
            raise StripeError(message, code="payment_method_unexpected_state")
        self._refuse_declined(row)
        return self._account.put("payment_method", row | {"customer": customer}, "payment_method.attached")

    def detach(self, name: str) -> Row:
        row = self._account.get("payment_method", name)
        holder = row["customer"]
        if not holder:
            message = "The payment method you provided is not attached to a customer so detachment is impossible."
            raise StripeError(message, code="payment_method_not_attached")
        self._account.store.put("detached", name, {"id": name})
        row = self._account.put("payment_method", row | {"customer": None}, "payment_method.detached")
        customer = self._account.get("customer", holder)
        settings = customer.get("invoice_settings") or {}
        if settings.get("default_payment_method") == name:
            customer["invoice_settings"] = {**settings, "default_payment_method": None}
            self._account.put("customer", customer, "customer.updated")
        for subscription in self._account.find("subscription", default_payment_method=name):
            self._account.put(
                "subscription", subscription | {"default_payment_method": None}, "customer.subscription.updated"
            )
        return row

    def list_methods(self, given: Row) -> Row:
        rows = self._account.find("payment_method", customer=given.get("customer"))
        kinds = {given.get("type")} if given.get("type") else {row["type"] for row in rows}
        return page([row for row in rows if row["type"] in kinds], given, "/v1/payment_methods")

    def _refuse_declined(self, method: Row) -> None:
        token = self.token_of(method["id"])
        if token.outcome == "decline":
            raise card_error(token)

    # ---- Setup intents

    def create_setup_intent(self, given: Row) -> Row:
        refuse_old_method_types(given)
        row = self._account.new(
            stripe.SetupIntent,
            "setup_intent",
            customer=given.get("customer"),
            usage=given.get("usage", "off_session"),
            status="requires_payment_method",
            payment_method_types=["card", "link", "us_bank_account"],
            metadata=merged_metadata({}, given.get("metadata")),
        )
        row["client_secret"] = f"{row['id']}_secret_{self._account.random(24)}"
        row = self._account.put("setup_intent", row, "setup_intent.created")
        if given.get("confirm"):
            return self.confirm_setup_intent(row["id"], given)
        return row

    def confirm_setup_intent(self, name: str, given: Row) -> Row:
        row = self._account.get("setup_intent", name)
        if row["status"] not in ("requires_payment_method", "requires_confirmation", "requires_action"):
            raise unexpected("SetupIntent", row["status"], "setup_intent_unexpected_state")
        method = self.materialise(given.get("payment_method") or row["payment_method"] or "")
        token = self.token_of(method["id"])
        if token.outcome == "decline":
            self._account.put("setup_intent", row, "setup_intent.setup_failed")
            raise card_error(token)
        row["payment_method"] = method["id"]
        if token.outcome == "authenticate" and not given.get("authenticated"):
            row |= {"status": "requires_action", "next_action": next_action(stripe.SetupIntent.NextAction)}
            return self._account.put("setup_intent", row, "setup_intent.requires_action")
        if row["customer"]:
            self.attach(method["id"], row["customer"])
        if token.kind in ("us_bank_account", "sepa_debit"):
            mandate = self._account.new(stripe.Mandate, "mandate", payment_method=method["id"], status="active")
            row["mandate"] = self._account.put("mandate", mandate)["id"]
        return self._account.put(
            "setup_intent", row | {"status": "succeeded", "next_action": None}, "setup_intent.succeeded"
        )


def card_error(token: Token) -> StripeError:
    messages = {
        "expired_card": "Your card has expired.",
        "incorrect_cvc": "Your card's security code is incorrect.",
        "processing_error": "An error occurred while processing your card. Try again in a little bit.",
        "authentication_required": "Your card was declined. This transaction requires authentication.",
    }
    decline = {"decline_code": token.decline_code} if token.decline_code else {}
    message = messages.get(token.code, "Your card was declined.")
    return StripeError(message, status=402, code=token.code, **decline)


def _details(token: Token, now: int) -> Row:
    match token.kind:
        case "card":
            year = datetime.fromtimestamp(now, UTC).year + 3
            return blank(
                stripe.PaymentMethod.Card,
                brand=token.brand,
                last4=token.last4,
                exp_month=12,
                exp_year=year,
                funding="credit",
                fingerprint=f"fp{token.last4}",
                country="US",
            )
        case "us_bank_account":
            bank = {"bank_name": "STRIPE TEST BANK", "account_type": "checking", "account_holder_type": "individual"}
            return blank(stripe.PaymentMethod.UsBankAccount, last4=token.last4, routing_number="110000000", **bank)
        case "sepa_debit":
            return blank(stripe.PaymentMethod.SepaDebit, last4=token.last4, country="DE", bank_code="37040044")
    return blank(stripe.PaymentMethod.Link, email="link@example.com")


def refuse_old_method_types(given: Row) -> None:
    if "payment_method_types" in given:
        message = "payment_method_types is no longer supported; use allowed_payment_method_types."
        raise StripeError(message, code="payment_method_types_no_longer_supported", param="payment_method_types")


def unexpected(kind: str, status: str, code: str, **members: Any) -> StripeError:
    return StripeError(f"This {kind}'s status does not allow this: {status}.", code=code, **members)


def next_action(declared: type) -> Row:
    row = blank(declared, type="use_stripe_sdk")
    return row | {"use_stripe_sdk": {}}
