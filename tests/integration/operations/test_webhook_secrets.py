"""The secrets that webhooks are signed with, through the stack: rotated with old and new both good, and taken away."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest

from tests.support.processes import kill_workers, workers
from tests.support.stack import Stack, wait_until
from tests.support.webhooks import SENDERS, Sender

SECRET_ID = "coachline/local/service"


class Vault:
    """The stack's Secrets Manager; functions read a secret once per process, so their processes end with a change."""

    def __init__(self, stack: Stack, sender: Sender) -> None:
        self._stack = stack
        self._function = f"webhooks/{sender.name}"
        session = boto3.Session("local", "local", region_name="us-east-1")
        self._client: Any = session.client("secretsmanager", endpoint_url=stack.info["awsEndpointUrl"])
        self.document = json.loads(self._client.get_secret_value(SecretId=SECRET_ID)["SecretString"])

    def put(self, **changed: Any) -> None:
        document = json.dumps({**self.document, **changed})
        self._client.put_secret_value(SecretId=SECRET_ID, SecretString=document)
        kill_workers(self._stack, self._function)
        assert self._stack.process
        root = self._stack.process.pid
        wait_until(lambda: not workers(root, self._function), what="the end of its processes")
        self._stack.http.get("/api/health")  # by then the stack has seen it, too


@pytest.fixture(params=SENDERS, ids=lambda sender: sender.name)
def sender(request: pytest.FixtureRequest) -> Sender:
    given: Sender = request.param
    return given


@pytest.fixture
def vault(stack: Stack, sender: Sender) -> Iterator[Vault]:
    opened = Vault(stack, sender)
    yield opened
    opened.put()


def status(stack: Stack, sender: Sender, secret: str) -> int:
    return sender.deliver(stack, sender.event(uuid4().hex), secret=secret).status_code


def test_old_and_new_secret_are_good_while_they_rotate(stack: Stack, sender: Sender, vault: Vault) -> None:
    old, new = vault.document[sender.secret_name][0], base64.b64encode(uuid4().bytes * 2).decode()
    assert (status(stack, sender, old), status(stack, sender, new)) == (204, 401)
    vault.put(**{sender.secret_name: [new, old]})
    assert (status(stack, sender, old), status(stack, sender, new)) == (204, 204)
    vault.put(**{sender.secret_name: [new]})
    assert (status(stack, sender, old), status(stack, sender, new)) == (401, 204)


@pytest.mark.parametrize("none", [[], [""]])
def test_without_a_secret_there_is_no_webhook(stack: Stack, sender: Sender, vault: Vault, none: list[str]) -> None:
    old = vault.document[sender.secret_name][0]
    vault.put(**{sender.secret_name: none})
    assert (status(stack, sender, old), status(stack, sender, "")) == (404, 404)
