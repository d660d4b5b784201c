"""Invoices of no subscription: made empty, given lines, finalized, sent, and overdue in the end."""

import stripe

from devstack.simulators.stripe.account import Account, as_list, merged_metadata
from devstack.simulators.stripe.catalog import Catalog, check_amount
from devstack.simulators.stripe.invoices import Invoices
from devstack.simulators.stripe.shapes import Row, StripeError, blank

DAY_SECONDS = 86_400
MOST_LINES = 250


class OneOff:
    def __init__(self, account: Account, catalog: Catalog, invoices: Invoices) -> None:
        self._account = account
        self._catalog = catalog
        self._invoices = invoices

    def create(self, given: Row) -> Row:
        customer = self._catalog.customer(given.get("customer", ""))
        if given.get("subscription") and "pending_invoice_items_behavior" in given:
            message = "You may not pass `pending_invoice_items_behavior` with `subscription`."
            raise StripeError(message, param="pending_invoice_items_behavior")
        if given.get("subscription") or given.get("pending_invoice_items_behavior", "exclude") != "exclude":
            raise StripeError("Only empty invoices of no subscription are made here.", param="subscription")
        sent = given.get("collection_method", "charge_automatically") == "send_invoice"
        if sent and "days_until_due" not in given and "due_date" not in given:
            message = "If collection_method is `send_invoice`, you must pass either `due_date` or `days_until_due`."
            raise StripeError(message, param="days_until_due", code="parameter_missing")
        if not sent and given.keys() & {"days_until_due", "due_date"}:
            raise StripeError("You can only pass days_until_due with `send_invoice`.", param="days_until_due")
        currency = given.get("currency", "usd").lower()
        self._catalog.require_one_currency(customer["id"], currency, param="currency")
        row = self._invoices.draft(
            customer,
            [],
            currency,
            billing_reason="manual",
            auto_advance=given.get("auto_advance", False),
            collection_method=given.get("collection_method", "charge_automatically"),
            description=given.get("description"),
        )
        row["metadata"] = merged_metadata({}, given.get("metadata"))
        row["due_date"] = given.get("due_date")
        # Not shown by the API: what happens when it is finalized, and when it is paid.
        hidden: Row = {
            key: given[key] for key in ("days_until_due", "transfer_data", "application_fee_amount") if key in given
        }
        if "destination" in (transfer := hidden.get("transfer_data") or {}):
            self._account.get("account", transfer["destination"], "transfer_data[destination]")
        if hidden.get("application_fee_amount") and not transfer:
            message = "You can only apply an application_fee_amount when the invoice is attempted with a destination."
            raise StripeError(message, param="application_fee_amount")
        self._account.store.put("invoice_terms", row["id"], {"id": row["id"], **hidden})
        return self._account.put("invoice", row, "invoice.created")

    def _draft(self, name: str) -> Row:
        row = self._account.get("invoice", name)
        if row["status"] != "draft":
            message = "This invoice is no longer editable because it has been finalized."
            raise StripeError(message, code="invoice_not_editable")
        return row

    def add_lines(self, name: str, given: Row) -> Row:
        row = self._draft(name)
        lines = row["lines"]["data"] + [self._line(row, each) for each in given.get("lines") or []]
        if len(lines) > MOST_LINES:
            raise StripeError(f"An invoice can have at most {MOST_LINES} lines.", param="lines")
        total = sum(line["amount"] for line in lines)
        row["lines"] = {**as_list(lines, f"/v1/invoices/{name}/lines")}
        row |= {"subtotal": total, "total": total, "amount_due": max(0, total), "amount_remaining": max(0, total)}
        return self._account.put("invoice", row, "invoice.updated")

    def _line(self, invoice: Row, given: Row) -> Row:
        if "amount" not in given:
            raise StripeError("Lines are given by their `amount` here.", param="lines[0][amount]")
        period = given.get("period") or {"start": self._account.now, "end": self._account.now}
        row = self._account.new(
            stripe.InvoiceLineItem,
            "line_item",
            amount=given["amount"],
            subtotal=given["amount"],
            currency=invoice["currency"],
            description=given.get("description"),
            quantity=given.get("quantity", 1),
            period={"start": int(period["start"]), "end": int(period["end"])},
            invoice=invoice["id"],
            metadata=merged_metadata({}, given.get("metadata")),
        )
        of_item = blank(
            stripe.InvoiceLineItem.Parent.InvoiceItemDetails, invoice_item=self._account.make_id("invoiceitem")
        )
        row["parent"] = {
            "type": "invoice_item_details",
            "invoice_item_details": of_item,
            "subscription_item_details": None,
        }
        return row

    def finalize(self, name: str, given: Row) -> Row:
        row = self._account.get("invoice", name)
        if row["status"] != "draft":
            raise StripeError("This invoice is already finalized.", code="invoice_not_editable")
        terms = self._account.store.get("invoice_terms", name) or {}
        if terms.get("application_fee_amount", 0) > row["total"]:
            message = "The application fee cannot exceed the amount of the invoice."
            raise StripeError(message, param="application_fee_amount")
        if row["total"]:
            check_amount(row["total"], row["currency"])
        if "auto_advance" in given:
            row["auto_advance"] = given["auto_advance"]
        if row["collection_method"] == "send_invoice" and not row["due_date"]:
            row["due_date"] = self._account.now + terms["days_until_due"] * DAY_SECONDS
        return self._invoices.finalize(row)

    def send(self, name: str) -> Row:
        row = self._account.get("invoice", name)
        if row["collection_method"] != "send_invoice":
            raise StripeError("You can only send an invoice with `collection_method` of `send_invoice`.")
        if row["status"] == "draft":
            row = self.finalize(name, {})
        if not row["customer_email"]:
            raise StripeError("The customer has no email address to send the invoice to.", code="email_invalid")
        if row["status"] == "void":
            raise StripeError("You cannot send a void invoice.", code="invoice_not_editable")
        self._account.emit("invoice.sent", row)
        return row

    def notice_overdue(self, name: str) -> None:
        """The due date has passed and nobody has paid."""
        row = self._account.get("invoice", name)
        self._account.store.put("noticed", f"{name}/overdue", {"id": name})
        self._account.emit("invoice.overdue", row)
