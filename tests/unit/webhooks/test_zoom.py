"""Zoom's signature over the bytes that arrived, and its challenge."""

import hashlib
import hmac
from typing import Any

import pytest

from coachline.problems import BadRequest, NotFound
from coachline.webhooks import SignatureInvalid, verify_zoom, zoom_challenge

NOW = 1_795_190_404.0
RAW = '{"event": "meeting.started",  "payload": {"topic": "Café \\/ 1"}}'.encode()


def headers(
    secret: str = "secret",  # noqa: S107 - of these tests alone
    raw: bytes = RAW,
    at: float = NOW,
    changed: dict[str, str] | None = None,
) -> dict[str, str]:
    stamp = str(int(at))
    signature = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + raw, hashlib.sha256).hexdigest()
    given = {"x-zm-request-timestamp": stamp, "x-zm-signature": f"v0={signature}"}
    return {name: value for name, value in {**given, **(changed or {})}.items() if value != "-"}


def verify(given: dict[str, str], raw: bytes = RAW, secrets: tuple[str, ...] = ("secret",)) -> str:
    return verify_zoom(given, raw, secrets, NOW)


def test_what_zoom_signed_is_let_in() -> None:
    assert verify(headers()) == ""
    assert verify(headers(at=NOW - 299)) == ""
    assert verify(headers(at=NOW + 299)) == ""


def test_old_and_new_secret_are_good_while_they_rotate() -> None:
    assert verify(headers("old"), secrets=("new", "old")) == ""
    assert verify(headers("new"), secrets=("new", "old")) == ""


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (headers("another"), "mismatch"),
        (headers(raw=RAW + b" "), "mismatch"),
        (headers(at=NOW - 301), "stale"),
        (headers(at=NOW + 301), "stale"),
        (headers(changed={"x-zm-signature": "-"}), "incomplete"),
        (headers(changed={"x-zm-request-timestamp": "-"}), "incomplete"),
        (headers(changed={"x-zm-request-timestamp": "1e9"}), "stale"),
        (headers(changed={"x-zm-request-timestamp": "\u0661"}), "stale"),
        (headers(changed={"x-zm-request-timestamp": str(int(NOW) + 1)}), "mismatch"),
        (headers(changed={"x-zm-signature": headers()["x-zm-signature"].removeprefix("v0=")}), "mismatch"),
        (headers(changed={"x-zm-signature": headers()["x-zm-signature"].upper()}), "mismatch"),
        (headers(changed={"x-zm-signature": "v0=\u00e9"}), "mismatch"),
    ],
)
def test_everything_else_is_refused_for_a_reason(given: dict[str, str], reason: str) -> None:
    with pytest.raises(SignatureInvalid) as refused:
        verify(given)
    assert refused.value.reason == reason


@pytest.mark.parametrize("secrets", [(), ("",)])
def test_without_a_secret_there_is_no_endpoint(secrets: tuple[str, ...]) -> None:
    with pytest.raises(NotFound):
        verify(headers(""), secrets=secrets)


def test_a_challenge_is_answered_with_the_token_s_digest() -> None:
    # Of openssl dgst -sha256 -hmac secret
    assert zoom_challenge({"payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}}, ("secret", "old")) == {
        "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
        "encryptedToken": hmac.new(b"secret", b"qgg8vlvZRS6UYooatFL8Aw", "sha256").hexdigest(),
    }


@pytest.mark.parametrize("payload", [{}, {"payload": None}, {"payload": {}}, {"payload": {"plainToken": 7}}])
def test_a_challenge_without_a_token_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        zoom_challenge(payload, ("secret",))
