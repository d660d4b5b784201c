"""Stripe's signatures, as its SDK makes them."""

import json

import pytest
import stripe

from coachline.problems import NotFound
from coachline.webhooks import SignatureInvalid, verify_stripe

NOW, BODY = 1_800_000_000, json.dumps({"id": "evt_1"})


def header(body: str = BODY, *, secret: str = "whsec_ours", at: int = NOW) -> dict[str, str]:  # noqa: S107 - a test's
    return {"stripe-signature": stripe.WebhookSignature.generate_signature_header(body, secret, at)}


def test_what_the_sdk_signs_is_good_with_the_old_secret_and_the_new() -> None:
    for secrets in (["whsec_ours"], ["whsec_new", "whsec_ours"]):
        assert verify_stripe(header(), BODY.encode(), secrets, NOW) == ""


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (header(secret="whsec_other"), BODY),
        (header(), BODY + " "),
        (header(at=NOW - 301), BODY),
        (header(at=NOW + 301), BODY),
        ({"stripe-signature": header()["stripe-signature"].replace("v1=", "v0=")}, BODY),
        ({}, BODY),
    ],
)
def test_anything_else_is_not(headers: dict[str, str], body: str) -> None:
    with pytest.raises(SignatureInvalid):
        verify_stripe(headers, body.encode(), ["whsec_ours"], NOW)


def test_without_a_secret_there_is_no_webhook() -> None:
    with pytest.raises(NotFound):
        verify_stripe(header(), BODY.encode(), [""], NOW)
