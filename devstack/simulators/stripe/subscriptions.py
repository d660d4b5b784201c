"""Subscriptions: what calls change. What time changes is in renewals.py."""

from typing import Any

import stripe

from devstack.simulators.stripe.account import Account, as_list, merged_metadata
from devstack.simulators.stripe.catalog import Catalog
from devstack.simulators.stripe.changes import Changes
from devstack.simulators.stripe.invoices import Invoices
from devstack.simulators.stripe.periods import Line, full_line, period_end, unused
from devstack.simulators.stripe.shapes import Row, StripeError, blank

UPDATED = "customer.subscription.updated"
INCOMPLETE_SECONDS = 23 * 3600
NOTICE_SECONDS = 3 * 86_400
MOST_TRIAL_SECONDS = 730 * 86_400


class Subscriptions:
    def __init__(self, account: Account, catalog: Catalog, invoices: Invoices) -> None:
        self._account = account
        self._catalog = catalog
        self._invoices = invoices
        self._changes = Changes(account)
        invoices.paid.append(self._paid)
        invoices.failed.append(self._failed)

    # ---- Create

    def create(self, given: Row) -> Row:
        customer = self._catalog.customer(given.get("customer", ""))
        if not given.get("items"):
            raise StripeError("Missing required param: items.", code="parameter_missing", param="items")
        at, items = self._account.now, [self._changes.item(each) for each in given["items"]]
        currency = items[0]["price"]["currency"]
        self._catalog.require_one_currency(customer["id"], currency, param="items[0][price]")
        row = self._account.new(
            stripe.Subscription,
            "subscription",
            customer=customer["id"],
            currency=currency,
            status="incomplete",
            billing_cycle_anchor=at,
            start_date=at,
            default_payment_method=given.get("default_payment_method"),
            metadata=merged_metadata({}, given.get("metadata")),
        )
        row["billing_mode"] = {"type": "flexible", "flexible": {"proration_discounts": "included"}, "updated_at": None}
        row["payment_settings"] = blank(stripe.Subscription.PaymentSettings, **given.get("payment_settings") or {})
        trial = self._trial_end(given)
        if trial:
            row |= {"status": "trialing", "trial_start": at, "trial_end": trial, "billing_cycle_anchor": trial}
        behaviour = (given.get("trial_settings") or {}).get("end_behavior") or {
            "missing_payment_method": "create_invoice"
        }
        row["trial_settings"] = {"end_behavior": behaviour}
        end = trial or period_end(at, at, items[0]["price"]["recurring"])
        for item in items:
            item |= {"subscription": row["id"], "current_period_start": at, "current_period_end": end}
        row["items"] = as_list(items, f"/v1/subscription_items?subscription={row['id']}")
        row |= self._changes.cancel_members(row, given)
        self._account.put("subscription", row, "customer.subscription.created")
        if trial and trial - at <= NOTICE_SECONDS:
            self.notice_trial_end(row)
        return self._first_invoice(row, customer, items, given, trial=trial)

    def _first_invoice(self, row: Row, customer: Row, items: list[Row], given: Row, *, trial: int | None) -> Row:
        at = self._account.now
        lines = [full_line(item, at, item["current_period_end"]) for item in items]
        lines = [line._replace(amount=0) for line in lines] if trial else lines
        invoice = self._invoices.draft(
            customer, lines, row["currency"], subscription=row, billing_reason="subscription_create"
        )
        invoice = self._account.put("invoice", invoice, "invoice.created")
        self._account.put("subscription", row | {"latest_invoice": invoice["id"]})
        invoice = self._invoices.finalize(invoice)
        behaviour = given.get("payment_behavior", "allow_incomplete")
        method = self.method(row, customer)
        if invoice["status"] != "paid" and behaviour != "default_incomplete":
            try:
                self._invoices.pay(invoice, method, off_session=bool(given.get("off_session")))
            except StripeError:
                if behaviour == "error_if_incomplete":
                    raise
        return self._account.get("subscription", row["id"])

    def _trial_end(self, given: Row) -> int | None:
        at, end = self._account.now, given.get("trial_end")
        if given.get("trial_period_days"):
            end = at + given["trial_period_days"] * 86_400
        if end in (None, "now", ""):
            return None
        if not at < end <= at + MOST_TRIAL_SECONDS:
            raise StripeError("Invalid timestamp: must be in the future, at most two years ahead.", param="trial_end")
        return int(end)

    def notice_trial_end(self, row: Row) -> None:
        self._account.store.put("noticed", f"{row['id']}/{row['trial_end']}", {"id": row["id"]})
        self._account.emit("customer.subscription.trial_will_end", row)

    def method(self, row: Row, customer: Row | None = None) -> str | None:
        """The payment method that a charge takes: the subscription's own, else the customer's default."""
        customer = customer or self._account.get("customer", row["customer"])
        own: str | None = row["default_payment_method"]
        return own or (customer.get("invoice_settings") or {}).get("default_payment_method")

    # ---- Change

    def update(self, name: str, given: Row) -> Row:
        row = self.alive(name, given)
        at = self._proration_date(row, given)
        lines, changed = self._changes.change(row, given, at)
        immediately = given.get("proration_behavior") == "always_invoice" or changed["billing_cycle_anchor"] == at
        pending = given.get("payment_behavior") == "pending_if_incomplete" and immediately and lines
        before = self._account.get("subscription", name)
        if not immediately or not lines:
            self._account.put("subscription", changed, UPDATED)
        if not lines or (given.get("proration_behavior") == "none" and not immediately):
            return self._account.get("subscription", name)
        if not immediately:
            for line in lines:
                self._invoices.keep_for_next(changed, line)
            return self._account.get("subscription", name)
        return self._invoice_change(before, changed, lines, given, pending=bool(pending))

    def alive(self, name: str, given: Row) -> Row:
        row = self._account.get("subscription", name)
        if row["status"] in ("canceled", "incomplete_expired") and given.keys() - {
            "metadata",
            "cancellation_details",
            "expand",
        }:
            message = "A canceled subscription can only update its cancellation_details and metadata."
            raise StripeError(message, code="resource_missing" if row["status"] != "canceled" else None)
        return row

    def _proration_date(self, row: Row, given: Row) -> int:
        """Any second of the current period, also one that has passed."""
        at = int(given.get("proration_date") or self._account.now)
        item = row["items"]["data"][0]
        if "proration_date" in given and not item["current_period_start"] <= at <= item["current_period_end"]:
            raise StripeError("Invalid proration date: it must be within the current period.", param="proration_date")
        return at

    def _invoice_change(self, before: Row, changed: Row, lines: list[Line], given: Row, *, pending: bool) -> Row:
        customer = self._account.get("customer", before["customer"])
        everything = self._invoices.waiting_lines(before["id"], take=True) + lines
        invoice = self._invoices.draft(
            customer, everything, before["currency"], subscription=changed, billing_reason="subscription_update"
        )
        invoice = self._account.put("invoice", invoice, "invoice.created")
        if pending:
            update = blank(stripe.Subscription.PendingUpdate, expires_at=self._account.now + INCOMPLETE_SECONDS)
            waiting = before | {"pending_update": update, "latest_invoice": invoice["id"]}
            self._account.store.put(
                "pending_update", before["id"], {"id": before["id"], "invoice": invoice["id"], "after": changed}
            )
            self._account.put("subscription", waiting)
        else:
            self._account.put("subscription", changed | {"latest_invoice": invoice["id"]}, UPDATED)
        invoice = self._invoices.finalize(invoice)
        try:
            if invoice["status"] != "paid":
                self._invoices.pay(invoice, self.method(before, customer), off_session=bool(given.get("off_session")))
        except StripeError:
            if given.get("payment_behavior") == "error_if_incomplete":
                raise
            if pending:
                self._account.emit(UPDATED, self._account.get("subscription", before["id"]), before)
        return self._account.get("subscription", before["id"])

    def preview(self, given: Row) -> Row:
        """The invoice that a change would make now, or that comes next, as create_preview shows it."""
        row = self.alive(given.get("subscription", ""), {})
        asked = dict(given.get("subscription_details") or {})
        at = self._proration_date(row, asked)
        lines, changed = self._changes.change(row, asked, at)
        immediately = asked.get("proration_behavior") == "always_invoice" or changed["billing_cycle_anchor"] == at
        if not immediately:
            end = changed["items"]["data"][0]["current_period_end"]
            after = [
                period_end(changed["billing_cycle_anchor"], end, item["price"]["recurring"])
                for item in changed["items"]["data"]
            ]
            lines = self._invoices.waiting_lines(row["id"]) + lines
            lines += [full_line(item, end, until) for item, until in zip(changed["items"]["data"], after, strict=True)]
        customer = self._account.get("customer", row["customer"])
        reason = "subscription_update" if immediately else "upcoming"
        return self._invoices.preview(customer, lines, row["currency"], subscription=changed, billing_reason=reason)

    # ---- Pause, resume, cancel

    def pause(self, name: str, given: Row) -> Row:
        row = self.alive(name, given)
        if row["status"] not in ("active", "trialing", "past_due"):
            raise StripeError(
                f"A subscription that is {row['status']} cannot be paused.", code="subscription_not_pausable"
            )
        at = self._account.now
        if row["status"] == "active":
            for item in row["items"]["data"]:
                self._invoices.keep_for_next(row, unused(item, at))
        reason = blank(stripe.Subscription.StatusDetails.Paused)
        reason["subscription"] = {**(reason.get("subscription") or {}), "type": "pause_requested"}
        details = blank(stripe.Subscription.StatusDetails)
        row |= {"status": "paused", "status_details": {**details, "paused": reason}}
        row = self._account.put("subscription", row, UPDATED)
        self._account.emit("customer.subscription.paused", row)
        return row

    def resume(self, name: str, given: Row) -> Row:
        row = self.alive(name, given)
        if row["status"] != "paused":
            raise StripeError("This subscription is not paused.", code="subscription_not_paused")
        at = self._account.now
        lines, changed = self._changes.restart(row | {"billing_cycle_anchor": at}, row["items"]["data"], at)
        self._account.store.put(
            "resuming", name, {"id": name, "after": changed | {"status": "active", "status_details": None}}
        )
        return self._invoice_change(
            row, row | {"billing_cycle_anchor": row["billing_cycle_anchor"]}, lines, given, pending=False
        )

    def cancel(self, name: str, given: Row) -> Row:
        row = self._account.get("subscription", name)
        if row["status"] in ("canceled", "incomplete_expired"):
            raise StripeError(f"No such subscription: {name}", status=404, code="resource_missing", param="id")
        if given.get("prorate"):
            for item in row["items"]["data"]:
                self._invoices.keep_for_next(row, unused(item, self._account.now))
        details = given.get("cancellation_details") or {}
        return self.end(row, "cancellation_requested", **details)

    def end(self, row: Row, reason: str, **details: Any) -> Row:
        at = self._account.now
        described = blank(stripe.Subscription.CancellationDetails, reason=reason, **details)
        row |= {
            "status": "canceled",
            "ended_at": at,
            "canceled_at": row["canceled_at"] or at,
            "cancellation_details": described,
        }
        for invoice in self._account.find("invoice"):
            if _of(invoice) == row["id"] and invoice["status"] == "draft":
                self._account.put("invoice", invoice | {"auto_advance": False})
        return self._account.put("subscription", row, "customer.subscription.deleted")

    # ---- What an invoice's outcome means

    def _paid(self, invoice: Row) -> None:
        name = _of(invoice)
        if not name:
            return
        row = self._account.get("subscription", name)
        waiting = self._account.store.get("pending_update", name)
        if waiting and waiting["invoice"] == invoice["id"]:
            self._account.store.delete("pending_update", name)
            row = self._account.put(
                "subscription", waiting["after"] | {"pending_update": None, "latest_invoice": invoice["id"]}, UPDATED
            )
            self._account.emit("customer.subscription.pending_update_applied", row)
        resuming = self._account.store.get("resuming", name)
        if resuming:
            self._account.store.delete("resuming", name)
            row = self._account.put("subscription", resuming["after"] | {"latest_invoice": invoice["id"]}, UPDATED)
            self._account.emit("customer.subscription.resumed", row)
        if row["status"] in ("incomplete", "past_due", "unpaid") and invoice["id"] == row["latest_invoice"]:
            intent = self._invoices.payment_of(invoice)
            if row["status"] == "incomplete" and intent and _saves_method(row):
                row["default_payment_method"] = intent["payment_method"]
            self._account.put("subscription", row | {"status": "active"}, UPDATED)

    def _failed(self, invoice: Row) -> None:
        name = _of(invoice)
        row = self._account.get("subscription", name) if name else None
        if row and row["status"] == "active" and invoice["billing_reason"] == "subscription_cycle":
            self._account.put("subscription", row | {"status": "past_due"}, UPDATED)


def _of(invoice: Row) -> str | None:
    """The subscription that an invoice is of."""
    parent = invoice["parent"] or {}
    name: str | None = (parent.get("subscription_details") or {}).get("subscription")
    return name


def _saves_method(row: Row) -> bool:
    return bool((row["payment_settings"] or {}).get("save_default_payment_method") == "on_subscription")
