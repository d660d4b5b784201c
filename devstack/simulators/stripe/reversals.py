"""What comes back to the platform of a transfer and goes back of an application fee."""

from typing import Any

import stripe

from devstack.simulators.stripe.account import Account, as_list, merged_metadata, page
from devstack.simulators.stripe.balance import Balance
from devstack.simulators.stripe.shapes import Row, StripeError

EMBEDDED = 10  # as many as an object carries of its parts


def share(amount: int, part: int, whole: int) -> int:
    """part / whole of an amount, half-up."""
    return (2 * amount * part + whole) // (2 * whole)


class Reversals:
    def __init__(self, account: Account, balance: Balance) -> None:
        self._account = account
        self._balance = balance

    def create(self, name: str, given: Row) -> Row:
        """By itself, up to what is left of the transfer."""
        transfer = self._account.get("transfer", name, "transfer")
        left = transfer["amount"] - transfer["amount_reversed"]
        amount = given.get("amount", left)
        if transfer["destination"] in self._balance.broke:
            message = "Insufficient funds in Stripe account of the destination."
            raise StripeError(message, code="balance_insufficient", param="amount")
        if left == 0:
            raise StripeError(f"Transfer {name} is already fully reversed.", param="amount")
        if not 1 <= amount <= left:
            raise StripeError(f"Amount ({amount}) must be between 1 and the unreversed {left}.", param="amount")
        row = self._reverse(transfer, amount, metadata=merged_metadata({}, given.get("metadata")))
        if given.get("refund_application_fee"):
            charge = self._account.get("charge", transfer["source_transaction"] or "", "transfer")
            self.refund_fee(charge, transfer["amount_reversed"] + amount, transfer["amount"])
        return row

    def reverse_with(self, refund: str, charge: Row, amount: int) -> Row:
        """The part of a refund: of the charge's own transfer, in proportion, as far as there is something left."""
        transfer = self._account.store.get("transfer", charge["transfer"] or "")
        if transfer is None:
            message = "Cannot reverse transfer on a refund on a charge that does not have an associated transfer."
            raise StripeError(message, param="reverse_transfer")
        before, whole = charge["amount_refunded"], charge["amount"]
        part = share(transfer["amount"], before + amount, whole) - share(transfer["amount"], before, whole)
        left = transfer["amount"] - transfer["amount_reversed"]
        if left == 0:
            raise StripeError(f"Transfer {transfer['id']} is already fully reversed.", param="reverse_transfer")
        return self._reverse(self._account.get("transfer", transfer["id"]), min(part, left), source_refund=refund)

    def refund_fee(self, charge: Row, part: int, whole: int) -> None:
        """As much of the application fee as `part` of `whole` is, with what has gone back before."""
        fee = self._account.store.get("application_fee", charge["application_fee"] or "")
        if fee is None:
            message = "Cannot refund application fee on a charge that does not have one."
            raise StripeError(message, param="refund_application_fee")
        amount = share(fee["amount"], part, whole) - fee["amount_refunded"]
        if amount <= 0:
            return
        row = self._account.new(
            stripe.ApplicationFeeRefund,
            "fee_refund",
            amount=amount,
            currency=fee["currency"],
            fee=fee["id"],
            metadata={},
        )
        row["balance_transaction"] = self._balance.book("application_fee_refund", row, -amount)
        self._account.put("fee_refund", row)
        refunded = fee["amount_refunded"] + amount
        parts = self._account.find("fee_refund", fee=fee["id"])
        fee = fee | {"amount_refunded": refunded, "refunded": refunded == fee["amount"]}
        fee["refunds"] = _embedded(parts, f"/v1/application_fees/{fee['id']}/refunds")
        self._account.put("application_fee", fee, "application_fee.refunded")

    def list(self, name: str, given: Row) -> Row:
        self._account.get("transfer", name, "transfer")
        return page(self._account.find("transfer_reversal", transfer=name), given, f"/v1/transfers/{name}/reversals")

    def list_fee_refunds(self, name: str, given: Row) -> Row:
        self._account.get("application_fee", name, "fee")
        return page(self._account.find("fee_refund", fee=name), given, f"/v1/application_fees/{name}/refunds")

    def _reverse(self, transfer: Row, amount: int, **members: Any) -> Row:
        name = transfer["id"]
        row = self._account.new(
            stripe.TransferReversal,
            "transfer_reversal",
            amount=amount,
            currency=transfer["currency"],
            transfer=name,
            **{"metadata": {}, **members},
        )
        row["balance_transaction"] = self._balance.book("transfer_refund", row, amount)
        row = self._account.put("transfer_reversal", row)
        reversed_ = transfer["amount_reversed"] + amount
        transfer = transfer | {"amount_reversed": reversed_, "reversed": reversed_ == transfer["amount"]}
        parts = self._account.find("transfer_reversal", transfer=name)
        transfer["reversals"] = _embedded(parts, f"/v1/transfers/{name}/reversals")
        self._account.put("transfer", transfer, "transfer.reversed")
        return row


def _embedded(rows: list[Row], url: str) -> Row:
    return as_list(rows[::-1][:EMBEDDED], url) | {"has_more": len(rows) > EMBEDDED}
