"""Roles in Clerk's public metadata, where the front end finds them in the session token (DOMAIN A).

Only a copy for its looks: authorisation reads the database. Whose roles never changed since sign-up has none there.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from coachline import secrets
from coachline.database import Database
from coachline.events import RetryLater
from coachline.logs import logger
from coachline.providers import Missing, Provider
from coachline.settings import service_settings

API_VERSION = "2025-04-10"
ROUNDS = 5


@cache
def clerk() -> Provider:
    """Clerk's Backend API; one client per execution environment."""
    return Provider(
        "clerk",
        service_settings().clerk_api_url,
        token=_key,
        code_of=_code_of,
        headers={"Clerk-API-Version": API_VERSION},
    )


def publish_roles(database: Database, provider: Provider, user_id: str) -> None:
    """Write the roles that a user has now to Clerk. Any order of events, any repetition, several at once.

    What is sent is the state and not the change, so an event's id need not be remembered. Two at once may reach Clerk
    in the wrong order: each looks again after it wrote, and the one that wrote last writes what is true by then.
    """
    current = database.read("get_clerk_roles", target=user_id)
    for _ in range(ROUNDS):
        if current is None:  # deleted meanwhile
            return
        # PATCH merges deeply and replaces arrays: repeating it is harmless, and what others keep beside it stays.
        body = {"public_metadata": {"roles": current["roles"]}}
        try:
            provider.call("PATCH", f"/v1/users/{current['clerk_id']}/metadata", json=body, repeatable=True)
        except Missing:
            logger.info("metadata.no_user", user_id=user_id)  # deleted at Clerk; its own event tells us
            return
        written, current = current, database.read("get_clerk_roles", target=user_id)
        if current == written:
            return
    raise RetryLater(5, "the roles kept changing")


def _key(rejected: str | None) -> str:
    key = secrets.load().clerk_secret_key
    if key == rejected and (renewed := secrets.renewed()):
        return renewed.clerk_secret_key
    return key


def _code_of(body: Mapping[str, Any]) -> tuple[str, str]:
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], Mapping) else {}
    return str(first.get("code", "")), str(first.get("message", ""))
