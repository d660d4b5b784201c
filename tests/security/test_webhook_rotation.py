"""A provider's secret that is rotated while functions run: they read it again, but not for any stranger."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest

from coachline import secrets, settings
from coachline.integrations.zoom_events import EVENT_TYPES, identity
from coachline.operations.deliveries import Source, opened
from coachline.webhooks import SignatureInvalid, verify_zoom
from tests.support.stack import Stack
from tests.support.webhooks import SENDERS

ZOOM = Source("zoom", lambda active: active.zoom_webhook_secrets, verify_zoom, "event", EVENT_TYPES, identity)
(SENDER,) = [sender for sender in SENDERS if sender.name == "zoom"]


@pytest.fixture
def rotate(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Give the service a secret of Zoom's, in a document that only this process reads."""
    environment = stack.service_environment()
    document = {"supabaseSecretKey": "", "zoomWebhookSecrets": []}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    kept = boto3.client("secretsmanager")
    name = str(kept.create_secret(Name=f"rotated/{uuid4().hex}", SecretString=json.dumps(document))["Name"])
    monkeypatch.setenv("SECRETS_ID", name)
    caches: list[Any] = [secrets.load, settings.service_settings]

    def put(secret: str) -> None:
        kept.put_secret_value(SecretId=name, SecretString=json.dumps(document | {"zoomWebhookSecrets": [secret]}))

    for cached in caches:
        cached.cache_clear()
    yield put
    for cached in caches:
        cached.cache_clear()


def delivered(secret: str) -> str:
    """The type of an event that Zoom signs with a secret."""
    raw = SENDER.event(uuid4().hex)
    event = {"headers": SENDER.sign(raw, secret, int(time.time())), "body": raw.decode(), "isBase64Encoded": False}
    return opened(event, ZOOM).type


def minutes_later(monkeypatch: pytest.MonkeyPatch, minutes: float) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + minutes * 60)


def test_a_rotated_secret_is_good_without_a_new_start(
    rotate: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    rotate("old")
    assert delivered("old") == "meeting.started"
    rotate("new")
    minutes_later(monkeypatch, 1.1)
    assert delivered("new") == "meeting.started"
    with pytest.raises(SignatureInvalid):
        delivered("old")


def test_a_stranger_makes_us_ask_once_a_minute(rotate: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    rotate("old")
    assert delivered("old") == "meeting.started"
    rotate("new")
    for _ in range(3):
        with pytest.raises(SignatureInvalid):  # read a moment ago: not again
            delivered("a stranger's")
    assert delivered("old") == "meeting.started"
    minutes_later(monkeypatch, 1.1)
    with pytest.raises(SignatureInvalid):
        delivered("a stranger's")
    with pytest.raises(SignatureInvalid):
        delivered("old")
    assert delivered("new") == "meeting.started"
