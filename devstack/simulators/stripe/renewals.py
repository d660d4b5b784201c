"""What time does: trials end, periods renew, drafts are finalized, failed payments are tried again, things expire."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from devstack.simulators.stripe.account import Account
from devstack.simulators.stripe.intents import Intents
from devstack.simulators.stripe.invoices import DRAFT_SECONDS, Invoices
from devstack.simulators.stripe.one_off import OneOff
from devstack.simulators.stripe.periods import full_line, period_end
from devstack.simulators.stripe.shapes import Row, StripeError
from devstack.simulators.stripe.subscriptions import INCOMPLETE_SECONDS, NOTICE_SECONDS, UPDATED, Subscriptions

FINAL_ACTIONS = ("cancel", "unpaid", "past_due", "pause")


class Step(NamedTuple):
    """Something that happens by itself at an instant."""

    at: int
    name: str
    run: Callable[[], None]


class Renewals:
    def __init__(
        self, account: Account, intents: Intents, invoices: Invoices, subscriptions: Subscriptions, one_off: OneOff
    ) -> None:
        self._account = account
        self._intents = intents
        self._invoices = invoices
        self._subscriptions = subscriptions
        self._one_off = one_off
        self.final_action = "cancel"
        self.more: list[Callable[[], Iterator[Step]]] = []  # whatever else time does
        self._known: tuple[int, Step | None] | None = None

    def advance(self, now: int) -> None:
        """Let everything happen that is due by `now`, in the order of time, each at its own instant."""
        while (step := self._next()) and step.at <= now:
            self._account.now = max(step.at, self._account.now)
            step.run()
        self._account.now = max(now, self._account.now) if self._account.now <= now else now
        self._account.forget_old_events()

    def _next(self) -> Step | None:
        """The earliest step; computed again only when something has changed."""
        changes = self._account.store.changes
        if self._known is None or self._known[0] != changes:
            self._known = changes, min(self._steps(), default=None, key=lambda each: each[:2])
        return self._known[1]

    def _steps(self) -> Iterator[Step]:
        for row in self._account.store.all("subscription"):
            yield from self._steps_of(row)
        for invoice in self._account.store.all("invoice"):
            name = invoice["id"]
            if not invoice["parent"]:
                due = invoice["due_date"] if invoice["status"] == "open" else None
                if due and not self._account.store.get("noticed", f"{name}/overdue"):
                    yield Step(due, name, partial(self._one_off.notice_overdue, name))
            elif invoice["status"] == "draft" and invoice["auto_advance"]:
                yield Step(invoice["created"] + DRAFT_SECONDS, name, partial(self._collect, name))
            elif invoice["status"] == "open" and invoice["next_payment_attempt"]:
                yield Step(invoice["next_payment_attempt"], name, partial(self._collect, name))
        for debit in self._account.store.all("bank_debit"):
            yield Step(debit["at"], debit["id"], partial(self._intents.settle_bank_debit, debit["id"]))
        for steps in self.more:
            yield from steps()

    def _steps_of(self, row: Row) -> Iterator[Step]:
        name, status = row["id"], row["status"]
        if status == "incomplete":
            yield Step(row["created"] + INCOMPLETE_SECONDS, name, lambda: self._expire(name))
        if status == "trialing" and not self._account.store.get("noticed", f"{name}/{row['trial_end']}"):
            yield Step(row["trial_end"] - NOTICE_SECONDS, name, lambda: self._subscriptions.notice_trial_end(row))
        if status in ("trialing", "active", "past_due", "unpaid"):
            end = min(item["current_period_end"] for item in row["items"]["data"])
            if row["cancel_at"] and row["cancel_at"] <= end:
                yield Step(row["cancel_at"], name, lambda: self._end(name))
            else:
                yield Step(end, name, lambda: self._renew(name))
        if row["pause_collection"] and row["pause_collection"]["resumes_at"]:
            yield Step(row["pause_collection"]["resumes_at"], name, lambda: self._collect_again(name))
        if row["pending_update"]:
            yield Step(row["pending_update"]["expires_at"], name, lambda: self._drop_pending(name))

    def _expire(self, name: str) -> None:
        row = self._account.get("subscription", name)
        row |= {"status": "incomplete_expired", "ended_at": self._account.now}
        self._account.put("subscription", row, UPDATED)
        self._invoices.void(self._account.get("invoice", row["latest_invoice"]))

    def _end(self, name: str) -> None:
        self._subscriptions.end(self._account.get("subscription", name), "cancellation_requested")

    def _collect_again(self, name: str) -> None:
        self._account.put("subscription", self._account.get("subscription", name) | {"pause_collection": None}, UPDATED)

    def _drop_pending(self, name: str) -> None:
        waiting = self._account.store.get("pending_update", name)
        self._account.store.delete("pending_update", name)
        row = self._account.put(
            "subscription", self._account.get("subscription", name) | {"pending_update": None}, UPDATED
        )
        self._account.emit("customer.subscription.pending_update_expired", row)
        if waiting:
            self._invoices.void(self._account.get("invoice", waiting["invoice"]))

    def _renew(self, name: str) -> None:
        row = self._account.get("subscription", name)
        method = self._subscriptions.method(row)
        if row["status"] == "trialing":
            behaviour = (row["trial_settings"] or {}).get("end_behavior", {}).get("missing_payment_method")
            if not method and behaviour == "cancel":
                self._subscriptions.end(row, "payment_failed")
                return
            if not method and behaviour == "pause":
                row = self._account.put("subscription", row | {"status": "paused"}, UPDATED)
                self._account.emit("customer.subscription.paused", row)
                return
        start = min(item["current_period_end"] for item in row["items"]["data"])
        items = [
            item
            | {
                "current_period_start": start,
                "current_period_end": period_end(row["billing_cycle_anchor"], start, item["price"]["recurring"]),
            }
            for item in row["items"]["data"]
        ]
        status = "active" if row["status"] == "trialing" else row["status"]
        row |= {"items": {**row["items"], "data": items}, "status": status}
        lines = self._invoices.waiting_lines(name, take=True)
        lines += [full_line(item, start, item["current_period_end"]) for item in items]
        customer = self._account.get("customer", row["customer"])
        invoice = self._invoices.draft(
            customer, lines, row["currency"], subscription=row, billing_reason="subscription_cycle"
        )
        paused = row["pause_collection"]
        if status == "unpaid" or (paused and paused["behavior"] == "keep_as_draft"):
            invoice["auto_advance"] = False
        invoice = self._account.put("invoice", invoice, "invoice.created")
        self._account.put("subscription", row | {"latest_invoice": invoice["id"]}, UPDATED)
        if paused and paused["behavior"] != "keep_as_draft":
            invoice = self._invoices.finalize(invoice)
            if invoice["status"] == "open":
                settle = self._invoices.void if paused["behavior"] == "void" else self._invoices.mark_uncollectible
                settle(invoice)

    def _collect(self, name: str) -> None:
        """Finalize a draft, and try to collect; after the last failed attempt comes the account's final action."""
        invoice = self._account.get("invoice", name)
        details = (invoice["parent"] or {}).get("subscription_details") or {}
        row = self._account.get("subscription", details["subscription"])
        if invoice["status"] == "draft":
            invoice = self._invoices.finalize(invoice)
        if invoice["status"] == "paid":
            return
        self._account.put("invoice", invoice | {"next_payment_attempt": None})
        try:
            self._invoices.pay(self._account.get("invoice", name), self._subscriptions.method(row))
        except StripeError:
            invoice = self._account.get("invoice", name)
            if invoice["attempt_count"] > len(self._invoices.retry_days):
                self._give_up(row["id"])

    def _give_up(self, name: str) -> None:
        row = self._account.get("subscription", name)
        match self.final_action:
            case "cancel":
                self._subscriptions.end(row, "payment_failed")
            case "unpaid":
                self._account.put("subscription", row | {"status": "unpaid"}, UPDATED)
            case "pause":
                row = self._account.put("subscription", row | {"status": "paused"}, UPDATED)
                self._account.emit("customer.subscription.paused", row)
