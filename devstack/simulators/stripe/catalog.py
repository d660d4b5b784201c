"""Products, prices and customers."""

from typing import Any

import stripe

from devstack.simulators.stripe.account import Account, merged_metadata, page
from devstack.simulators.stripe.shapes import Row, StripeError, blank

ZERO_DECIMAL = set("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".lower().split())
# Minimums other than 50 (docs.stripe.com/currencies). Stripe compares those without any after conversion.
MINIMUMS = {
    **dict.fromkeys(("aed", "myr", "pln", "ron"), 200),
    **dict.fromkeys(("nok", "sek"), 300),
    **dict.fromkeys(("mxn", "thb"), 1000),
    **dict.fromkeys(ZERO_DECIMAL - {"jpy"}, 1),
    **dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd", "isk", "ugx", "twd", "zar"), 1),
    "gbp": 30,
    "dkk": 250,
    "hkd": 400,
    "czk": 1500,
    "huf": 17_500,
}
LIVE = ("trialing", "active", "past_due", "unpaid", "paused", "incomplete")


class Catalog:
    def __init__(self, account: Account) -> None:
        self._account = account

    def create_product(self, given: Row) -> Row:
        if given.get("id") and self._account.store.get("product", given["id"]):
            raise StripeError("Product already exists.", code="resource_already_exists")
        plain = {name: given[name] for name in ("name", "description", "active") if name in given}
        row = self._account.new(
            stripe.Product, "product", id=given.get("id"), type="service", **{"active": True} | plain
        )
        row |= {"updated": self._account.now, "metadata": merged_metadata({}, given.get("metadata"))}
        return self._account.put("product", row, "product.created")

    def update_product(self, name: str, given: Row) -> Row:
        row = self._account.get("product", name)
        row |= {key: given[key] for key in ("name", "description", "active") if key in given}
        row |= {"updated": self._account.now, "metadata": merged_metadata(row["metadata"], given.get("metadata"))}
        return self._account.put("product", row, "product.updated")

    def create_price(self, given: Row) -> Row:
        product = self._account.get("product", given.get("product", ""), "product")
        if "unit_amount" not in given:
            raise StripeError("You must pass either `unit_amount` or `custom_unit_amount`.", param="unit_amount")
        lookup = given.get("lookup_key")
        holder = next(iter(self._account.find("price", lookup_key=lookup)), None) if lookup else None
        if holder and not given.get("transfer_lookup_key"):
            raise StripeError(f"A price (`{holder['id']}`) already uses that lookup key.", param="lookup_key")
        if holder:
            self._account.put("price", holder | {"lookup_key": None}, "price.updated")
        recurring = given.get("recurring")
        row = self._account.new(
            stripe.Price,
            "price",
            active=given.get("active", True),
            currency=given["currency"].lower(),
            product=product["id"],
            unit_amount=given["unit_amount"],
            unit_amount_decimal=str(given["unit_amount"]),
            lookup_key=lookup,
            nickname=given.get("nickname"),
            tax_behavior="unspecified",
            type="recurring" if recurring else "one_time",
            metadata=merged_metadata({}, given.get("metadata")),
        )
        if recurring:
            row["recurring"] = blank(
                stripe.Price.Recurring,
                interval=recurring["interval"],
                interval_count=recurring.get("interval_count", 1),
                usage_type="licensed",
            )
        return self._account.put("price", row, "price.created")

    def update_price(self, name: str, given: Row) -> Row:
        row = self._account.get("price", name)
        row |= {key: given[key] for key in ("active", "nickname", "lookup_key") if key in given}
        row["metadata"] = merged_metadata(row["metadata"], given.get("metadata"))
        return self._account.put("price", row, "price.updated")

    def list_prices(self, given: Row) -> Row:
        keys = given.get("lookup_keys")
        rows = [
            row
            for row in self._account.store.all("price")
            if (not keys or row["lookup_key"] in keys)
            and all(row[name] == given[name] for name in ("active", "product") if name in given)
        ]
        return page(rows, given, "/v1/prices")

    def create_customer(self, given: Row) -> Row:
        row = self._account.new(
            stripe.Customer,
            "customer",
            email=given.get("email"),
            name=given.get("name"),
            description=given.get("description"),
            balance=0,
            delinquent=False,
            metadata=merged_metadata({}, given.get("metadata")),
            invoice_prefix=self._account.random(8).upper(),
            next_invoice_sequence=1,
            preferred_locales=given.get("preferred_locales") or [],
            tax_exempt="none",
        )
        row["invoice_settings"] = blank(stripe.Customer.InvoiceSettings)
        for unexpanded in ("subscriptions", "sources", "tax_ids", "tax", "cash_balance", "invoice_credit_balance"):
            row.pop(unexpanded, None)
        return self._account.put("customer", row, "customer.created")

    def update_customer(self, name: str, given: Row) -> Row:
        row = self.customer(name)
        row |= {key: given[key] for key in ("email", "name", "description") if key in given}
        row["metadata"] = merged_metadata(row["metadata"], given.get("metadata"))
        default = (given.get("invoice_settings") or {}).get("default_payment_method")
        if default is not None:
            if default and self._account.get("payment_method", default)["customer"] != name:
                raise StripeError(
                    "The customer does not have a payment method with that ID.",
                    param="invoice_settings[default_payment_method]",
                )
            row["invoice_settings"] = {**row["invoice_settings"], "default_payment_method": default or None}
        return self._account.put("customer", row, "customer.updated")

    def require_one_currency(self, customer: str, currency: str, param: str) -> None:
        for other in self._account.find("subscription", customer=customer):
            if other["status"] in LIVE and other["currency"] != currency:
                raise StripeError(
                    "You cannot combine currencies on a single customer. This customer has an active subscription in "
                    f"{other['currency']}.",
                    param=param,
                )

    def customer(self, name: str) -> Row:
        """A customer that is not deleted."""
        row = self._account.get("customer", name, "customer")
        if row.get("deleted"):
            raise StripeError(f"No such customer: '{name}'", status=404, code="resource_missing", param="customer")
        return row

    def list_customers(self, given: Row) -> Row:
        since = given.get("created") if isinstance(given.get("created"), dict) else {}
        since = int((since or {}).get("gte", 0))
        rows = [
            row for row in self._account.store.all("customer") if not row.get("deleted") and row["created"] >= since
        ]
        return page([row for row in rows if row["email"] == given.get("email", row["email"])], given, "/v1/customers")


def check_amount(amount: int, currency: str) -> None:
    """The amounts that Stripe takes (docs.stripe.com/currencies): its minimum of USD 0.50 or as much, its steps."""
    smallest = MINIMUMS.get(currency, 50)
    if amount < smallest:
        raise StripeError("Amount must be at least the minimum charge.", code="amount_too_small", param="amount")
    if amount > 99_999_999:
        raise StripeError("Amount must be no more than 99,999,999.", code="amount_too_large", param="amount")
    if currency in ("isk", "ugx") and amount % 100:
        raise StripeError("Invalid amount.", code="invalid_charge_amount_no_decimal_compatible", param="amount")
    if currency in ("bhd", "jod", "kwd", "omr", "tnd") and amount % 10:
        raise StripeError("Amounts in this currency must end in 0.", code="amount_invalid", param="amount")


def money_of(price: Row, quantity: int) -> int:
    amount: Any = price["unit_amount"]
    return int(amount) * quantity
