"""Disputes: inquiries and chargebacks, evidence, and how they end.

As in Stripe's test mode: the payment method decides that there is one, words in the evidence decide how it ends
(https://docs.stripe.com/testing#disputes), and so does an unanswered deadline. `_control` does what banks do.
"""

from collections.abc import Iterator
from functools import partial

import stripe

from devstack.simulators.stripe.account import Account, merged_metadata, page
from devstack.simulators.stripe.balance import Balance
from devstack.simulators.stripe.methods import Methods
from devstack.simulators.stripe.refunds import Refunds
from devstack.simulators.stripe.renewals import Step
from devstack.simulators.stripe.shapes import Row, StripeError, blank

FEE = 1500  # for each chargeback, whoever wins it
RESPONSE_SECONDS = 9 * 86_400
REASONS = {"dispute": "fraudulent", "inquiry": "fraudulent", "dispute_not_received": "product_not_received"}
CLOSED = ("won", "lost", "warning_closed", "prevented")
WORDS = {"winning_evidence": "won", "losing_evidence": "lost", "escalate_inquiry_evidence": "escalated"}
EVENT = "charge.dispute."


class Disputes:
    def __init__(self, account: Account, methods: Methods, balance: Balance, refunds: Refunds) -> None:
        self._account = account
        self._methods = methods
        self._balance = balance
        self._refunds = refunds

    def settled(self, intent: Row) -> None:
        """A payment succeeded, perhaps with a card whose holder disputes it at once."""
        charge = self._account.store.get("charge", intent["latest_charge"] or "")
        outcome = self._methods.token_of(charge["payment_method"]).outcome if charge else ""
        if charge and charge["status"] == "succeeded" and outcome in REASONS:
            self.open(charge["id"], inquiry=outcome == "inquiry", reason=REASONS[outcome])

    def open(self, charge: str, *, inquiry: bool = False, reason: str = "fraudulent", amount: int | None = None) -> Row:
        """The card holder goes to his bank, which asks (an inquiry) or takes the money back (a chargeback)."""
        found = self._account.get("charge", charge)
        left = found["amount"] - found["amount_refunded"]
        row = self._account.new(
            stripe.Dispute,
            "dispute",
            amount=amount or left or found["amount"],
            currency=found["currency"],
            charge=charge,
            payment_intent=found["payment_intent"],
            reason=reason,
            status="warning_needs_response" if inquiry else "needs_response",
            is_charge_refundable=inquiry,
            metadata={},
        )
        due = self._account.now + RESPONSE_SECONDS
        row["evidence_details"] |= {"due_by": due, "submission_method": "not_submitted"}
        card = blank(
            stripe.Dispute.PaymentMethodDetails.Card,
            brand="visa",
            network="visa",
            case_type="inquiry" if inquiry else "chargeback",
        )
        row["payment_method_details"] = {"type": "card", "card": card}
        self._account.put("charge", found | {"disputed": True})
        row = self._account.put("dispute", row, EVENT + "created")
        if not inquiry:
            row = self._withdraw(row)
            self._refunds.fail_pending(charge)
        return row

    def update(self, name: str, given: Row) -> Row:
        row = self._account.get("dispute", name)
        self._refuse_closed(row)
        evidence = {**row["evidence"], **(given.get("evidence") or {})}
        details = {**row["evidence_details"], "has_evidence": any(evidence.values())}
        row |= {"evidence": evidence, "evidence_details": details}
        row["metadata"] = merged_metadata(row["metadata"], given.get("metadata"))
        if not given.get("submit", True) or row["status"] not in ("needs_response", "warning_needs_response"):
            return self._account.put("dispute", row, EVENT + "updated")
        details |= {"submission_count": details["submission_count"] + 1, "submission_method": "manual"}
        row["status"] = "warning_under_review" if row["status"].startswith("warning") else "under_review"
        row = self._account.put("dispute", row, EVENT + "updated")
        told = str(evidence.get("uncategorized_text") or "")
        if outcome := next((outcome for word, outcome in WORDS.items() if word in told), None):
            return self.decide(name, outcome)
        return row

    def close(self, name: str) -> Row:
        """To accept a dispute is to lose it."""
        row = self._account.get("dispute", name)
        self._refuse_closed(row)
        return self.decide(name, "lost")

    def list(self, given: Row) -> Row:
        wanted = {name: given[name] for name in ("charge", "payment_intent") if name in given}
        return page(self._account.find("dispute", **wanted), given, "/v1/disputes")

    def decide(self, name: str, outcome: str) -> Row:
        """The bank's word: won or lost, which closes an inquiry either way; or an inquiry is escalated."""
        row = self._account.get("dispute", name)
        self._refuse_closed(row)
        inquiry = row["status"].startswith("warning")
        if outcome == "escalated":
            if not inquiry:
                raise StripeError("Only an inquiry can be escalated.")
            return self._escalate(row)
        if inquiry:
            closed = row | {"status": "warning_closed", "is_charge_refundable": True}
            return self._account.put("dispute", closed, EVENT + "closed")
        row = self._account.put(
            "dispute", row | {"status": outcome, "is_charge_refundable": outcome == "won"}, EVENT + "closed"
        )
        return self._reinstate(row) if outcome == "won" else row

    def steps(self) -> Iterator[Step]:
        """What nobody answers is lost, and an inquiry closed."""
        for row in self._account.store.all("dispute"):
            if row["status"] in ("needs_response", "warning_needs_response"):
                yield Step(row["evidence_details"]["due_by"], row["id"], partial(self._lapse, row["id"]))

    def _lapse(self, name: str) -> None:
        row = self._account.get("dispute", name)
        self._account.put("dispute", row | {"evidence_details": row["evidence_details"] | {"past_due": True}})
        self.decide(name, "lost")

    def _escalate(self, row: Row) -> Row:
        details = row["evidence_details"] | {"due_by": self._account.now + RESPONSE_SECONDS, "past_due": False}
        method = row["payment_method_details"]
        method = method | {"card": method["card"] | {"case_type": "chargeback"}}
        row |= {"status": "needs_response", "is_charge_refundable": False, "evidence_details": details}
        row = self._account.put("dispute", row | {"payment_method_details": method}, EVENT + "updated")
        row = self._withdraw(row)
        self._refunds.fail_pending(row["charge"])
        return row

    def _withdraw(self, row: Row) -> Row:
        moved = self._balance.book("adjustment", row, -row["amount"], fee=FEE, category="dispute")
        return self._moved(row, moved, "funds_withdrawn")

    def _reinstate(self, row: Row) -> Row:
        moved = self._balance.book("adjustment", row, row["amount"], category="dispute_reversal")
        return self._moved(row, moved, "funds_reinstated")

    def _moved(self, row: Row, transaction: str, event: str) -> Row:
        booked = self._account.get("balance_transaction", transaction)
        row["balance_transactions"] = [*row["balance_transactions"], booked]
        return self._account.put("dispute", row, EVENT + event)

    def _refuse_closed(self, row: Row) -> None:
        if row["status"] in CLOSED:
            raise StripeError("This dispute is already closed.", code="dispute_already_closed")
