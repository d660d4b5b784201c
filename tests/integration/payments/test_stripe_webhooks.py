"""POST /webhooks/stripe: both secrets, and events that are odd."""

import json
import time
from typing import Any
from uuid import uuid4

import pytest

from tests.support.stack import Stack, wait_until
from tests.support.webhooks import STRIPE


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
        assert [STRIPE.deliver(stack, raw, secret=secret).status_code for _ in range(2)] == [204, 204]
        assert len(stored(stack, made["id"])) == 1


def test_a_type_that_nobody_asked_for_is_answered_and_forgotten(stack: Stack) -> None:
    made = event(type="radar.early_fraud_warning.created")
    raw = json.dumps(made).encode()
    assert STRIPE.deliver(stack, raw).status_code == 204
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
    assert STRIPE.deliver(stack, raw).status_code == 204
    [row] = wait_until(
        lambda: [row for row in stored(stack, made["id"]) if row["handled_at"] or row["failed_at"]],
        seconds=20,
        what="an end of the event, by the consumer stripe_events",
    )
    assert bool(row["handled_at"]) is handled
