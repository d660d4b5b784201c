"""Invoices: draft, open, paid, void, uncollectible; paid through a payment intent of their own."""

from typing import Any

import stripe

from devstack.simulators.stripe.account import Account, as_list
from devstack.simulators.stripe.catalog import Catalog
from devstack.simulators.stripe.intents import Intents
from devstack.simulators.stripe.periods import Line
from devstack.simulators.stripe.shapes import Row, StripeError, blank

DRAFT_SECONDS = 3600
RETRY_DAYS = (3, 5, 7)


class Invoices:
    def __init__(self, account: Account, catalog: Catalog, intents: Intents) -> None:
        self._account = account
        self._catalog = catalog
        self._intents = intents
        intents.settled.append(self._settled)
        self.paid: list[Any] = []  # told of an invoice that was paid, or could not be
        self.failed: list[Any] = []
        self.retry_days: tuple[int, ...] = RETRY_DAYS

    def draft(self, customer: Row, lines: list[Line], currency: str, **members: Any) -> Row:
        """A new draft with these lines, not announced yet."""
        row = self._preview(customer, lines, currency, **members)
        return row | {"id": self._account.make_id("invoice")}

    def preview(self, customer: Row, lines: list[Line], currency: str, **members: Any) -> Row:
        """What a draft with these lines would be; it has no id of a kept invoice."""
        row = self._preview(customer, lines, currency, **members)
        balance = customer["balance"]
        return row | {
            "id": f"upcoming_in_{self._account.random(24)}",
            "starting_balance": balance,
            "ending_balance": min(0, balance + row["total"]),
            "amount_due": max(0, row["total"] + balance),
            "amount_remaining": max(0, row["total"] + balance),
        }

    def _preview(self, customer: Row, lines: list[Line], currency: str, **members: Any) -> Row:
        total = sum(line.amount for line in lines)
        subscription = members.pop("subscription", None)
        row = self._account.new(
            stripe.Invoice,
            "invoice",
            status="draft",
            currency=currency,
            customer=customer["id"],
            customer_email=customer["email"],
            customer_name=customer["name"],
            customer_tax_exempt="none",
            subtotal=total,
            total=total,
            amount_due=max(0, total),
            amount_remaining=max(0, total),
            period_start=min((line.start for line in lines), default=self._account.now),
            period_end=max((line.end for line in lines), default=self._account.now),
            metadata={},
            **{"auto_advance": True, "collection_method": "charge_automatically", **members},
        )
        row["lines"] = as_list([self._line(line, row["id"], subscription) for line in lines], "/v1/invoices/lines")
        row["parent"] = None
        if subscription:
            details = blank(stripe.Invoice.Parent.SubscriptionDetails, subscription=subscription["id"])
            details["metadata"] = dict(subscription["metadata"])
            row["parent"] = {"type": "subscription_details", "quote_details": None, "subscription_details": details}
        for unexpanded in ("payments", "confirmation_secret"):
            row.pop(unexpanded)
        return row

    def _line(self, line: Line, invoice: str, subscription: Row | None) -> Row:
        row = self._account.new(
            stripe.InvoiceLineItem,
            "line_item",
            amount=line.amount,
            subtotal=line.amount,
            currency=line.price["currency"],
            description=line.description,
            quantity=line.quantity,
            period={"start": line.start, "end": line.end},
            invoice=invoice,
            metadata={},
            subscription=subscription["id"] if subscription else None,
        )
        details = blank(
            stripe.InvoiceLineItem.Pricing.PriceDetails, price=line.price["id"], product=line.price["product"]
        )
        unit = line.price["unit_amount_decimal"]
        row["pricing"] = {"type": "price_details", "unit_amount_decimal": unit, "price_details": details}
        of_item = blank(
            stripe.InvoiceLineItem.Parent.SubscriptionItemDetails,
            proration=line.proration,
            subscription=subscription["id"] if subscription else None,
            subscription_item=line.item or "",
        )
        row["parent"] = {
            "type": "subscription_item_details",
            "invoice_item_details": None,
            "subscription_item_details": of_item,
        }
        return row

    def keep_for_next(self, row: Row, line: Line) -> None:
        """A proration that waits for the next invoice."""
        name = self._account.make_id("invoiceitem")
        kept = {"id": name, "subscription": row["id"], "line": line._asdict()}
        self._account.store.put("pending_line", name, kept)
        item = self._account.new(
            stripe.InvoiceItem,
            "invoiceitem",
            id=name,
            amount=line.amount,
            currency=row["currency"],
            customer=row["customer"],
            description=line.description,
            date=self._account.now,
            proration=True,
            quantity=line.quantity,
            quantity_decimal=str(line.quantity),
            metadata={},
        )
        self._account.put("invoiceitem", item, "invoiceitem.created")

    def waiting_lines(self, name: str, *, take: bool = False) -> list[Line]:
        rows = [row for row in self._account.store.all("pending_line") if row["subscription"] == name]
        for row in rows if take else ():
            self._account.store.delete("pending_line", row["id"])
        return [Line(**row["line"]) for row in rows]

    def finalize(self, row: Row) -> Row:
        """Number it, take the customer's balance into account, and make it payable; nothing due is paid at once."""
        customer = self._account.get("customer", row["customer"])
        balance = customer["balance"]
        due = max(0, row["total"] + balance)
        sequence = customer["next_invoice_sequence"]
        after = balance + row["total"] - due
        customer |= {"balance": after, "next_invoice_sequence": sequence + 1}
        self._account.put("customer", customer, "customer.updated" if after != balance else None)
        number = f"{customer['invoice_prefix']}-{sequence:04}"
        address = f"https://invoice.stripe.com/i/acct_local/test_{row['id']}"
        row |= {
            "status": "open",
            "number": number,
            "starting_balance": balance,
            "ending_balance": after,
            "amount_due": due,
            "amount_remaining": due,
            "hosted_invoice_url": address,
            "invoice_pdf": f"{address}/pdf",
            "effective_at": self._account.now,
            "automatically_finalizes_at": None,
        }
        row["status_transitions"] = {**row["status_transitions"], "finalized_at": self._account.now}
        row = self._account.put("invoice", row, "invoice.finalized")
        return self._mark_paid(row, None) if due == 0 else self._open_payment(row)

    def _open_payment(self, row: Row) -> Row:
        asked = {"amount": row["amount_due"], "currency": row["currency"], "customer": row["customer"]}
        if row["parent"]:
            asked |= {"setup_future_usage": "off_session", "description": "Subscription"}
        terms = self._account.store.get("invoice_terms", row["id"]) or {}
        asked |= {name: terms[name] for name in ("transfer_data", "application_fee_amount") if name in terms}
        intent = self._intents.create(asked)
        payment = self._account.new(
            stripe.InvoicePayment,
            "invoice_payment",
            amount_requested=row["amount_due"],
            currency=row["currency"],
            invoice=row["id"],
            is_default=True,
            status="open",
        )
        payment["payment"] = {"type": "payment_intent", "payment_intent": intent["id"]}
        self._account.put("invoice_payment", payment)
        return row

    def payment_of(self, row: Row) -> Row | None:
        """The payment intent that pays an invoice."""
        links = self._account.find("invoice_payment", invoice=row["id"])
        return self._account.get("payment_intent", links[-1]["payment"]["payment_intent"]) if links else None

    def pay(self, row: Row, method: str | None, *, off_session: bool = True) -> Row:
        """Try to collect an invoice; StripeError as the payment intent's own when it is declined."""
        if row["status"] == "draft":
            row = self.finalize(row)
        if row["status"] == "paid":
            return row
        if row["status"] not in ("open", "uncollectible"):
            raise StripeError("Invoice can no longer be paid.", code="invoice_not_editable")
        intent = self.payment_of(row)
        if not (method and intent):
            self._could_not(row)
            raise StripeError(
                "There is no default_payment_method set on this Customer or Invoice.",
                code="invoice_payment_intent_requires_action",
            )
        self._intents.confirm(intent["id"], {"payment_method": method, "off_session": off_session})
        return self._account.get("invoice", row["id"])

    def void(self, row: Row) -> Row:
        if row["status"] not in ("open", "uncollectible"):
            raise StripeError("You can only void an open invoice.", code="invoice_not_editable")
        intent = self.payment_of(row)
        if intent and intent["status"] in ("requires_payment_method", "requires_confirmation", "requires_action"):
            self._intents.cancel(intent["id"], {"cancellation_reason": "void_invoice"})
        row["status_transitions"] = {**row["status_transitions"], "voided_at": self._account.now}
        row |= {"status": "void", "amount_remaining": 0, "next_payment_attempt": None, "auto_advance": False}
        return self._account.put("invoice", row, "invoice.voided")

    def mark_uncollectible(self, row: Row) -> Row:
        row["status_transitions"] = {**row["status_transitions"], "marked_uncollectible_at": self._account.now}
        row |= {"status": "uncollectible", "next_payment_attempt": None, "auto_advance": False}
        return self._account.put("invoice", row, "invoice.marked_uncollectible")

    def _settled(self, intent: Row) -> None:
        links = [
            each for each in self._account.find("invoice_payment") if each["payment"]["payment_intent"] == intent["id"]
        ]
        for link in links:
            row = self._account.get("invoice", link["invoice"])
            if intent["status"] == "succeeded":
                self._mark_paid(row, link)
            elif intent["status"] == "requires_payment_method":
                self._could_not(row)

    def _mark_paid(self, row: Row, link: Row | None) -> Row:
        if link:
            transitions = {**link["status_transitions"], "paid_at": self._account.now}
            link |= {"status": "paid", "amount_paid": row["amount_due"], "status_transitions": transitions}
            self._account.put("invoice_payment", link, "invoice_payment.paid")
            row |= {"attempted": True, "attempt_count": row["attempt_count"] + 1}
        row["status_transitions"] = {**row["status_transitions"], "paid_at": self._account.now}
        row |= {"status": "paid", "amount_paid": row["amount_due"], "amount_remaining": 0, "next_payment_attempt": None}
        row = self._account.put("invoice", row, "invoice.paid")
        self._account.emit("invoice.payment_succeeded", row)
        for tell in self.paid:
            tell(row)
        return row

    def _could_not(self, row: Row) -> None:
        """An attempt failed: the next one is due on the retry schedule, which a first invoice has not."""
        count = row["attempt_count"] + 1
        automatic = row["collection_method"] == "charge_automatically"
        retries = automatic and count <= len(self.retry_days) and row["billing_reason"] != "subscription_create"
        due = self._account.now + self.retry_days[count - 1] * 86_400 if retries else None
        row |= {"attempted": True, "attempt_count": count, "next_payment_attempt": due}
        row = self._account.put("invoice", row, "invoice.payment_failed")
        self._account.emit("invoice.updated", row, row | {"next_payment_attempt": None, "attempt_count": count - 1})
        for tell in self.failed:
            tell(row)
