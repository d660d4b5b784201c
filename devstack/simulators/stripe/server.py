"""Stripe's HTTP API: form bodies, keys, idempotency, expansion, lists, errors, and the signed webhooks."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from devstack.clock import Clock
from devstack.config import Keys
from devstack.simulators.base import FAULT, Row, Simulator, Webhooks
from devstack.simulators.stripe.account import API_VERSION, Account, as_list, dumps
from devstack.simulators.stripe.invoices import RETRY_DAYS
from devstack.simulators.stripe.renewals import FINAL_ACTIONS, Renewals
from devstack.simulators.stripe.routes import Call, Handler, Routes
from devstack.simulators.stripe.shapes import StripeError, decode_form, parameters

RETRY_SECONDS = (0, 60, 600, 3600, 7200, 18_000, 36_000, 72_000, 72_000)  # three days, as Stripe's live mode
STRIPE_SECRETS_ID = "coachline/local/stripe"
KEPT_SECONDS = 24 * 3600  # an idempotency key
REFERENCES = {  # members that name another object, which `expand` puts in their place
    "application_fee": "application_fee",
    "balance_transaction": "balance_transaction",
    "charge": "charge",
    "customer": "customer",
    "default_payment_method": "payment_method",
    "failure_balance_transaction": "balance_transaction",
    "invoice": "invoice",
    "latest_charge": "charge",
    "latest_invoice": "invoice",
    "payment_intent": "payment_intent",
    "payment_method": "payment_method",
    "price": "price",
    "product": "product",
    "source_transaction": "charge",
    "subscription": "subscription",
    "transfer": "transfer",
    "transfer_reversal": "transfer_reversal",
}
SOURCES = {  # of a balance transaction, by its prefix
    "ch": "charge",
    "du": "dispute",
    "fee": "application_fee",
    "fr": "fee_refund",
    "re": "refund",
    "tr": "transfer",
    "trr": "transfer_reversal",
}


def _source_kind(member: str, name: str) -> str | None:
    return SOURCES.get(name.split("_", maxsplit=1)[0]) if member == "source" else None


class Stripe(Simulator):
    """One account with its customers. What is due by its clock happens when the clock moves or somebody calls."""

    name = "stripe"

    def __init__(self, directory: Path, clock: Clock, keys: Keys, *, receiver: str) -> None:
        super().__init__(directory, clock)
        self._api_key = keys.stripe_api_key
        self._secret, self._connect_secret = keys.stripe_webhook_secret, keys.stripe_connect_secret
        self.webhooks = Webhooks(self.store, self.faults, url=receiver, sign=self._signed, schedule=RETRY_SECONDS)
        self.account = Account(self.store, self._publish)
        self.routes = Routes(self.account)
        routes = self.routes
        self.renewals = Renewals(self.account, routes.intents, routes.invoices, routes.subscriptions, routes.one_off)
        self.renewals.more += [routes.refunds.steps, routes.disputes.steps]
        self.mutations: list[Row] = []  # what was asked of it, to count calls and keys
        self.calls = 0
        for route, (operation, handler) in self.routes.table().items():
            method, path = route.split()
            self.app.router.add_route(method, path, self._answered(operation, handler))
        self.app.router.add_get("/_requests", self._show_mutations)
        clock.followers.append(self._follow)

    @property
    def credentials(self) -> Row:
        """What the secret of whoever asks Stripe holds."""
        return {"apiKey": self._api_key}

    def variables(self, url: str) -> dict[str, str]:
        """What functions that ask Stripe read from their environment, when this is served at `url`."""
        return {"STRIPE_SECRETS_ID": STRIPE_SECRETS_ID, "STRIPE_API_URL": f"{url}/_sim/stripe"}

    # ---- Transport

    def _answered(self, operation: str, handler: Handler) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.Response:
            self.calls += 1
            number = f"req_{self.account.random(14)}"
            try:
                text = self._admit(request, await request.text())
                status, body, replayed = self._once(request, text, operation, handler, number)
            except StripeError as error:
                status, body, replayed = error.status, error.body, False
            headers = {"Request-Id": number, "Stripe-Version": API_VERSION}
            if replayed:
                headers["Idempotent-Replayed"] = "true"
            return web.json_response(body, status=status, headers=headers)

        return answer

    def _admit(self, request: web.Request, text: str) -> str:
        """What is asked. With a publishable key, as Stripe.js has one, only by the client secret of one intent."""
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if key.startswith("pk_test_"):
            given = dict(parse_qsl(text if request.method == "POST" else request.query_string))
            secret, name = given.pop("client_secret", ""), request.match_info.get("id", "")
            found = self.store.get("payment_intent", name) or self.store.get("setup_intent", name)
            if not found or found["client_secret"] != secret:
                raise StripeError("This API call cannot be made with a publishable API key.", status=401)
            return urlencode(given)
        if key != self._api_key:
            raise StripeError("Invalid API Key provided.", status=401)
        if request.headers.get("Stripe-Version", API_VERSION) != API_VERSION:
            raise StripeError(f"This account is used with {API_VERSION} only.")
        return text if request.method == "POST" else request.query_string

    def _once(
        self, request: web.Request, text: str, operation: str, handler: Handler, number: str
    ) -> tuple[int, Row, bool]:
        """Answer a call; with a key that was used before, as before: declines and failures are kept, too."""
        self.tick()
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        digest = hashlib.sha256(f"{request.method} {request.path}\n{text}".encode()).hexdigest()
        kept = self.store.get("idempotency", key) if key else None
        if kept and kept["at"] > self.account.now - KEPT_SECONDS:
            if kept["digest"] != digest:
                message = (
                    "Keys for idempotent requests can only be used with the same parameters they were first used with."
                )
                raise StripeError(message, type="idempotency_error")
            return kept["status"], kept["body"], True
        given = decode_form(text)
        given = parameters(operation, given) if operation else given
        self.account.request = {"id": number, "idempotency_key": key}
        if request.method != "GET":
            self.mutations.append({"method": request.method, "path": request.path, "key": key, "form": given})
        try:
            row = handler(Call(request.match_info.get("id", ""), given, request.headers.get("Stripe-Account")))
            status, body = 200, self._expanded(row, given.get("expand") or [])
        except StripeError as error:
            if error.status != 402:
                raise
            status, body = error.status, error.body
        finally:
            self.account.request = {"id": None, "idempotency_key": None}
        if key:
            fails = request.get(FAULT) == "500-after"
            lost = {"error": {"type": "api_error", "message": "An unknown error occurred."}}
            answer = {"status": 500, "body": lost} if fails else {"status": status, "body": body}
            self.store.put("idempotency", key, {"digest": digest, "at": self.account.now, **answer})
        return status, body, False

    def _expanded(self, row: Row, paths: list[str]) -> Row:
        row = json.loads(json.dumps(row))
        for path in paths:
            self._expand(row, path.split("."))
        return row

    def _expand(self, row: Row, path: list[str]) -> None:
        head, *rest = path
        if row.get("object") == "invoice" and head == "payments":
            row["payments"] = as_list(self.account.find("invoice_payment", invoice=row["id"]), "/v1/invoice_payments")
        elif row.get("object") == "charge" and head == "refunds" and not row[head]:
            made = self.account.find("refund", charge=row["id"])
            row[head] = as_list(made[::-1][:10], f"/v1/charges/{row['id']}/refunds") | {"has_more": len(made) > 10}
        elif row.get("object") == "invoice" and head == "confirmation_secret":
            intent = self.routes.invoices.payment_of(row)
            row[head] = {"type": "payment_intent", "client_secret": intent["client_secret"]} if intent else None
        elif isinstance(row.get(head), str) and (kind := REFERENCES.get(head) or _source_kind(head, row[head])):
            row[head] = self.store.get(kind, row[head])
            row[head] = json.loads(json.dumps(row[head]))
        for below in row[head] if isinstance(row.get(head), list) else [row.get(head)]:
            if rest and isinstance(below, dict):
                self._expand(below, rest)

    # ---- Time, faults, events

    def tick(self) -> None:
        """Let happen what is due by now."""
        self.renewals.advance(int(self.clock.now().timestamp()))

    async def _follow(self, at: datetime | None) -> None:
        self.renewals.advance(int(at.timestamp() if at else time.time()))

    async def control(self, options: Row) -> None:
        """`retryDays` between attempts, then `finalAction`; `authenticate`, `expireCard`; `onboard`, `payout`."""
        final, intent, days = (options.pop(name, None) for name in ("finalAction", "authenticate", "retryDays"))
        expire, onboard, payout = (options.pop(name, None) for name in ("expireCard", "onboard", "payout"))
        banks = {name: options.pop(name, None) for name in ("dispute", "decide", "refund", "broke")}
        await super().control(options)
        if final is not None:
            if final not in FINAL_ACTIONS:
                raise ValueError(f"finalAction is one of {', '.join(FINAL_ACTIONS)}")
            self.renewals.final_action = final
        if days is not None:
            self.routes.invoices.retry_days = tuple(int(each) for each in days)
        if expire is not None:
            self._expire_card(expire)
        if intent is not None:
            self._authenticate(str(intent))
        try:
            self._banks(**banks)
            if onboard is not None:
                name = onboard.get("id") or self.routes.connect.account_of(onboard["coachId"])
                self.routes.connect.onboard(name, ready=onboard["ready"], restricted=onboard.get("restricted"))
            if payout is not None:
                self.routes.connect.pay_out(payout["id"], payout["amount"])
        except (StripeError, KeyError) as error:
            raise ValueError(f"onboard has ready and id or coachId, payout id and amount: {error}") from None
        except TypeError:
            raise ValueError("dispute has charge, and may have inquiry, reason and amount") from None

    def _banks(self, dispute: Row | None, decide: Row | None, refund: Row | None, broke: list[str] | None) -> None:
        """`dispute` a charge, `decide` a dispute, let a `refund` fail or succeed; say who is `broke`."""
        self.tick()
        if dispute is not None:
            self.routes.disputes.open(**dispute)
        if decide is not None:
            self.routes.disputes.decide(decide["id"], decide["outcome"])
        if refund is not None:
            settle = self.routes.refunds.fail if refund["fails"] else self.routes.refunds.succeed
            settle(refund["id"])
        if broke is not None:
            self.routes.balance.broke = set(broke)

    def _authenticate(self, name: str) -> None:
        self.tick()
        routes = self.routes
        confirm = routes.intents.confirm if name.startswith("pi_") else routes.methods.confirm_setup_intent
        try:
            confirm(name, {"authenticated": True})
        except StripeError as error:
            raise ValueError(str(error)) from None

    def _expire_card(self, name: str) -> None:
        """The card's last month is the current one."""
        row = self.store.get("payment_method", name)
        if row is None or "card" not in row:
            raise ValueError(f"there is no card {name}")
        now = self.clock.now()
        card = {**row["card"], "exp_month": now.month, "exp_year": now.year}
        self.account.put("payment_method", {**row, "card": card}, "payment_method.automatically_updated")

    async def reset(self) -> None:
        await self.webhooks.forget()
        await super().reset()
        self.mutations.clear()
        self.renewals.final_action = "cancel"
        self.routes.invoices.retry_days = RETRY_DAYS
        self.routes.balance.broke.clear()

    def error(self, status: int) -> web.Response:
        kind, message = (
            ("api_error", "An unknown error occurred.")
            if status >= 500
            else ("invalid_request_error", "Too many requests.")
        )
        body = {"error": {"type": kind, "message": message, **({"code": "rate_limit"} if status == 429 else {})}}
        return web.json_response(body, status=status, headers={"Stripe-Should-Retry": "true"})

    def _publish(self, event: Row) -> None:
        self.webhooks.send(event["id"], dumps(event))

    def _signed(self, _: str, body: bytes) -> dict[str, str]:
        at = int(time.time())
        signed = f"{at}.".encode() + body
        # Events of connected accounts come through an endpoint, and so with a secret, of their own.
        secret = self._connect_secret if json.loads(body).get("account") else self._secret
        return {"stripe-signature": f"t={at},v1={hmac.digest(secret.encode(), signed, hashlib.sha256).hex()}"}

    async def _show_mutations(self, _: web.Request) -> web.Response:
        return web.json_response({"requests": self.mutations})
