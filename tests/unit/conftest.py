"""What the unit tests of the shared layer have in common: an environment of their own, and the log as data."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

from coachline import auth, clock, settings
from coachline.logs import logger

# A deadline for each example measures how busy the machine is.
hypothesis_settings.register_profile("unhurried", deadline=None)
hypothesis_settings.load_profile("unhurried")

ENVIRONMENT = {
    "STAGE": "test",
    "SUPABASE_URL": "http://127.0.0.1:9/",
    "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_test",
    "API_GATE_KEY": "gate",
    "CLERK_ISSUER": "https://clerk.test",
    "CLERK_AUTHORIZED_PARTIES": "https://app.test, https://admin.test",
    "CLERK_JWT_KEY": "",
    "CLERK_JWKS_URL": "",
}

Configure = Callable[..., None]
Logged = Callable[[], list[dict[str, Any]]]


def forget_settings() -> None:
    for cached in (settings.api_settings, settings.service_settings, auth._pem_key, auth._key_set):
        cached.cache_clear()


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Set the environment of the functions; called again it changes single variables."""

    def configured(**changed: str) -> None:
        for name, value in {**ENVIRONMENT, **changed}.items():
            monkeypatch.setenv(name, value)
        forget_settings()

    configured()
    yield configured
    forget_settings()


@pytest.fixture
def logged() -> Iterator[Logged]:
    """What has been logged since the test began."""
    handler = logger.registered_handler
    stream = io.StringIO()
    before = handler.setStream(stream)  # type: ignore[attr-defined]  # a StreamHandler
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    handler.setStream(before)  # type: ignore[attr-defined]  # a StreamHandler


@pytest.fixture
def running_clock() -> Iterator[None]:
    """Leave the clock running, whatever the test did to it."""
    yield
    clock.pin(None)
