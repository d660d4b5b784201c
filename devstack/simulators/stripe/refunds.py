"""Refunds: what they give back, and what they take from those who had a share of the charge.

A refund that fails returns to the platform's balance. The reversals that came with it stay, as at Stripe: whoever made
the refund decides who has the money then. https://docs.stripe.com/connect/destination-charges#issue-refunds
"""

from collections.abc import Iterator
from functools import partial

import stripe

from devstack.simulators.stripe.account import Account, merged_metadata, page
from devstack.simulators.stripe.balance import Balance
from devstack.simulators.stripe.methods import Methods
from devstack.simulators.stripe.renewals import Step
from devstack.simulators.stripe.reversals import Reversals
from devstack.simulators.stripe.shapes import Row, StripeError

SETTLE_SECONDS = 3600  # until a refund that is pending, or that will fail, has its outcome
UPDATED = "refund.updated"


class Refunds:
    def __init__(self, account: Account, methods: Methods, balance: Balance, reversals: Reversals) -> None:
        self._account = account
        self._methods = methods
        self._balance = balance
        self._reversals = reversals

    def create(self, given: Row) -> Row:
        charge = self._charge(given)
        left = charge["amount_captured"] - charge["amount_refunded"]
        if self._disputed(charge):
            message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
            raise StripeError(message, code="charge_disputed")
        if left == 0:
            raise StripeError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
        amount = given.get("amount", left)
        if amount < 1:
            raise StripeError("Invalid positive integer", code="parameter_invalid_integer", param="amount")
        if amount > left:
            message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
            raise StripeError(message, param="amount")
        outcome = self._methods.token_of(charge["payment_method"]).outcome
        row = self._account.new(
            stripe.Refund,
            "refund",
            amount=amount,
            currency=charge["currency"],
            charge=charge["id"],
            payment_intent=charge["payment_intent"],
            reason=given.get("reason"),
            status="pending" if outcome == "refund_pends" else "succeeded",
            pending_reason="processing" if outcome == "refund_pends" else None,
            metadata=merged_metadata({}, given.get("metadata")),
        )
        if given.get("reverse_transfer"):
            row["transfer_reversal"] = self._reversals.reverse_with(row["id"], charge, amount)["id"]
        if given.get("refund_application_fee"):
            self._reversals.refund_fee(charge, charge["amount_refunded"] + amount, charge["amount"])
        row["balance_transaction"] = self._balance.book("refund", row, -amount)
        if outcome in ("refund_pends", "refund_fails"):
            due = {"id": row["id"], "at": self._account.now + SETTLE_SECONDS, "fails": outcome == "refund_fails"}
            self._account.store.put("unsettled_refund", row["id"], due)
        refunded = charge["amount_refunded"] + amount
        row = self._account.put("refund", row, "refund.created")
        charge |= {"amount_refunded": refunded, "refunded": refunded == charge["amount_captured"]}
        self._account.put("charge", charge, "charge.refunded")
        return self._account.get("refund", row["id"])

    def update(self, name: str, given: Row) -> Row:
        row = self._account.get("refund", name)
        row["metadata"] = merged_metadata(row["metadata"], given.get("metadata"))
        return self._account.put("refund", row, UPDATED)

    def list(self, given: Row) -> Row:
        wanted = {name: given[name] for name in ("charge", "payment_intent") if name in given}
        return page(self._account.find("refund", **wanted), given, "/v1/refunds")

    def succeed(self, name: str) -> None:
        """The bank has the money; what it has sent back it does not get by itself."""
        row = self._unsettled(name)
        if row["status"] not in ("pending", "succeeded"):
            raise StripeError(f"This refund is {row['status']}.")
        self._account.put("refund", row | {"status": "succeeded", "pending_reason": None}, UPDATED)

    def fail(self, name: str, reason: str = "expired_or_canceled_card") -> None:
        """The bank sends it back, also after it had succeeded."""
        row = self._unsettled(name)
        if row["status"] not in ("pending", "succeeded"):
            raise StripeError(f"This refund is {row['status']}.")
        returned = self._balance.book("refund_failure", row, row["amount"])
        failure = {"status": "failed", "failure_reason": reason, "failure_balance_transaction": returned}
        row = self._account.put("refund", row | failure | {"pending_reason": None}, UPDATED)
        self._account.emit("refund.failed", row)
        charge = self._account.get("charge", row["charge"])
        charge |= {"amount_refunded": charge["amount_refunded"] - row["amount"], "refunded": False}
        self._account.put("charge", charge, "charge.updated")

    def fail_pending(self, charge: str) -> None:
        """What is under way to a card holder who disputes the charge does not arrive."""
        for row in self._account.find("refund", charge=charge, status="pending"):
            self.fail(row["id"], "charge_for_pending_refund_disputed")

    def steps(self) -> Iterator[Step]:
        for due in self._account.store.all("unsettled_refund"):
            yield Step(due["at"], due["id"], partial(self.fail if due["fails"] else self.succeed, due["id"]))

    def _unsettled(self, name: str) -> Row:
        self._account.store.delete("unsettled_refund", name)
        return self._account.get("refund", name)

    def _charge(self, given: Row) -> Row:
        if ("charge" in given) == ("payment_intent" in given):
            raise StripeError("One of the following params should be provided: payment_intent or charge.")
        if "charge" in given:
            charge = self._account.get("charge", given["charge"], "charge")
        else:
            intent = self._account.get("payment_intent", given["payment_intent"], "payment_intent")
            charge = self._account.store.get("charge", intent["latest_charge"] or "") or {}
        if charge.get("status") != "succeeded":
            raise StripeError("This payment does not have a successful charge to refund.", param="payment_intent")
        return dict(charge)

    def _disputed(self, charge: Row) -> bool:
        return any(not each["is_charge_refundable"] for each in self._account.find("dispute", charge=charge["id"]))
