"""What every webhook does: check the signature over the raw bytes, store the event once, enqueue it."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coachline import secrets
from coachline.database import Database
from coachline.incoming import parsed
from coachline.logs import logger
from coachline.models import unstorable
from coachline.operations import inbox
from coachline.problems import BadRequest
from coachline.secrets import Secrets
from coachline.settings import service_settings
from coachline.webhooks import SignatureInvalid, raw_body

LONGEST_ID = 500  # an index holds it

Verify = Callable[[Mapping[str, str], bytes, Sequence[str], float], str]


@dataclass(frozen=True)
class Source:
    """How one provider delivers.

    `verify` checks headers (lower-case names) and raw body against the active secrets at a Unix time, and returns the
    delivery's id if the provider gives one; SignatureInvalid, or NotFound without a secret. `types` are the events that
    are kept. `identify` names an event, the same for every retry of it, from that id and the payload.
    """

    name: str
    secrets_of: Callable[[Secrets], Sequence[str]]
    verify: Verify
    type_field: str
    types: Collection[str]
    identify: Callable[[str, Mapping[str, Any]], str]


@dataclass(frozen=True)
class Delivery:
    """A delivery whose signature fits."""

    id: str
    type: str
    payload: dict[str, Any]


def opened(event: Mapping[str, Any], source: Source) -> Delivery:
    """The delivery that an API Gateway event carries: 401 when it is not the provider's, 400 when it is no event."""
    raw = raw_body(event)
    delivery_id = _verified(event["headers"], raw, source)
    payload = parsed(raw)
    if not isinstance(payload, dict) or any(unstorable(payload)):
        raise BadRequest("The delivery is not an event.")
    event_type = payload.get(source.type_field)
    return Delivery(delivery_id, event_type if isinstance(event_type, str) else "", payload)


def keep(delivery: Delivery, source: Source, connect: Callable[[], Database]) -> None:
    """Store an event and enqueue it, unless that has happened; one of a type that nobody asked for is forgotten."""
    if delivery.type not in source.types:
        logger.info("webhook.ignored", provider=source.name)
        return
    inbox.receive(
        connect(),
        service_settings().event_queue_urls[source.name],
        provider=source.name,
        external_id=source.identify(delivery.id, delivery.payload)[:LONGEST_ID],
        event_type=delivery.type,
        payload=delivery.payload,
    )


def _verified(headers: Mapping[str, str], raw: bytes, source: Source) -> str:
    def verified(active: Secrets) -> str:
        return source.verify(headers, raw, source.secrets_of(active), time.time())

    try:
        try:
            return verified(secrets.load())
        except SignatureInvalid:
            # Perhaps the secret was rotated since we read it. Asked once a minute: a stranger must not make us ask.
            renewed = secrets.renewed()
            if renewed is None:
                raise
            return verified(renewed)
    except SignatureInvalid as refusal:
        logger.warning("webhook.refused", provider=source.name, reason=refusal.reason)
        raise
