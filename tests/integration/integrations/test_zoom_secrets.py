"""Zoom's webhook secret through the stack: rotated with old and new both good, and taken away."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest

from tests.integration.integrations.test_meeting_deaths import kill
from tests.support.processes import workers
from tests.support.stack import Stack, wait_until
from tests.support.zoom import deliver, zoom_event

SECRET_ID = "coachline/local/service"
WEBHOOK = "webhooks/zoom"


class Vault:
    """The stack's Secrets Manager; functions read a secret once per process, so their processes end with a change."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        session = boto3.Session("local", "local", region_name="us-east-1")
        self._client: Any = session.client("secretsmanager", endpoint_url=stack.info["awsEndpointUrl"])
        self.document = json.loads(self._client.get_secret_value(SecretId=SECRET_ID)["SecretString"])

    def put(self, **changed: Any) -> None:
        document = json.dumps({**self.document, **changed})
        self._client.put_secret_value(SecretId=SECRET_ID, SecretString=document)
        kill(self._stack, WEBHOOK)
        assert self._stack.process
        root = self._stack.process.pid
        wait_until(lambda: not workers(root, WEBHOOK), what="the end of its processes")
        self._stack.http.get("/api/health")  # by then the stack has seen it, too


@pytest.fixture
def vault(stack: Stack) -> Iterator[Vault]:
    opened = Vault(stack)
    yield opened
    opened.put()


def status(stack: Stack, secret: str) -> int:
    return deliver(
        stack, zoom_event("meeting.started", 1, uuid4().hex, "2027-03-08T14:00:00Z"), secret=secret
    ).status_code


def test_old_and_new_secret_are_good_while_they_rotate(stack: Stack, vault: Vault) -> None:
    [old], new = vault.document["zoomWebhookSecrets"], uuid4().hex
    assert (status(stack, old), status(stack, new)) == (204, 401)
    vault.put(zoomWebhookSecrets=[new, old])
    assert (status(stack, old), status(stack, new)) == (204, 204)
    vault.put(zoomWebhookSecrets=[new])
    assert (status(stack, old), status(stack, new)) == (401, 204)


@pytest.mark.parametrize("none", [[], [""]])
def test_without_a_secret_there_is_no_webhook(stack: Stack, vault: Vault, none: list[str]) -> None:
    [old] = vault.document["zoomWebhookSecrets"]
    vault.put(zoomWebhookSecrets=none)
    assert (status(stack, old), status(stack, "x")) == (404, 404)
