"""Stripe by its own SDK: one client per execution environment, its failures as ours.

Read docs/payments.md first. The SDK retries lost connections and 5xx by itself, with our idempotency key, and never a
429; https://docs.stripe.com/api/idempotent_requests
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import stripe

from coachline import secrets
from coachline.problems import Conflict, NotFound, Problem, Unavailable, Unprocessable
from coachline.settings import stripe_settings

TIMEOUT_SECONDS = 8
RETRIES = 2


class Declined(Problem):
    """402: the bank refused. `declineCode` is the bank's reason, where it gave one."""

    status = 402
    code = "payment_declined"
    default_detail = "The payment was declined."


class Refused(Unprocessable):
    """422: Stripe understood and will not do it."""

    code = "payment_refused"
    default_detail = "The payment provider does not accept this."


@cache
def client() -> stripe.StripeClient:
    """The client, made on first use: its key is a secret of its own."""
    return stripe.StripeClient(
        secrets.stripe_key(),
        max_network_retries=RETRIES,
        http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
        base_addresses={"api": stripe_settings().api_url},
    )


def is_live() -> bool:
    """Whether our key moves real money: secret and restricted keys name their mode (sk_live_…, rk_test_…)."""
    return secrets.stripe_key().split("_")[1] == "live"


# Refusals of Stripe's that mean the same as one of the database's, which did not know yet.
_CONFLICTS = {
    "charge_already_refunded": ("payment_refunded", "All of this payment has been given back."),
    "charge_disputed": (
        "payment_disputed",
        "The payer has disputed this payment, and his bank decides about the money.",
    ),
}


@contextmanager
def asking() -> Iterator[None]:
    """Stripe's errors as problems: Declined, Refused, NotFound; Unavailable when it is not known what happened."""
    try:
        yield
    except stripe.CardError as error:
        bank = error.error.decline_code if error.error else None
        raise Declined(error.user_message, extensions={"declineCode": bank or error.code}) from error
    except stripe.RateLimitError as error:
        raise Unavailable("The payment provider is busy; try again shortly.", retry_after=5) from error
    except stripe.IdempotencyError as error:
        raise Conflict(
            "An earlier request about this is still running. Try again shortly.", code="request_in_progress"
        ) from error
    except stripe.InvalidRequestError as error:
        if error.http_status == 409:
            raise Conflict(
                "An earlier request about this is still running. Try again shortly.", code="request_in_progress"
            ) from error
        if error.code == "insufficient_capabilities_for_transfer":
            raise Conflict("The coach cannot be paid at present.", code="payouts_not_ready") from error
        if error.code == "balance_insufficient":
            raise Unavailable("The platform's balance does not cover this yet; it is tried again.") from error
        if error.code == "resource_missing":
            raise NotFound("The payment provider does not know this any more.") from error
        if error.code in _CONFLICTS:
            code, detail = _CONFLICTS[error.code]
            raise Conflict(detail, code=code) from error
        raise Refused(error.user_message or str(error)) from error
    except stripe.StripeError as error:
        raise Unavailable("The payment provider cannot be reached; nothing is lost, try again shortly.") from error


def plain(answer: stripe.StripeObject) -> dict[str, Any]:
    """An object of the SDK as JSON would have it: dictionaries, lists, strings, numbers."""
    row: dict[str, Any] = answer.to_dict(for_json=True)
    return row
