"""Which call does what."""

from collections.abc import Callable
from dataclasses import dataclass

import stripe

from devstack.simulators.stripe.account import Account, page
from devstack.simulators.stripe.balance import Balance
from devstack.simulators.stripe.catalog import Catalog
from devstack.simulators.stripe.connect import Connect
from devstack.simulators.stripe.disputes import Disputes
from devstack.simulators.stripe.intents import Intents
from devstack.simulators.stripe.invoices import Invoices
from devstack.simulators.stripe.methods import Methods
from devstack.simulators.stripe.one_off import OneOff
from devstack.simulators.stripe.refunds import Refunds
from devstack.simulators.stripe.reversals import Reversals
from devstack.simulators.stripe.shapes import Row
from devstack.simulators.stripe.subscriptions import Subscriptions


@dataclass(frozen=True)
class Call:
    """One request: the id in its path and its typed parameters."""

    name: str
    given: Row
    account: str | None = None  # the connected account that it is made for


Handler = Callable[[Call], Row]


class Routes:
    """Every call as "METHOD /path": the SDK's name of its parameters ("" when it takes none), and what it does."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.catalog = Catalog(account)
        self.methods = Methods(account)
        self.balance = Balance(account)
        self.intents = Intents(account, self.methods, self.balance)
        self.invoices = Invoices(account, self.catalog, self.intents)
        self.one_off = OneOff(account, self.catalog, self.invoices)
        self.subscriptions = Subscriptions(account, self.catalog, self.invoices)
        self.connect = Connect(account)
        self.reversals = Reversals(account, self.balance)
        self.refunds = Refunds(account, self.methods, self.balance, self.reversals)
        self.disputes = Disputes(account, self.methods, self.balance, self.refunds)
        self.intents.settled.append(self.disputes.settled)

    def table(self) -> dict[str, tuple[str, Handler]]:
        catalog, methods, intents = self.catalog, self.methods, self.intents
        invoices, subscriptions = self.invoices, self.subscriptions
        return {
            "POST /v1/products": ("ProductCreate", lambda c: catalog.create_product(c.given)),
            "GET /v1/products/{id}": ("ProductRetrieve", self._getter("product")),
            "POST /v1/products/{id}": ("ProductUpdate", lambda c: catalog.update_product(c.name, c.given)),
            "GET /v1/products": ("ProductList", self._lister("product")),
            "POST /v1/prices": ("PriceCreate", lambda c: catalog.create_price(c.given)),
            "GET /v1/prices/{id}": ("PriceRetrieve", self._getter("price")),
            "POST /v1/prices/{id}": ("PriceUpdate", lambda c: catalog.update_price(c.name, c.given)),
            "GET /v1/prices": ("PriceList", lambda c: catalog.list_prices(c.given)),
            "POST /v1/customers": ("CustomerCreate", lambda c: catalog.create_customer(c.given)),
            "GET /v1/customers/{id}": ("CustomerRetrieve", self._getter("customer")),
            "POST /v1/customers/{id}": ("CustomerUpdate", lambda c: catalog.update_customer(c.name, c.given)),
            "DELETE /v1/customers/{id}": ("", self._delete_customer),
            "GET /v1/customers": ("CustomerList", lambda c: catalog.list_customers(c.given)),
            "GET /v1/payment_methods/{id}": ("PaymentMethodRetrieve", self._getter("payment_method")),
            "GET /v1/payment_methods": ("PaymentMethodList", lambda c: methods.list_methods(c.given)),
            "POST /v1/payment_methods/{id}/attach": (
                "PaymentMethodAttach",
                lambda c: methods.attach(c.name, catalog.customer(c.given["customer"])["id"]),
            ),
            "POST /v1/payment_methods/{id}/detach": ("PaymentMethodDetach", lambda c: methods.detach(c.name)),
            "POST /v1/setup_intents": ("SetupIntentCreate", lambda c: methods.create_setup_intent(c.given)),
            "GET /v1/setup_intents/{id}": ("SetupIntentRetrieve", self._getter("setup_intent")),
            "POST /v1/setup_intents/{id}/confirm": (
                "SetupIntentConfirm",
                lambda c: methods.confirm_setup_intent(c.name, c.given),
            ),
            "POST /v1/payment_intents": ("PaymentIntentCreate", self._create_intent),
            "GET /v1/payment_intents/{id}": ("PaymentIntentRetrieve", self._getter("payment_intent")),
            "GET /v1/payment_intents": ("PaymentIntentList", lambda c: intents.list(c.given)),
            "POST /v1/payment_intents/{id}/cancel": (
                "PaymentIntentCancel",
                lambda c: intents.cancel(c.name, c.given),
            ),
            "POST /v1/payment_intents/{id}/confirm": (
                "PaymentIntentConfirm",
                lambda c: intents.confirm(c.name, c.given),
            ),
            "GET /v1/charges/{id}": ("ChargeRetrieve", self._getter("charge")),
            "POST /v1/transfers": ("TransferCreate", lambda c: self.balance.transfer(c.given)),
            "GET /v1/transfers/{id}": ("TransferRetrieve", self._getter("transfer")),
            "GET /v1/transfers": ("TransferList", lambda c: self.balance.transfers(c.given)),
            "GET /v1/application_fees/{id}": ("ApplicationFeeRetrieve", self._getter("application_fee")),
            "GET /v1/balance_transactions/{id}": ("BalanceTransactionRetrieve", self._getter("balance_transaction")),
            "GET /v1/balance_transactions": (
                "BalanceTransactionList",
                lambda c: self.balance.transactions(c.given),
            ),
            **self._giving_back(),
            "POST /v1/subscriptions": ("SubscriptionCreate", lambda c: subscriptions.create(c.given)),
            "GET /v1/subscriptions/{id}": ("SubscriptionRetrieve", self._getter("subscription")),
            "POST /v1/subscriptions/{id}": ("SubscriptionUpdate", lambda c: subscriptions.update(c.name, c.given)),
            "DELETE /v1/subscriptions/{id}": ("SubscriptionCancel", lambda c: subscriptions.cancel(c.name, c.given)),
            "POST /v1/subscriptions/{id}/pause": ("SubscriptionPause", lambda c: subscriptions.pause(c.name, c.given)),
            "POST /v1/subscriptions/{id}/resume": (
                "SubscriptionResume",
                lambda c: subscriptions.resume(c.name, c.given),
            ),
            "GET /v1/subscriptions": ("SubscriptionList", self._list_subscriptions),
            "POST /v1/invoices/create_preview": ("InvoiceCreatePreview", lambda c: subscriptions.preview(c.given)),
            "POST /v1/invoices": ("InvoiceCreate", lambda c: self.one_off.create(c.given)),
            "POST /v1/invoices/{id}/add_lines": ("InvoiceAddLines", lambda c: self.one_off.add_lines(c.name, c.given)),
            "POST /v1/invoices/{id}/finalize": (
                "InvoiceFinalizeInvoice",
                lambda c: self.one_off.finalize(c.name, c.given),
            ),
            "POST /v1/invoices/{id}/send": ("InvoiceSendInvoice", lambda c: self.one_off.send(c.name)),
            "GET /v1/invoices/{id}": ("InvoiceRetrieve", self._getter("invoice")),
            "GET /v1/invoices/{id}/lines": ("InvoiceListLines", self._list_lines),
            "POST /v1/invoices/{id}/pay": ("InvoicePay", self._pay_invoice),
            "POST /v1/invoices/{id}/void": (
                "InvoiceVoidInvoice",
                lambda c: invoices.void(self.account.get("invoice", c.name)),
            ),
            "GET /v1/invoices": ("InvoiceList", self._list_invoices),
            "GET /v1/invoice_payments": ("InvoicePaymentList", self._list_invoice_payments),
            "POST /v1/billing_portal/sessions": ("billing_portal.SessionCreate", self._portal),
            "POST /v1/accounts": ("AccountCreate", lambda c: self.connect.create(c.given)),
            "GET /v1/accounts/{id}": ("AccountRetrieve", self._getter("account")),
            "GET /v1/accounts": ("AccountList", lambda c: self.connect.list(c.given)),
            "POST /v1/account_links": ("AccountLinkCreate", lambda c: self.connect.link(c.given)),
            "GET /v1/payouts": ("PayoutList", lambda c: self.connect.payouts(c.account, c.given)),
            "GET /v1/events/{id}": ("EventRetrieve", self._getter("event")),
            "GET /v1/events": ("EventList", self._list_events),
        }

    def _giving_back(self) -> dict[str, tuple[str, Handler]]:
        refunds, disputes, reversals = self.refunds, self.disputes, self.reversals
        return {
            "POST /v1/refunds": ("RefundCreate", lambda c: refunds.create(c.given)),
            "GET /v1/refunds/{id}": ("RefundRetrieve", self._getter("refund")),
            "POST /v1/refunds/{id}": ("RefundUpdate", lambda c: refunds.update(c.name, c.given)),
            "GET /v1/refunds": ("RefundList", lambda c: refunds.list(c.given)),
            "GET /v1/disputes/{id}": ("DisputeRetrieve", self._getter("dispute")),
            "POST /v1/disputes/{id}": ("DisputeUpdate", lambda c: disputes.update(c.name, c.given)),
            "POST /v1/disputes/{id}/close": ("DisputeClose", lambda c: disputes.close(c.name)),
            "GET /v1/disputes": ("DisputeList", lambda c: disputes.list(c.given)),
            "POST /v1/transfers/{id}/reversals": (
                "TransferReversalCreate",
                lambda c: reversals.create(c.name, c.given),
            ),
            "GET /v1/transfers/{id}/reversals": ("TransferReversalList", lambda c: reversals.list(c.name, c.given)),
            "GET /v1/application_fees/{id}/refunds": (
                "ApplicationFeeRefundList",
                lambda c: reversals.list_fee_refunds(c.name, c.given),
            ),
        }

    # ---- Reading

    def _getter(self, kind: str) -> Handler:
        return lambda call: self.account.get(kind, call.name)

    def _lister(self, kind: str) -> Handler:
        return lambda call: page(self.account.store.all(kind), call.given, f"/v1/{kind}s")

    def _list_invoice_payments(self, call: Call) -> Row:
        wanted = (call.given.get("payment") or {}).get("payment_intent")
        rows = self.account.store.all("invoice_payment")
        if wanted:
            rows = [row for row in rows if row["payment"]["payment_intent"] == wanted]
        return page(rows, call.given, "/v1/invoice_payments")

    def _list_subscriptions(self, call: Call) -> Row:
        given = call.given
        status = given.get("status")
        rows = [
            row
            for row in self.account.store.all("subscription")
            if row["customer"] == given.get("customer", row["customer"])
            and (status == "all" or (row["status"] == status if status else row["status"] != "canceled"))
        ]
        return page(rows, given, "/v1/subscriptions")

    def _list_invoices(self, call: Call) -> Row:
        wanted = [(name, call.given[name]) for name in ("customer", "status") if name in call.given]
        created = call.given.get("created")
        since = int(created.get("gte", 0)) if isinstance(created, dict) else 0
        rows = [
            row
            for row in self.account.store.all("invoice")  # not copied: there may be very many
            if row["created"] >= since and all(row[name] == value for name, value in wanted)
        ]
        if name := call.given.get("subscription"):
            rows = [
                row
                for row in rows
                if ((row["parent"] or {}).get("subscription_details") or {}).get("subscription") == name
            ]
        return page(rows, call.given, "/v1/invoices")

    def _list_lines(self, call: Call) -> Row:
        lines = self.account.get("invoice", call.name)["lines"]["data"]
        return page(lines[::-1], call.given, f"/v1/invoices/{call.name}/lines")

    def _list_events(self, call: Call) -> Row:
        given = call.given
        kinds = given.get("types") or ([given["type"]] if "type" in given else None)
        since = given.get("created") if isinstance(given.get("created"), dict) else {}
        rows = [
            row
            for row in self.account.store.all("event")
            if (not kinds or row["type"] in kinds) and row["created"] >= int((since or {}).get("gte", 0))
        ]
        return page(rows, given, "/v1/events")

    # ---- Writing

    def _create_intent(self, call: Call) -> Row:
        if call.given.get("customer"):
            self.catalog.customer(call.given["customer"])
        return self.intents.create(call.given)

    def _pay_invoice(self, call: Call) -> Row:
        invoice = self.account.get("invoice", call.name)
        details = (invoice["parent"] or {}).get("subscription_details") or {}
        row = self.account.store.get("subscription", details.get("subscription") or "")
        method = call.given.get("payment_method")
        if not method:
            settings = self.account.get("customer", invoice["customer"]).get("invoice_settings") or {}
            method = self.subscriptions.method(row) if row else settings.get("default_payment_method")
        return self.invoices.pay(invoice, method, off_session=call.given.get("off_session", True))

    def _delete_customer(self, call: Call) -> Row:
        row = self.catalog.customer(call.name)
        for subscription in self.account.find("subscription", customer=call.name):
            if subscription["status"] not in ("canceled", "incomplete_expired"):
                self.subscriptions.end(subscription, "cancellation_requested")
        self.account.put("customer", row | {"deleted": True}, "customer.deleted")
        return {"id": call.name, "object": "customer", "deleted": True}

    def _portal(self, call: Call) -> Row:
        customer = self.catalog.customer(call.given["customer"])
        row = self.account.new(
            stripe.billing_portal.Session,
            "billing_portal.session",
            customer=customer["id"],
            return_url=call.given.get("return_url"),
            configuration="bpc_local",
        )
        row["url"] = f"https://billing.stripe.com/p/session/test_{row['id']}"
        return row
