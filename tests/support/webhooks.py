"""Webhooks as each provider sends them: an event of its own, and its signature over the bytes."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.stack import ROOT, Stack

Headers = dict[str, str]


@dataclass(frozen=True)
class Sender:
    """A provider. `sign(raw, secret, at)` gives the headers of a delivery at a Unix time; `tolerance` in seconds;
    `secret_name` is the member of the service's secret that lists what it signs with; `named` what its sample event
    under events/ is told from others by."""

    name: str
    sign: Callable[[bytes, str, int], Headers]
    tolerance: int
    secret_name: str
    named: str

    def secret(self, stack: Stack) -> str:
        secrets: Any = stack.info["webhookSecrets"][self.name]
        return str(secrets if isinstance(secrets, str) else secrets[0])

    def event(self, mark: str) -> bytes:
        """The sample event, made one of its own by a mark: letters, digits and hyphens."""
        sample: str = json.loads((ROOT / "events" / f"{self.name}.json").read_text())["body"]
        assert self.named in sample
        return sample.replace(self.named, mark).encode()

    def deliver(
        self, stack: Stack, raw: bytes, *, secret: str | None = None, seconds: int = 0, **changed: str | None
    ) -> httpx.Response:
        """Send bytes, signed so many seconds from now.

        `changed`: headers by name, with `_` for `-`, and what they are instead; None leaves one out.
        """
        headers: dict[str, str | None] = {"content-type": "application/json"}
        headers |= self.sign(raw, secret or self.secret(stack), int(time.time()) + seconds)
        headers |= {name.replace("_", "-"): value for name, value in changed.items()}
        kept = httpx.Headers({name: value for name, value in headers.items() if value is not None}, encoding="utf-8")
        return stack.http.post(f"/webhooks/{self.name}", content=raw, headers=kept)


def _zoom(raw: bytes, secret: str, at: int) -> Headers:
    digest = hmac.digest(secret.encode(), f"v0:{at}:".encode() + raw, hashlib.sha256)
    return {"x-zm-request-timestamp": str(at), "x-zm-signature": f"v0={digest.hex()}"}


def svix(raw: bytes, secret: str, at: int, message: str = "") -> Headers:
    """Clerk's way; a message that is given no id has one of its content, the same for every attempt."""
    message = message or f"msg_{hashlib.sha256(raw).hexdigest()[:24]}"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{message}.{at}.".encode() + raw, hashlib.sha256)
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"svix-id": message, "svix-timestamp": str(at), "svix-signature": signature}


def _stamped(header: str) -> Callable[[bytes, str, int], Headers]:
    def sign(raw: bytes, secret: str, at: int) -> Headers:
        digest = hmac.digest(secret.encode(), f"{at}.".encode() + raw, hashlib.sha256)
        return {header: f"t={at},v1={digest.hex()}"}

    return sign


ZOOM = Sender("zoom", _zoom, 300, "zoomWebhookSecrets", "aDYlohsHRtCd4ii1uC2+hA==")
CLERK = Sender("clerk", svix, 300, "clerkWebhookSecrets", "user_2pKmExampleJordanRivera01")
STRIPE = Sender("stripe", _stamped("stripe-signature"), 300, "stripeWebhookSecrets", "evt_1QxYzAbCdEfGhIjKlMnOpQrS")
CALENDLY = Sender(
    "calendly",
    _stamped("calendly-webhook-signature"),
    180,
    "calendlyWebhookKeys",
    "8d2f6b40-3c1e-47a5-9be0-15c7d8e9fa21",
)
SENDERS = (ZOOM, CLERK, STRIPE, CALENDLY)
