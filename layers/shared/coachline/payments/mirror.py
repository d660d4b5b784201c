"""How an object of Stripe's (API version 2026-10-28.endive) reads as a row of ours: pure functions over its JSON.

Where fields have moved in the versions before: docs/payments.md. Instants become RFC 3339, statuses upper case.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Row = dict[str, Any]


def subscription_row(subscription: Mapping[str, Any]) -> Row:
    """Of a subscription: its period is its items' (the earliest end counts), its plan the price of the first."""
    items = subscription["items"]["data"]
    return {
        "stripe_subscription_id": subscription["id"],
        "subscription_id": subscription["metadata"].get("subscription_id"),
        "customer": identifier(subscription["customer"]),
        "currency": subscription["currency"].upper(),
        "status": subscription["status"].upper(),
        "price": items[0]["price"]["id"],
        "current_period_start": instant(min(item["current_period_start"] for item in items)),
        "current_period_end": instant(min(item["current_period_end"] for item in items)),
        "trial_end": instant(subscription["trial_end"]),
        "cancel_at": instant(subscription["cancel_at"]),
        "canceled_at": instant(subscription["canceled_at"]),
        "ended_at": instant(subscription["ended_at"]),
        "collection_paused": bool(subscription["pause_collection"]),
        "latest_invoice_id": identifier(subscription["latest_invoice"]),
        "payment_method": identifier(subscription["default_payment_method"]),
    }


def history_row(subscription: Mapping[str, Any]) -> Row:
    """What an event tells of a subscription at its moment, in whatever version of the API it was rendered."""
    items = (subscription.get("items") or {}).get("data") or [{}]
    price = items[0].get("price") or items[0].get("plan") or subscription.get("plan") or {}
    return {
        "stripe_subscription_id": subscription["id"],
        "status": str(subscription["status"]).upper(),
        "price": price.get("id"),
        "collection_paused": bool(subscription.get("pause_collection")),
    }


def invoice_row(invoice: Mapping[str, Any], lines: list[Mapping[str, Any]]) -> Row:
    """Of an invoice and all of its lines (the object itself carries the first ten)."""
    return {
        "stripe_invoice_id": invoice["id"],
        "customer": identifier(invoice["customer"]),
        "subscription": subscription_of(invoice),
        "session_invoice_id": invoice["metadata"].get("session_invoice_id") if invoice["metadata"] else None,
        "stripe_payment_intent_id": _paid_by(invoice),
        "due_at": instant(invoice["due_date"]),
        "number": invoice["number"],
        "status": invoice["status"].upper(),
        "billing_reason": invoice["billing_reason"],
        "currency": invoice["currency"].upper(),
        **{name: invoice[name] for name in ("subtotal", "total", "amount_due", "amount_paid", "amount_remaining")},
        "attempt_count": invoice["attempt_count"],
        "next_payment_attempt": instant(invoice["next_payment_attempt"]),
        "period_start": instant(invoice["period_start"]),
        "period_end": instant(invoice["period_end"]),
        "paid_at": instant(invoice["status_transitions"]["paid_at"]),
        "hosted_invoice_url": invoice["hosted_invoice_url"],
        "invoice_pdf_url": invoice["invoice_pdf"],
        "created_at": instant(invoice["created"]),
        "lines": [_line(line) for line in lines],
    }


def _paid_by(invoice: Mapping[str, Any]) -> str | None:
    """The payment intent that pays an invoice, which it carries when its `payments` are asked for."""
    payments = (invoice.get("payments") or {}).get("data") or []
    chosen = [each for each in payments if each["is_default"]] or payments
    return identifier(chosen[-1]["payment"].get("payment_intent")) if chosen else None


def preview_row(invoice: Mapping[str, Any]) -> Row:
    """Of a previewed invoice: what a change would cost, as Stripe says it."""
    currency = invoice["currency"].upper()
    return {
        "amount_due": {"amount": invoice["amount_due"], "currency": currency},
        "total": {"amount": invoice["total"], "currency": currency},
        "lines": [
            {
                "description": line["description"],
                "amount": {"amount": line["amount"], "currency": currency},
                "period_start": instant(line["period"]["start"]),
                "period_end": instant(line["period"]["end"]),
            }
            for line in invoice["lines"]["data"]
        ],
    }


def payment_method_row(method: Mapping[str, Any]) -> Row:
    """Of a payment method; the details are in a member that is named after its type."""
    details = method.get(method["type"]) or {}
    return {
        "id": method["id"],
        "type": method["type"],
        "brand": details.get("brand") or details.get("bank_name"),
        "last4": details.get("last4") or None,
        "fingerprint": details.get("fingerprint"),
        "expires_month": details.get("exp_month"),
        "expires_year": details.get("exp_year"),
        "created_at": instant(method["created"]),
    }


def payment_row(intent: Mapping[str, Any]) -> Row:
    """Of the payment of a session, with its `latest_charge` expanded or not. Waiting for a method means that the last
    attempt has failed, when there was one."""
    error = intent["last_payment_error"] or {}
    charge = intent["latest_charge"]
    return {
        "stripe_payment_intent_id": intent["id"],
        "payment_id": (intent["metadata"] or {}).get("payment_id"),
        "customer": identifier(intent["customer"]),
        "status": "FAILED" if error and intent["status"] == "requires_payment_method" else _PAYMENTS[intent["status"]],
        "amount": intent["amount"],
        "currency": intent["currency"].upper(),
        "application_fee": intent["application_fee_amount"],
        "destination": identifier((intent["transfer_data"] or {}).get("destination")),
        "payment_method": identifier(intent["payment_method"]),
        "charge": identifier(charge),
        "transfer": identifier(charge["transfer"]) if isinstance(charge, Mapping) else None,
        "failure_code": error.get("decline_code") or error.get("code"),
        "failure_message": error.get("message"),
    }


_PAYMENTS = {
    "requires_payment_method": "PENDING",
    "requires_confirmation": "PENDING",
    "requires_action": "REQUIRES_ACTION",
    "processing": "PROCESSING",
    "requires_capture": "PROCESSING",
    "succeeded": "COMPLETED",
    "canceled": "CANCELED",
}


def movement_rows(transaction: Mapping[str, Any]) -> list[Row]:
    """Of a transaction of the platform's balance, with its `source` expanded: none for what no payment causes."""
    source = transaction["source"]
    if not isinstance(source, Mapping) or transaction["type"] not in _MOVEMENTS:
        return []
    kind, whose = _MOVEMENTS[transaction["type"]], {name: identifier(source.get(name)) for name in ("payment_intent",)}
    if kind == "TRANSFER":
        charge = identifier(source["source_transaction"])
        whose = {"transfer": source["id"], "charge": charge, "payment_id": (source["metadata"] or {}).get("payment_id")}
        kind = "TRANSFER" if charge else "CREDIT"
    elif kind == "FEE":
        whose = {"charge": identifier(source["originating_transaction"])}
    elif kind == "CHARGE":
        whose["charge"] = source["id"]
    shared = {
        "currency": transaction["currency"].upper(),
        "stripe_id": source["id"],
        "balance_transaction_id": transaction["id"],
        "occurred_at": instant(transaction["created"]),
        **whose,
    }
    rows = [{"kind": kind, "amount": transaction["amount"], **shared}]
    if transaction["fee"]:
        rows.append({"kind": "PROCESSING_FEE", "amount": -transaction["fee"], **shared})
    return rows


_MOVEMENTS = {"charge": "CHARGE", "payment": "CHARGE", "transfer": "TRANSFER", "application_fee": "FEE"}


def account_row(account: Mapping[str, Any]) -> Row:
    """Of a connected account: whether its coach can be paid, and what Stripe still wants of him."""
    requirements = account.get("requirements") or {}
    return {
        "stripe_account_id": account["id"],
        "coach_id": (account.get("metadata") or {}).get("coach_id"),
        "transfers_active": (account.get("capabilities") or {}).get("transfers") == "active",
        "payouts_enabled": bool(account["payouts_enabled"]),
        "details_submitted": bool(account["details_submitted"]),
        "requirements": requirements.get("currently_due") or [],
        "disabled_reason": requirements.get("disabled_reason"),
    }


def payout_row(payout: Mapping[str, Any]) -> Row:
    """Of a payout to a coach's bank."""
    return {
        "id": payout["id"],
        "amount": {"amount": payout["amount"], "currency": payout["currency"].upper()},
        "status": payout["status"].upper(),
        "arrival_date": datetime.fromtimestamp(payout["arrival_date"], UTC).date().isoformat(),
        "failure_code": payout["failure_code"],
        "created_at": instant(payout["created"]),
    }


def subscription_of(invoice: Mapping[str, Any]) -> str | None:
    """The subscription that an invoice is of, if it is of one."""
    details = (invoice.get("parent") or {}).get("subscription_details") or {}
    return identifier(details.get("subscription"))


def _line(line: Mapping[str, Any]) -> Row:
    details = (line.get("parent") or {}).get("subscription_item_details") or {}
    return {
        "description": line["description"],
        "amount": line["amount"],
        "quantity": line["quantity"],
        "proration": bool(details.get("proration")),
        "period_start": instant(line["period"]["start"]),
        "period_end": instant(line["period"]["end"]),
        "session_id": (line["metadata"] or {}).get("session_id"),
    }


def instant(seconds: int | None) -> str | None:
    """Unix seconds as RFC 3339."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def identifier(value: Any) -> str | None:
    """The id of a reference, expanded or not."""
    name: str | None = value["id"] if isinstance(value, Mapping) else value
    return name
