"""What the environment says, read once and only when asked for: importing this module reads nothing."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

WEBHOOK_PROVIDERS = ("clerk", "stripe", "zoom", "calendly")


def _names(value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",") if name.strip())


@dataclass(frozen=True)
class ApiSettings:
    """What every function may know. `clerk_jwt_key` is a PEM, or empty when only the JWKS URL is known."""

    stage: str
    supabase_url: str
    supabase_publishable_key: str
    api_gate_key: str
    clerk_issuer: str
    clerk_jwt_key: str
    clerk_jwks_url: str
    clerk_authorized_parties: tuple[str, ...]


@dataclass(frozen=True)
class ServiceSettings:
    """What webhooks, consumers and jobs know besides; an attribute is empty where the function has no such resource.

    `event_queue_urls` maps a provider to the queue of its webhook's events, `CLERK_EVENTS_QUEUE_URL` and so on.
    """

    secrets_id: str
    event_queue_urls: Mapping[str, str]
    event_bus_name: str
    clerk_api_url: str


@dataclass(frozen=True)
class FileSettings:
    """What the functions know that move files; the queue's address is empty where nothing is imported."""

    member_files_bucket: str
    member_imports_queue_url: str


@dataclass(frozen=True)
class StripeSettings:
    """Where Stripe is, and the name of the secret that is its API key: only what asks Stripe has it."""

    secrets_id: str
    api_url: str


@dataclass(frozen=True)
class MailSettings:
    """Who e-mails are from, and where their links lead: the web front end, and this API for unsubscribing."""

    mail_from: str
    web_url: str
    public_url: str


@dataclass(frozen=True)
class ZoomSettings:
    """Where Zoom is, and the name of the secret with its credentials: only what talks to Zoom has it."""

    secrets_id: str
    api_url: str
    auth_url: str


@dataclass(frozen=True)
class CalendlySettings:
    """How Calendly is reached and reaches us: its addresses, our application there, our address, the front end's."""

    api_url: str
    auth_url: str
    client_id: str
    public_url: str
    web_url: str


@cache
def api_settings() -> ApiSettings:
    """The settings that every function has; KeyError when one is missing from the environment."""
    env = os.environ
    return ApiSettings(
        stage=env["STAGE"],
        supabase_url=env["SUPABASE_URL"].rstrip("/"),
        supabase_publishable_key=env["SUPABASE_PUBLISHABLE_KEY"],
        api_gate_key=env["API_GATE_KEY"],
        clerk_issuer=env["CLERK_ISSUER"],
        # A PEM passed through one line of configuration carries "\n" as two characters, which no parser takes.
        clerk_jwt_key=env.get("CLERK_JWT_KEY", "").replace("\\n", "\n").strip(),
        clerk_jwks_url=env.get("CLERK_JWKS_URL", ""),
        clerk_authorized_parties=_names(env.get("CLERK_AUTHORIZED_PARTIES", "")),
    )


@cache
def service_settings() -> ServiceSettings:
    """The settings of webhooks, consumers and jobs; KeyError when SECRETS_ID is missing."""
    env = os.environ
    return ServiceSettings(
        secrets_id=env["SECRETS_ID"],
        event_queue_urls={
            name: env[variable] for name in WEBHOOK_PROVIDERS if (variable := f"{name.upper()}_EVENTS_QUEUE_URL") in env
        },
        event_bus_name=env.get("EVENT_BUS_NAME", ""),
        clerk_api_url=env.get("CLERK_API_URL", ""),
    )


@cache
def file_settings() -> FileSettings:
    """The settings of functions that move files; KeyError when the bucket is missing."""
    env = os.environ
    return FileSettings(
        member_files_bucket=env["MEMBER_FILES_BUCKET"],
        member_imports_queue_url=env.get("MEMBER_IMPORTS_QUEUE_URL", ""),
    )


@cache
def stripe_settings() -> StripeSettings:
    """The settings of what asks Stripe; KeyError where nothing does."""
    return StripeSettings(os.environ["STRIPE_SECRETS_ID"], os.environ["STRIPE_API_URL"])


@cache
def mail_settings() -> MailSettings:
    """The settings of what sends e-mails; KeyError where nothing does."""
    env = os.environ
    return MailSettings(env["MAIL_FROM"], env["WEB_URL"].rstrip("/"), env["PUBLIC_URL"].rstrip("/"))


@cache
def zoom_settings() -> ZoomSettings:
    """The settings of what talks to Zoom; KeyError where nothing does."""
    env = os.environ
    return ZoomSettings(env["ZOOM_SECRETS_ID"], env["ZOOM_API_URL"], env["ZOOM_AUTH_URL"])


@cache
def calendly_settings() -> CalendlySettings:
    """The settings of what deals with Calendly; KeyError when one is missing."""
    env = os.environ
    return CalendlySettings(
        api_url=env["CALENDLY_API_URL"].rstrip("/"),
        auth_url=env["CALENDLY_AUTH_URL"].rstrip("/"),
        client_id=env["CALENDLY_CLIENT_ID"],
        public_url=env["PUBLIC_URL"].rstrip("/"),
        web_url=env["WEB_URL"].rstrip("/"),
    )
