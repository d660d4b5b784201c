"""What paying a session asks of Stripe, each call once: destination charges on the coach's account.

https://docs.stripe.com/connect/destination-charges. The coach gets the charge less the application fee; what account
credit or a plan has covered beyond the platform's fee is a transfer of its own.
"""

from collections.abc import Mapping
from typing import Any

import stripe

from coachline.payments.stripe_api import client
from coachline.problems import NotFound

SLOW = ["us_bank_account", "sepa_debit"]  # take days: not for a session that begins before
_Parameters = Mapping[str, Any]


def create(
    subject: str, given: _Parameters, key: Any, *, customer: str | None, forgotten: bool
) -> stripe.PaymentIntent:
    """Open a payment, and try to pay it when a method was chosen. A decline is no failure of it: it can be paid still.

    Forgotten by Stripe, it is looked for and not made again: who wanted to pay has gone long ago.
    """
    if forgotten:
        found = client().v1.payment_intents.list({"customer": str(customer), "limit": 100})
        for intent in found.auto_paging_iter():
            if intent.metadata.to_dict().get("payment_id") == subject:
                return intent
        raise NotFound
    asked: dict[str, Any] = {
        "amount": given["amount"],
        "currency": given["currency"].lower(),
        "customer": customer,
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "transfer_data": {"destination": given["destination"]},
        "transfer_group": f"session_{given['session_id']}",
        "description": "Coaching session",
        "metadata": {"payment_id": subject, "session_id": given["session_id"]},
    }
    asked |= {"application_fee_amount": given["application_fee"]} if given["application_fee"] else {}
    asked |= {"excluded_payment_method_types": SLOW} if given["fast"] else {}
    asked |= {"payment_method": given["payment_method"], "confirm": True} if given["payment_method"] else {}
    try:
        return client().v1.payment_intents.create(asked, key)  # type: ignore[arg-type]  # a plain dictionary
    except stripe.CardError as declined:
        if declined.error and declined.error.payment_intent:
            return declined.error.payment_intent
        raise


def confirm(_subject: str, given: _Parameters, key: Any, *, forgotten: bool) -> stripe.PaymentIntent:
    """Try to pay with another method; raises CardError when it is declined. Never later than its payer waits for it."""
    if forgotten:
        return client().v1.payment_intents.retrieve(given["payment_intent"])
    return client().v1.payment_intents.confirm(
        given["payment_intent"], {"payment_method": given["payment_method"]}, key
    )


def cancel(_subject: str, given: _Parameters, key: Any, *, forgotten: bool) -> stripe.PaymentIntent:  # noqa: ARG001 - a second time does no harm
    """Nobody can pay any more. One that has been paid meanwhile, or is being, stays as it is."""
    try:
        return client().v1.payment_intents.cancel(given["payment_intent"], {"cancellation_reason": "abandoned"}, key)
    except stripe.InvalidRequestError as error:
        if error.code != "payment_intent_unexpected_state":
            raise
        return client().v1.payment_intents.retrieve(given["payment_intent"])


def top_up(subject: str, given: _Parameters, key: Any, *, forgotten: bool) -> stripe.Transfer:
    """The platform's own part of what the coach gets, found again by its session when Stripe has forgotten the key."""
    group = f"session_{subject}"
    if forgotten:
        for transfer in client().v1.transfers.list({"transfer_group": group, "limit": 100}).auto_paging_iter():
            if transfer.metadata.to_dict().get("payment_id") == given["payment_id"]:
                return transfer
    asked: Any = {
        "amount": given["amount"],
        "currency": given["currency"].lower(),
        "destination": given["destination"],
        "transfer_group": group,
        "metadata": {"session_id": subject, "payment_id": given["payment_id"]},
    }
    return client().v1.transfers.create(asked, key)
