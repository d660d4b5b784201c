"""POST /webhooks/clerk and what follows: stored once, applied once, in any order, whatever is lost on the way."""

import base64
import json
import time
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.stack import Stack, wait_until
from tests.support.webhooks import CLERK, svix


def event(kind: str, clerk_id: str, *, updated_at: int = 1_800_000_000_000, **data: Any) -> bytes:
    address = {
        "id": "idn_1",
        "email_address": data.pop("email", f"{clerk_id}@example.com"),
        "verification": {"status": "verified"},
    }
    user = {
        "id": clerk_id,
        "object": "user",
        "first_name": "Jordan",
        "last_name": "Rivera",
        "email_addresses": [address],
        "primary_email_address_id": "idn_1",
        "updated_at": updated_at,
        **data,
    }
    return json.dumps({"type": kind, "object": "event", "timestamp": updated_at, "data": user}).encode()


def deliver(
    stack: Stack, raw: bytes, *, message_id: str | None = None, secret: str | None = None, minutes: int = 0
) -> httpx.Response:
    message_id, at = message_id or f"msg_{uuid4().hex}", int(time.time()) + 60 * minutes
    headers = svix(raw, secret or CLERK.secret(stack), at, message_id) | {"content-type": "application/json"}
    return httpx.post(f"{stack.base_url}/webhooks/clerk", content=raw, headers=headers, timeout=30)


def user(stack: Stack, clerk_id: str) -> dict[str, Any] | None:
    with stack.database() as database:
        return database.execute("select * from user_account where clerk_id = %s", [clerk_id]).fetchone()


def appeared(stack: Stack, clerk_id: str) -> dict[str, Any]:
    row: dict[str, Any] = wait_until(lambda: user(stack, clerk_id), what="the user")
    return row


def test_a_new_clerk_user_becomes_an_active_mentee(stack: Stack) -> None:
    clerk_id = f"user_{uuid4().hex}"
    assert deliver(stack, event("user.created", clerk_id)).status_code == 204
    row = appeared(stack, clerk_id)
    assert (row["first_name"], row["email"], row["email_verified"]) == ("Jordan", f"{clerk_id}@example.com", True)
    with stack.database() as database:
        roles = database.execute("select role from user_role where user_id = %s", [row["id"]]).fetchall()
    assert roles == [{"role": "MENTEE"}]


def test_a_delivery_that_comes_again_is_stored_and_applied_once(stack: Stack) -> None:
    clerk_id, message_id = f"user_{uuid4().hex}", f"msg_{uuid4().hex}"
    raw = event("user.created", clerk_id)
    assert [deliver(stack, raw, message_id=message_id).status_code for _ in range(5)] == [204] * 5
    row = appeared(stack, clerk_id)
    stack.drain()
    with stack.database() as database:
        stored = database.execute("select * from private.webhook_event where external_id = %s", [message_id]).fetchall()
        created = database.execute(
            "select count(*) as n from private.outbox_event where type = 'UserCreated' and payload ->> 'userId' = %s",
            [str(row["id"])],
        ).fetchone()
    assert len(stored) == 1
    assert stored[0]["handled_at"] is not None
    assert created == {"n": 1}


def test_an_older_update_changes_nothing_whichever_comes_first(stack: Stack) -> None:
    clerk_id = f"user_{uuid4().hex}"
    deliver(stack, event("user.updated", clerk_id, updated_at=1_800_000_002_000, first_name="Newest"))
    appeared(stack, clerk_id)
    deliver(stack, event("user.created", clerk_id, updated_at=1_800_000_000_000, first_name="Oldest"))
    deliver(stack, event("user.updated", clerk_id, updated_at=1_800_000_001_000, first_name="Older"))
    stack.drain()
    found = user(stack, clerk_id)
    assert found is not None
    assert found["first_name"] == "Newest"


def test_a_deleted_user_stays_deleted_even_when_the_deletion_comes_first(stack: Stack) -> None:
    clerk_id = f"user_{uuid4().hex}"
    raw = json.dumps(
        {"type": "user.deleted", "object": "event", "data": {"id": clerk_id, "object": "user", "deleted": True}}
    )
    deliver(stack, raw.encode())
    appeared(stack, clerk_id)
    deliver(stack, event("user.created", clerk_id))
    stack.drain()
    found = user(stack, clerk_id)
    assert found is not None
    assert (found["status"], found["email"], found["first_name"]) == ("INACTIVE", None, None)
    assert found["deleted_at"] is not None


def test_a_phone_only_user_has_no_address(stack: Stack) -> None:
    clerk_id = f"user_{uuid4().hex}"
    deliver(stack, event("user.created", clerk_id, email_addresses=[], primary_email_address_id=None))
    assert appeared(stack, clerk_id)["email"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"secret": "whsec_" + base64.b64encode(b"someone else's key, of any length").decode()},
        {"minutes": -7},
        {"minutes": 7},
    ],
    ids=["another secret", "stale", "from the future"],
)
def test_a_delivery_that_is_not_clerks_is_refused_and_not_stored(stack: Stack, change: dict[str, Any]) -> None:
    message_id = f"msg_{uuid4().hex}"
    answer = deliver(stack, event("user.created", f"user_{uuid4().hex}"), message_id=message_id, **change)
    assert answer.status_code == 401
    with stack.database() as database:
        assert (
            database.execute("select 1 from private.webhook_event where external_id = %s", [message_id]).fetchone()
            is None
        )


def test_events_that_nobody_asked_for_are_acknowledged_and_forgotten(stack: Stack) -> None:
    message_id = f"msg_{uuid4().hex}"
    assert deliver(stack, event("session.created", "sess_1"), message_id=message_id).status_code == 204
    with stack.database() as database:
        assert (
            database.execute("select 1 from private.webhook_event where external_id = %s", [message_id]).fetchone()
            is None
        )


def test_a_payload_that_can_never_be_applied_is_kept_as_failed_and_does_not_block(stack: Stack) -> None:
    message_id = f"msg_{uuid4().hex}"
    assert (
        deliver(stack, b'{"type": "user.created", "data": {"object": "user"}}', message_id=message_id).status_code
        == 204
    )
    stack.drain()
    with stack.database() as database:
        stored = database.execute("select * from private.webhook_event where external_id = %s", [message_id]).fetchone()
    assert stored is not None
    assert stored["failed_at"] is not None
    assert "#/id missing" in stored["last_error"]


@pytest.mark.parametrize(
    "change",
    [
        {"updated_at": 1e300},
        {"updated_at": 99_999_999_999_999},  # the year 5138
        {"updated_at": "yesterday"},
        {"updated_at": None},
        {"first_name": ["Jordan"]},
        {"email_addresses": ["jordan@example.com"]},
        {"email_addresses": {"id": "idn_1"}},
        {"email": "x" * 400},
        {"id": "u" * 300},
    ],
    ids=lambda change: " ".join(map(str, change)),
)
def test_impossible_values_fail_at_once_and_for_good(stack: Stack, change: dict[str, Any]) -> None:
    message_id = f"msg_{uuid4().hex}"
    given = {"id": f"user_{uuid4().hex}", **change}
    assert deliver(stack, event("user.created", given.pop("id"), **given), message_id=message_id).status_code == 204

    def outcome() -> dict[str, Any] | None:
        with stack.database() as database:
            return database.execute(
                """select * from private.webhook_event
                   where external_id = %s and (failed_at is not null or handled_at is not null)""",
                [message_id],
            ).fetchone()

    settled = wait_until(outcome, what="an outcome")
    if change == {"updated_at": 99_999_999_999_999}:
        assert settled["handled_at"] is not None  # far away, and possible
    else:
        assert (settled["failed_at"] is not None, settled["attempts"]) == (True, 1)


def test_what_was_stored_and_never_queued_is_swept_up(stack: Stack) -> None:
    clerk_id, message_id = f"user_{uuid4().hex}", f"msg_{uuid4().hex}"
    with stack.database() as database:  # a webhook that died between storing and enqueuing
        database.execute(
            """insert into private.webhook_event (provider, external_id, type, payload, received_at)
               values ('clerk', %s, 'user.created', %s, now() - interval '10 minutes')""",
            [message_id, event("user.created", clerk_id).decode()],
        )
    swept = stack.http.post("/_dev/invoke/inbox_sweep", json={"time": "2030-01-01T00:00:00Z"}).json()
    assert swept["result"]["enqueued"] >= 1
    appeared(stack, clerk_id)


def test_a_redelivery_of_an_event_whose_message_was_lost_is_enqueued_again(stack: Stack) -> None:
    clerk_id, message_id = f"user_{uuid4().hex}", f"msg_{uuid4().hex}"
    raw = event("user.created", clerk_id)
    with stack.database() as database:
        database.execute(
            """insert into private.webhook_event (provider, external_id, type, payload)
               values ('clerk', %s, 'user.created', %s)""",
            [message_id, raw.decode()],
        )
    assert deliver(stack, raw, message_id=message_id).status_code == 204
    appeared(stack, clerk_id)


def test_a_worker_that_died_with_the_lease_does_not_wedge_the_event(stack: Stack) -> None:
    clerk_id, message_id = f"user_{uuid4().hex}", f"msg_{uuid4().hex}"
    with stack.database() as database:
        row = database.execute(
            """insert into private.webhook_event (provider, external_id, type, payload, leased_until, attempts)
               values ('clerk', %s, 'user.created', %s, now() - interval '1 second', 1) returning id""",
            [message_id, event("user.created", clerk_id).decode()],
        ).fetchone()
    assert row is not None
    records = [
        {
            "messageId": "1",
            "body": json.dumps({"eventId": str(row["id"])}),
            "attributes": {"ApproximateReceiveCount": "1"},
        }
    ]
    answer = stack.http.post("/_dev/invoke/clerk_events", json={"Records": records}).json()
    assert answer == {"result": {"batchItemFailures": []}}
    assert user(stack, clerk_id) is not None


def test_domain_events_reach_the_bus_once_published(stack: Stack) -> None:
    clerk_id = f"user_{uuid4().hex}"
    deliver(stack, event("user.created", clerk_id))
    row = appeared(stack, clerk_id)
    stack.drain()

    def seen() -> list[dict[str, Any]]:
        events = stack.http.get("/_dev/events").json()["events"]
        return [each for each in events if str(row["id"]) in json.dumps(each)]

    wait_until(seen, what="the event on the bus")
    assert len(seen()) == 1
