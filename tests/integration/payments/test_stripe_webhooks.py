"""POST /webhooks/stripe: every signature that must not pass, and events that are odd."""

import hashlib
import hmac
import json
import time
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.stack import Stack, wait_until


def event(**changes: Any) -> dict[str, Any]:
    made = {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "type": "customer.updated",
        "created": int(time.time()),
        "api_version": "2026-10-28.endive",
        "data": {"object": {"id": "cus_nobody", "object": "customer"}},
    }
    return made | changes


def signed(raw: bytes, secret: str, *, at: int | None = None, scheme: str = "v1") -> str:
    moment = int(time.time()) if at is None else at
    mac = hmac.new(secret.encode(), f"{moment}.".encode() + raw, hashlib.sha256).hexdigest()
    return f"t={moment},{scheme}={mac}"


def deliver(stack: Stack, raw: bytes, signature: str | None) -> httpx.Response:
    headers = {"content-type": "application/json"} | ({"stripe-signature": signature} if signature is not None else {})
    return stack.http.post("/webhooks/stripe", content=raw, headers=headers)


def stored(stack: Stack, external_id: str) -> list[dict[str, Any]]:
    with stack.database() as database:
        return database.execute(
            "select handled_at, failed_at, last_error from private.webhook_event where external_id = %s", [external_id]
        ).fetchall()


def test_either_secret_is_good_and_a_repeated_event_is_stored_once(stack: Stack) -> None:
    account, connect = stack.info["webhookSecrets"]["stripe"]
    for secret in (account, connect):
        made = event()
        raw = json.dumps(made).encode()
        assert [deliver(stack, raw, signed(raw, secret)).status_code for _ in range(2)] == [204, 204]
        assert len(stored(stack, made["id"])) == 1


@pytest.mark.parametrize(
    "forge",
    [
        lambda *_: None,
        lambda *_: "",
        lambda *_: "t=,v1=",
        lambda raw, _: signed(raw, "whsec_other"),
        lambda raw, secret: signed(raw + b" ", secret),
        lambda raw, secret: signed(raw, secret, at=int(time.time()) - 301),
        lambda raw, secret: signed(raw, secret, at=int(time.time()) + 310),
        lambda raw, secret: signed(raw, secret, scheme="v0"),
        lambda raw, secret: signed(raw, secret).replace("t=", "t=x"),
    ],
)
def test_a_forged_delivery_is_refused_and_not_stored(stack: Stack, forge: Any) -> None:
    made = event()
    raw = json.dumps(made).encode()
    answer = deliver(stack, raw, forge(raw, stack.info["webhookSecrets"]["stripe"][0]))
    assert (answer.status_code, answer.json()["code"]) == (401, "signature_invalid")
    assert stored(stack, made["id"]) == []


def test_a_type_that_nobody_asked_for_is_answered_and_forgotten(stack: Stack) -> None:
    made = event(type="radar.early_fraud_warning.created")
    raw = json.dumps(made).encode()
    assert deliver(stack, raw, signed(raw, stack.info["webhookSecrets"]["stripe"][0])).status_code == 204
    assert stored(stack, made["id"]) == []


@pytest.mark.parametrize(
    ("changes", "handled"),
    [
        ({"data": {"object": {"id": "sub_unknown"}}, "type": "customer.subscription.updated"}, True),
        ({"data": {"object": {"id": "in_unknown"}}, "type": "invoice.paid"}, True),
        ({"account": "acct_other"}, True),
        ({"livemode": True}, True),
        ({"api_version": "2020-08-27"}, True),
        ({"data": None}, False),
        ({"data": {"object": {"id": 5}}}, False),
    ],
)
def test_an_odd_event_is_done_with_at_once(stack: Stack, changes: dict[str, Any], handled: bool) -> None:
    made = event(**changes)
    raw = json.dumps(made).encode()
    assert deliver(stack, raw, signed(raw, stack.info["webhookSecrets"]["stripe"][0])).status_code == 204
    [row] = wait_until(
        lambda: [row for row in stored(stack, made["id"]) if row["handled_at"] or row["failed_at"]],
        seconds=20,
        what="an end of the event, by the consumer stripe_events",
    )
    assert bool(row["handled_at"]) is handled
