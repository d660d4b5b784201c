"""The service's secrets: one JSON document in Secrets Manager, read once per execution environment."""

import json
import time
from dataclasses import dataclass
from functools import cache

from coachline.settings import service_settings

RENEWAL_SECONDS = 60
_read_at: list[float] = []  # by the monotonic clock: when the secrets were last read


@dataclass(frozen=True, repr=False)
class Secrets:
    """Never logged: it has no repr. Webhook secrets are lists, so that old and new are both good while they rotate."""

    supabase_secret_key: str
    clerk_webhook_secrets: tuple[str, ...]


@cache
def load() -> Secrets:
    """The secrets of this stage; the first call costs an import of boto3 and a round trip."""
    import boto3  # noqa: PLC0415 - costs about 340 ms of CPU, and only the service's functions come here

    answer = boto3.client("secretsmanager").get_secret_value(SecretId=service_settings().secrets_id)
    document = json.loads(answer["SecretString"])
    _read_at[:] = [time.monotonic()]
    return Secrets(
        supabase_secret_key=document["supabaseSecretKey"],
        clerk_webhook_secrets=tuple(document.get("clerkWebhookSecrets", ())),
    )


def refresh() -> Secrets:
    """Read again, because the ones we hold were rejected: they may have been rotated."""
    load.cache_clear()
    return load()


def renewed() -> Secrets | None:
    """The secrets read again, because something was rejected that they should fit; None when they are fresh enough."""
    fresh = _read_at and time.monotonic() - _read_at[0] < RENEWAL_SECONDS
    return None if fresh else refresh()
