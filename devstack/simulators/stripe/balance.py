"""The platform's balance: what a payment to a connected account moves, transaction by transaction.

A destination charge with an application fee adds the charge, takes Stripe's fee, transfers the whole charge to the
account and collects the application fee back from it (https://docs.stripe.com/connect/destination-charges).
"""

import stripe

from devstack.simulators.stripe.account import Account, merged_metadata, page
from devstack.simulators.stripe.shapes import Row, StripeError, blank

FEE_PERMILLE, FEE_FIXED = 29, 30  # Stripe's own: 2.9 % and 30 minor units
AVAILABLE_SECONDS = 2 * 86_400
PLATFORM = "platform"


class Balance:
    def __init__(self, account: Account) -> None:
        self._account = account
        self.broke: set[str] = set()  # accounts that nothing can be taken from; PLATFORM can give nothing

    def book(self, kind: str, source: Row, amount: int, *, fee: int = 0, category: str | None = None) -> str:
        """A balance transaction of an object: its id."""
        row = self._account.new(
            stripe.BalanceTransaction,
            "balance_transaction",
            type=kind,
            source=source["id"],
            amount=amount,
            fee=fee,
            net=amount - fee,
            currency=source["currency"],
            available_on=self._account.now + AVAILABLE_SECONDS,
            status="pending",
            balance_type="payments",
            reporting_category=category or kind,
        )
        if fee:
            detail = {"amount": fee, "currency": source["currency"], "type": "stripe_fee"}
            row["fee_details"] = [blank(stripe.BalanceTransaction.FeeDetail, **detail)]
        return str(self._account.put("balance_transaction", row)["id"])

    def settle(self, charge: Row) -> Row:
        """The charge's own transaction; with a destination also the transfer to it and the application fee from it."""
        fee = (charge["amount"] * FEE_PERMILLE + 500) // 1000 + FEE_FIXED
        charge["balance_transaction"] = self.book("charge", charge, charge["amount"], fee=fee)
        if not charge["transfer_data"]:
            return self._account.put("charge", charge)
        destination = charge["transfer_data"]["destination"]
        transfer = self._transfer(
            charge["transfer_data"]["amount"] or charge["amount"],
            charge["currency"],
            destination,
            source_transaction=charge["id"],
            transfer_group=charge["transfer_group"],
        )
        charge["transfer"] = transfer["id"]
        if charge["application_fee_amount"]:
            fee_row = self._account.new(
                stripe.ApplicationFee,
                "application_fee",
                account=destination,
                amount=charge["application_fee_amount"],
                application="ca_local",
                charge=transfer["destination_payment"],
                currency=charge["currency"],
                originating_transaction=charge["id"],
            )
            fee_row["refunds"]["url"] = f"/v1/application_fees/{fee_row['id']}/refunds"
            fee_row["balance_transaction"] = self.book("application_fee", fee_row, fee_row["amount"], category="fee")
            charge["application_fee"] = self._account.put("application_fee", fee_row, "application_fee.created")["id"]
        return self._account.put("charge", charge, "charge.updated")

    def transfer(self, given: Row) -> Row:
        """A transfer of its own, from the platform's balance."""
        if given.get("amount", 0) < 1:
            raise StripeError("Invalid positive integer", param="amount", code="parameter_invalid_integer")
        if "destination" not in given:
            message = "Missing required param: destination."
            raise StripeError(message, param="destination", code="parameter_missing")
        self.check_destination(given["destination"], "destination")
        if PLATFORM in self.broke and "source_transaction" not in given:
            message = "You have insufficient available funds in your Stripe account."
            raise StripeError(message, code="balance_insufficient")
        more = {key: given[key] for key in ("description", "transfer_group", "source_transaction") if key in given}
        metadata = merged_metadata({}, given.get("metadata"))
        return self._transfer(
            given["amount"], given["currency"].lower(), given["destination"], metadata=metadata, **more
        )

    def check_destination(self, name: str, parameter: str) -> None:
        account = self._account.store.get("account", name)
        if account is None:
            raise StripeError(f"No such destination: '{name}'", code="resource_missing", param=parameter)
        if account["capabilities"].get("transfers") != "active":
            message = (
                "Your destination account needs to have at least one of the following capabilities enabled: transfers,"
                " crypto_transfers, legacy_payments"
            )
            raise StripeError(message, code="insufficient_capabilities_for_transfer", param=parameter)

    def _transfer(self, amount: int, currency: str, destination: str, **more: Row | str | None) -> Row:
        row = self._account.new(
            stripe.Transfer, "transfer", amount=amount, currency=currency, destination=destination, source_type="card"
        )
        row |= {"metadata": {}, "destination_payment": f"py_{self._account.random(24)}", **more}
        row["transfer_group"] = row["transfer_group"] or f"group_{self._account.random(16)}"
        row["reversals"]["url"] = f"/v1/transfers/{row['id']}/reversals"
        row["balance_transaction"] = self.book("transfer", row, -amount)
        return self._account.put("transfer", row, "transfer.created")

    def transfers(self, given: Row) -> Row:
        wanted = {name: given[name] for name in ("destination", "transfer_group") if name in given}
        return page(self._account.find("transfer", **wanted), given, "/v1/transfers")

    def transactions(self, given: Row) -> Row:
        wanted = {name: given[name] for name in ("type", "source", "currency") if name in given}
        created = given.get("created") if isinstance(given.get("created"), dict) else {}
        since = int((created or {}).get("gte", 0))
        rows = [row for row in self._account.find("balance_transaction", **wanted) if row["created"] >= since]
        return page(rows, given, "/v1/balance_transactions")
