"""Connected accounts: coaches who are paid. What Stripe's onboarding page does, `_control` does here."""

from typing import Any

import stripe

from devstack.simulators.stripe.account import Account, merged_metadata, page
from devstack.simulators.stripe.shapes import Row, StripeError, blank

LINK_SECONDS = 300
DUE = ["external_account", "tos_acceptance.date"]


class Connect:
    def __init__(self, account: Account) -> None:
        self._account = account

    def create(self, given: Row) -> Row:
        row = self._account.new(
            stripe.Account,
            "account",
            type=given.get("type", "express"),
            country=given.get("country", "US"),
            default_currency="usd",
            email=given.get("email"),
            charges_enabled=False,
            payouts_enabled=False,
            details_submitted=False,
            metadata=merged_metadata({}, given.get("metadata")),
        )
        row["capabilities"] = dict.fromkeys(given.get("capabilities") or {}, "inactive")
        row["requirements"] = blank(stripe.Account.Requirements, currently_due=DUE, past_due=[], eventually_due=DUE)
        return self._account.put("account", row)

    def list(self, given: Row) -> Row:
        return page(self._account.store.all("account"), given, "/v1/accounts")

    def link(self, given: Row) -> Row:
        name = self._account.get("account", given["account"], "account")["id"]
        if not given.get("return_url") or not given.get("refresh_url"):
            raise StripeError("You must provide both a `refresh_url` and a `return_url`.", param="return_url")
        url = f"https://connect.stripe.com/setup/e/{name}/{self._account.random(12)}"
        expires = self._account.now + LINK_SECONDS
        return blank(stripe.AccountLink, object="account_link", created=self._account.now, expires_at=expires, url=url)

    def payouts(self, account: str | None, given: Row) -> Row:
        rows = self._account.find("payout", account=account)
        return page([{key: row[key] for key in row if key != "account"} for row in rows], given, "/v1/payouts")

    def account_of(self, coach: str) -> str:
        """The account that was made for one of our coaches."""
        for row in self._account.store.all("account"):
            if row["metadata"].get("coach_id") == coach:
                return str(row["id"])
        raise StripeError(f"{coach} has begun no onboarding")

    def onboard(self, name: str, *, ready: bool, restricted: str | None = None) -> None:
        """The coach has (or has not any more) given everything that Stripe asks for."""
        row = self._account.get("account", name)
        row["capabilities"] = dict.fromkeys(row["capabilities"], "active" if ready else "inactive")
        due = [] if ready else DUE
        row["requirements"] = blank(
            stripe.Account.Requirements, currently_due=due, past_due=due, eventually_due=due, disabled_reason=restricted
        )
        row |= {"charges_enabled": ready, "payouts_enabled": ready, "details_submitted": True}
        self._account.put("account", row, "account.updated", account=name)

    def pay_out(self, name: str, amount: int, status: str = "paid") -> Row:
        """A payout to the coach's bank, as Stripe makes them by itself."""
        self._account.get("account", name)
        settings: dict[str, Any] = {"automatic": True, "method": "standard", "source_type": "card", "metadata": {}}
        row = self._account.new(
            stripe.Payout,
            "payout",
            amount=amount,
            currency="usd",
            arrival_date=self._account.now + 2 * 86_400,
            status=status,
            type="bank_account",
            reconciliation_status="completed",
            **settings,
        )
        self._account.store.put("payout", row["id"], row | {"account": name})
        self._account.emit(f"payout.{status}", row, account=name)
        return row
