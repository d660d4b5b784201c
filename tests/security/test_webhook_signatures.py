"""Every provider's webhook and every signature that must not pass: 401, 413, and nothing stored."""

import time
from typing import Any
from uuid import uuid4

import pytest

from tests.support.stack import Stack
from tests.support.webhooks import SENDERS, Sender

FOREIGN = "YW5vdGhlciBzZWNyZXQgb2Ygb3Vycw=="  # base64, as Clerk's have to be
BINARY = "application/octet-stream"  # such a body reaches the function in base64


@pytest.fixture(params=SENDERS, ids=lambda sender: sender.name)
def sender(request: pytest.FixtureRequest) -> Sender:
    given: Sender = request.param
    return given


def stored(stack: Stack, mark: str) -> int:
    with stack.database() as database:
        row = database.execute(
            "select count(*) as n from private.webhook_event where payload::text like %s", [f"%{mark}%"]
        ).fetchone()
    return int(row["n"]) if row else 0


@pytest.mark.parametrize("media_type", ["application/json", BINARY], ids=["text", "base64"])
@pytest.mark.parametrize("edge", [-1, 0, 1], ids=["almost stale", "now", "almost too early"])
def test_what_a_provider_signed_is_stored_once(stack: Stack, sender: Sender, edge: int, media_type: str) -> None:
    mark, late = uuid4().hex, edge * (sender.tolerance - 20)
    raw = sender.event(mark).replace(b"Jordan", "Zoë 🏡".encode())  # bytes beyond ASCII are signed as they are
    answers = [sender.deliver(stack, raw, seconds=late, content_type=media_type) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [204, 204]
    assert stored(stack, mark) == 1


@pytest.mark.parametrize("media_type", ["application/json", BINARY], ids=["text", "base64"])
@pytest.mark.parametrize("vector", ["another secret", "stale", "from the future", "tampered", "stamped anew"])
def test_what_it_did_not_sign_so_or_now_is_refused(stack: Stack, sender: Sender, vector: str, media_type: str) -> None:
    mark = uuid4().hex
    raw, now, secret = sender.event(mark), int(time.time()), sender.secret(stack)
    options: dict[str, Any] = {"content_type": media_type}
    match vector:
        case "another secret":
            options["secret"] = FOREIGN
        case "stale":
            options["seconds"] = -sender.tolerance - 2
        case "from the future":
            options["seconds"] = sender.tolerance + 5
        case "tampered":
            options |= _named(sender.sign(raw + b" ", secret, now))
        case "stamped anew":
            options |= _named(
                {
                    name: value.replace(str(now - 9), str(now))
                    for name, value in sender.sign(raw, secret, now - 9).items()
                }
            )
    answer = sender.deliver(stack, raw, **options)
    assert (answer.status_code, answer.json()["code"]) == (401, "signature_invalid")
    assert stored(stack, mark) == 0


def test_each_header_of_a_signature_is_needed(stack: Stack, sender: Sender) -> None:
    mark = uuid4().hex
    raw, secret = sender.event(mark), sender.secret(stack)
    signed = sender.sign(raw, secret, int(time.time()))
    for name, value in signed.items():
        for wrong in (None, "", value[: len(value) // 2], "é" + value, f"{value}0"):
            answer = sender.deliver(stack, raw, **_named(signed | {name: wrong}))
            assert (answer.status_code, answer.json()["code"]) == (401, "signature_invalid"), (name, wrong)
    assert stored(stack, mark) == 0


@pytest.mark.parametrize("media_type", ["application/json", BINARY], ids=["text", "base64"])
def test_six_megabytes_are_too_many(stack: Stack, sender: Sender, media_type: str) -> None:
    mark = uuid4().hex
    raw = sender.event(mark)
    raw += b" " * (6 * 1024 * 1024 - 4096 - len(raw))
    answer = sender.deliver(stack, raw, content_type=media_type)
    assert answer.status_code == 413
    assert stored(stack, mark) == 0
    assert sender.deliver(stack, sender.event(mark)).status_code == 204


def _named(headers: Any) -> dict[str, Any]:
    return {name.replace("-", "_"): value for name, value in headers.items()}
