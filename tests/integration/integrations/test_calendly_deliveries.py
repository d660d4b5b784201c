"""Calendly's deliveries that make no sense, and those that nobody asked for."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.support.stack import ROOT, Stack
from tests.support.webhooks import CALENDLY

PAYLOAD: dict[str, Any] = {
    "event": "invitee.created",
    "created_at": "2027-03-01T09:00:00.000000Z",
    "created_by": "https://api.calendly.com/users/x",
    "payload": {},
}


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"payload": None},
        {"payload": []},
        {"payload": {"uri": None}},
        {"payload": {"uri": 5, "email": [], "status": "gone", "scheduled_event": "x"}},
        {"created_at": "yesterday", "payload": {"uri": "x"}},
        {"event": "event_type.updated", "payload": {"uri": "x", "duration": "60"}},
    ],
)
def test_an_event_that_makes_no_sense_is_stored_as_failed_and_retried_by_nobody(
    stack: Stack, payload: dict[str, Any]
) -> None:
    marked = {**PAYLOAD, **payload, "created_by": str(uuid4())}
    marked["created_at"] = payload.get("created_at", datetime.now(UTC).isoformat())
    assert CALENDLY.deliver(stack, json.dumps(marked).encode()).status_code == 204
    stack.drain()
    with stack.database() as database:
        row = database.execute(
            "select failed_at, attempts from private.webhook_event where payload ->> 'created_by' = %s",
            [marked["created_by"]],
        ).fetchone()
    assert row is not None
    assert row["failed_at"] is not None
    assert row["attempts"] == 1


def test_a_message_for_an_event_that_is_not_stored_is_done(stack: Stack) -> None:
    sample = json.loads((ROOT / "events/calendly_events.json").read_text())
    answer = stack.http.post("/_dev/invoke/calendly_events", json=sample).json()
    assert answer == {"result": {"batchItemFailures": []}}


def test_an_event_that_nobody_asked_for_is_acknowledged_and_forgotten(stack: Stack) -> None:
    marked = {**PAYLOAD, "event": "routing_form_submission.created", "created_by": str(uuid4())}
    assert CALENDLY.deliver(stack, json.dumps(marked).encode()).status_code == 204
    with stack.database() as database:
        row = database.execute(
            "select 1 from private.webhook_event where payload ->> 'created_by' = %s", [marked["created_by"]]
        ).fetchone()
    assert row is None
