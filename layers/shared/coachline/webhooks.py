"""Webhook signatures, checked over the bytes that arrived and never over JSON that was parsed and written again."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coachline.problems import BadRequest, NotFound, Problem

SVIX_TOLERANCE_SECONDS = 5 * 60
STRIPE_TOLERANCE_SECONDS = 5 * 60
ZOOM_TOLERANCE_SECONDS = 5 * 60
CALENDLY_TOLERANCE_SECONDS = 3 * 60


class SignatureInvalid(Problem):
    """401: unsigned, signed with another secret, changed on the way, or too old to be told from a replay.

    `reason` is for our log alone: incomplete, stale or mismatch.
    """

    status = 401
    code = "signature_invalid"
    default_detail = "The signature does not fit this request."

    def __init__(self, reason: str = "mismatch") -> None:
        super().__init__(headers={"WWW-Authenticate": "Signature"})
        self.reason = reason


def raw_body(event: Mapping[str, Any]) -> bytes:
    """The request's body as it was sent, whichever way API Gateway passed it on."""
    body: str = event.get("body") or ""
    try:
        return base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except ValueError:  # binascii.Error and UnicodeEncodeError are both of this kind
        raise BadRequest from None


def verify_svix(headers: Mapping[str, str], raw: bytes, secrets: Sequence[str], now: float) -> str:
    """Check a delivery signed by Svix (Clerk); returns its id, the same for every retry of one message.

    `headers` with lower-case names, `secrets` the active `whsec_…`, `now` in Unix seconds. Without any secret the
    endpoint does not exist (404); whatever does not fit is SignatureInvalid.
    https://docs.svix.com/receiving/verifying-payloads/how-manual
    """
    message_id, timestamp = headers.get("svix-id", ""), headers.get("svix-timestamp", "")
    keys = [_svix_key(secret) for secret in secrets if secret]
    if not keys:
        raise NotFound
    if not (message_id and timestamp):
        raise SignatureInvalid("incomplete")
    if not within_tolerance(timestamp, now, SVIX_TOLERANCE_SECONDS):
        raise SignatureInvalid("stale")
    signed = f"{message_id}.{timestamp}.".encode() + raw
    expected = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)) for key in keys]
    received = [
        value for version, _, value in (part.partition(",") for part in _signatures(headers)) if version == "v1"
    ]
    if not any_match(expected, received):
        raise SignatureInvalid
    return message_id


def verify_zoom(headers: Mapping[str, str], raw: bytes, secrets: Sequence[str], now: float) -> str:
    """Check a delivery signed by Zoom with a secret token; it names no delivery that would be the same for a retry.

    `v0=` and the hex HMAC-SHA256 of `v0:{timestamp}:{raw}`, over the bytes that arrived: Zoom's own sample writes the
    JSON again, which fails on the first escape. https://developers.zoom.us/docs/api/webhooks/#verify-webhook-events
    """
    keys = [secret.encode() for secret in secrets if secret]
    if not keys:
        raise NotFound
    timestamp, signature = headers.get("x-zm-request-timestamp", ""), headers.get("x-zm-signature", "")
    if not (timestamp and signature):
        raise SignatureInvalid("incomplete")
    if not within_tolerance(timestamp, now, ZOOM_TOLERANCE_SECONDS):
        raise SignatureInvalid("stale")
    signed = b"v0:" + timestamp.encode() + b":" + raw
    if not any_match(
        [b"v0=" + hmac.new(key, signed, hashlib.sha256).hexdigest().encode() for key in keys], [signature]
    ):
        raise SignatureInvalid
    return ""


def verify_calendly(headers: Mapping[str, str], raw: bytes, secrets: Sequence[str], now: float) -> str:
    """Check a delivery of Calendly's, `t=<unix seconds>,v1=<hex>`; returns "", because Calendly gives deliveries no id.

    Parameters as of `verify_svix`; keys are used as they are. More `v1` may stand in a header, and parts that nobody
    knows yet. https://developer.calendly.com/api-docs/overview/webhooks/webhook-signatures
    """
    parts = [part.split("=", 1) for part in headers.get("calendly-webhook-signature", "").split(",") if "=" in part]
    stamps = [value.strip() for name, value in parts if name.strip() == "t"]
    received = [value.strip() for name, value in parts if name.strip() == "v1"]
    keys = [secret.encode() for secret in secrets if secret]
    if not keys:
        raise NotFound
    if len(stamps) != 1 or not received:
        raise SignatureInvalid("incomplete")
    if not within_tolerance(stamps[0], now, CALENDLY_TOLERANCE_SECONDS):
        raise SignatureInvalid("stale")
    signed = f"{stamps[0]}.".encode() + raw
    if not any_match([hmac.digest(key, signed, hashlib.sha256).hex().encode() for key in keys], received):
        raise SignatureInvalid
    return ""


def zoom_challenge(payload: Mapping[str, Any], secrets: Sequence[str]) -> dict[str, str]:
    """The answer to `endpoint.url_validation`, which Zoom repeats every 72 hours and waits 3 seconds for."""
    inner = payload.get("payload")
    token = inner.get("plainToken") if isinstance(inner, Mapping) else None
    if not isinstance(token, str) or not token:
        raise BadRequest("The challenge has no payload.plainToken.")
    return {"plainToken": token, "encryptedToken": hmac.new(secrets[0].encode(), token.encode(), "sha256").hexdigest()}


def verify_stripe(headers: Mapping[str, str], raw: bytes, secrets: Sequence[str], now: float) -> str:
    """Check a delivery of Stripe's; it has no id of its own, so this returns "": an event has one.

    Arguments and refusals are those of `verify_svix`. Stripe's SDK would let a timestamp in the future pass, and its
    import takes a quarter of a second. https://docs.stripe.com/webhooks#verify-manually
    """
    keys = [secret.encode() for secret in secrets if secret]
    if not keys:
        raise NotFound
    parts = [part.strip().partition("=") for part in headers.get("stripe-signature", "").split(",")]
    timestamp = next((value for name, _, value in parts if name == "t"), "")
    received = [value for name, _, value in parts if name == "v1"]
    if not (timestamp and received):
        raise SignatureInvalid("incomplete")
    if not within_tolerance(timestamp, now, STRIPE_TOLERANCE_SECONDS):
        raise SignatureInvalid("stale")
    signed = f"{timestamp}.".encode() + raw
    if not any_match([hmac.digest(key, signed, hashlib.sha256).hex().encode() for key in keys], received):
        raise SignatureInvalid
    return ""


def within_tolerance(timestamp: str, now: float, seconds: int) -> bool:
    """Whether a signed Unix time is at most `seconds` away from now, in the past or in the future."""
    return timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16 and abs(now - int(timestamp)) <= seconds


def any_match(expected: Iterable[bytes], received: Sequence[str]) -> bool:
    """Whether a received signature is one of the expected; a near miss takes as long as any other."""
    candidates = [signature.encode() for signature in received]
    return any(hmac.compare_digest(ours, theirs) for ours in expected for theirs in candidates)


def _signatures(headers: Mapping[str, str]) -> list[str]:
    return headers.get("svix-signature", "").split()


def _svix_key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        # Our own configuration: failing loudly makes the provider retry until it is mended.
        raise RuntimeError("a webhook secret is not base64") from None
