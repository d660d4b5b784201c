"""The service's secrets: one JSON document in Secrets Manager, read once per execution environment."""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from coachline.settings import service_settings, stripe_settings, zoom_settings

RENEWAL_SECONDS = 60
_read_at: list[float] = []  # by the monotonic clock: when the secrets were last read


@dataclass(frozen=True, repr=False)
class Secrets:
    """Never logged: it has no repr. Webhook secrets are lists, so that old and new are both good while they rotate."""

    supabase_secret_key: str
    clerk_webhook_secrets: tuple[str, ...]
    clerk_secret_key: str
    stripe_webhook_secrets: tuple[str, ...]
    zoom_webhook_secrets: tuple[str, ...]
    calendly_client_secret: str
    calendly_webhook_keys: tuple[str, ...]
    sealing_keys: Mapping[str, bytes]  # by id, the one to seal with first


@dataclass(frozen=True, repr=False)
class ZoomCredentials:
    """Of the server-to-server app. `default_host` hosts for coaches who are not in our Zoom account."""

    account_id: str
    client_id: str
    client_secret: str
    default_host: str


@cache
def load() -> Secrets:
    """The secrets of this stage; the first call costs an import of boto3 and a round trip."""
    document = _document(service_settings().secrets_id)
    _read_at[:] = [time.monotonic()]
    return Secrets(
        supabase_secret_key=document["supabaseSecretKey"],
        clerk_webhook_secrets=tuple(document.get("clerkWebhookSecrets", ())),
        clerk_secret_key=document.get("clerkSecretKey", ""),
        stripe_webhook_secrets=tuple(document.get("stripeWebhookSecrets", ())),
        zoom_webhook_secrets=tuple(document.get("zoomWebhookSecrets", ())),
        calendly_client_secret=document.get("calendlyClientSecret", ""),
        calendly_webhook_keys=tuple(document.get("calendlyWebhookKeys", ())),
        sealing_keys={name: base64.b64decode(key) for name, key in document.get("sealingKeys", {}).items()},
    )


@cache
def stripe_key() -> str:
    """Stripe's API key, a secret of its own: what asks Stripe need not reach the service's key."""
    key: str = _document(stripe_settings().secrets_id)["apiKey"]
    return key


@cache
def zoom() -> ZoomCredentials:
    """Zoom's credentials, a secret of their own."""
    document = _document(zoom_settings().secrets_id)
    names = ("accountId", "clientId", "clientSecret", "defaultHost")
    return ZoomCredentials(*(document[name] for name in names))


def _document(name: str) -> dict[str, Any]:
    import boto3  # noqa: PLC0415 - costs about 340 ms of CPU, and only the service's functions come here

    answer = boto3.client("secretsmanager").get_secret_value(SecretId=name)
    document: dict[str, Any] = json.loads(answer["SecretString"])
    return document


def refresh() -> Secrets:
    """Read again, because the ones we hold were rejected: they may have been rotated."""
    load.cache_clear()
    return load()


def renewed() -> Secrets | None:
    """The secrets read again, because something was rejected that they should fit; None when they are fresh enough."""
    fresh = _read_at and time.monotonic() - _read_at[0] < RENEWAL_SECONDS
    return None if fresh else refresh()
