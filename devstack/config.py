"""Where the stack keeps things, and the keys that it makes once."""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self


class StackError(Exception):
    """Something the person who runs the stack can act on: shown without a traceback."""


@dataclass(frozen=True)
class Config:
    root: Path
    directory: Path
    port: int = 3000
    database: str = "coachline"
    postgres_url: str | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, root: Path | None = None) -> Self:
        """Read PORT, DEVSTACK_DIR (relative to the root), DEVSTACK_DATABASE and DEVSTACK_POSTGRES_URL."""
        root = (root or Path(__file__).parent.parent).resolve()
        port = environ.get("PORT") or "3000"
        if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            raise StackError(f"PORT must be a number from 1 to 65535, not {port!r}")
        return cls(
            root=root,
            directory=(root / (environ.get("DEVSTACK_DIR") or ".devstack")).resolve(),
            port=int(port),
            database=environ.get("DEVSTACK_DATABASE") or "coachline",
            postgres_url=environ.get("DEVSTACK_POSTGRES_URL") or None,
        )


@dataclass(frozen=True)
class Keys:
    """The stack's secrets. The private keys are RSA, PEM (PKCS 8); stack_private_key signs service_role tokens."""

    publishable_key: str
    secret_key: str
    gate_key: str
    clerk_webhook_secret: str
    clerk_private_key: str
    stripe_api_key: str
    stripe_webhook_secret: str
    stripe_connect_secret: str
    calendly_client_secret: str
    calendly_webhook_key: str
    zoom_client_secret: str
    zoom_webhook_secret: str
    sealing_key: str
    stack_private_key: str

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read directory/keys.json, making first what it lacks."""
        path = directory / "keys.json"
        stored: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        names = [field.name for field in fields(cls)]
        if missing := [name for name in names if name not in stored]:
            stored.update({name: _new_key(name) for name in missing})
            write_private(path, json.dumps(stored, indent=2))
        return cls(**{name: stored[name] for name in names})

    @property
    def service_secret(self) -> dict[str, Any]:
        """What webhooks, consumers and jobs find in Secrets Manager."""
        return {
            "supabaseSecretKey": self.secret_key,
            "clerkWebhookSecrets": [self.clerk_webhook_secret],
            "clerkSecretKey": "sk_test_local",
            "calendlyClientSecret": self.calendly_client_secret,
            "calendlyWebhookKeys": [self.calendly_webhook_key],
            "stripeWebhookSecrets": [self.stripe_webhook_secret, self.stripe_connect_secret],
            "zoomWebhookSecrets": [self.zoom_webhook_secret],
            "sealingKeys": {"local": self.sealing_key},
        }


def write_private(path: Path, text: str) -> None:
    """Replace a file as a whole, readable by its owner only from its first moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def _new_key(name: str) -> str:
    match name:
        case "publishable_key" | "secret_key":  # Supabase's shape: prefix, random part, checksum
            return f"sb_{name.removesuffix('_key')}_{secrets.token_urlsafe(16)}_{secrets.token_urlsafe(6)}"
        case "stripe_api_key":
            return f"sk_test_{secrets.token_urlsafe(24)}"
        case (
            "gate_key"
            | "calendly_client_secret"
            | "calendly_webhook_key"
            | "zoom_client_secret"
            | "zoom_webhook_secret"
        ):
            return secrets.token_urlsafe(32)
        case "sealing_key":  # of AES-256
            return base64.b64encode(secrets.token_bytes(32)).decode()
        case "clerk_webhook_secret" | "stripe_webhook_secret" | "stripe_connect_secret":  # Svix's: base64 of 24 bytes
            return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        case _:
            return _new_private_key()


def _new_private_key() -> str:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - only a first start pays for it
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - only a first start pays for it

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
