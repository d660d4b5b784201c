"""The inbox as operators see it, and what happens to an event that cannot be applied."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.operations.test_clerk_webhooks import deliver, event, user
from tests.support.stack import SignedIn, Stack, wait_until

PATH = "/api/admin/webhook-events"


@pytest.fixture(scope="module")
def admin(stack: Stack) -> SignedIn:
    return stack.user("ADMIN")


def stored(stack: Stack, external_id: str) -> dict[str, Any]:
    with stack.database() as database:
        row = database.execute("select * from private.webhook_event where external_id = %s", [external_id]).fetchone()
    assert row is not None
    return row


def failed_event(stack: Stack, clerk_id: str, **columns: Any) -> str:
    """An event that six tries could not apply; now it could be."""
    with stack.database() as database:
        row = database.execute(
            """insert into private.webhook_event (provider, external_id, type, payload, attempts, failed_at, last_error)
               values (%s, %s, 'user.created', %s, 6, now(), 'KeyError') returning id""",
            [columns.get("provider", "clerk"), f"msg_{uuid4().hex}", event("user.created", clerk_id).decode()],
        ).fetchone()
    assert row is not None
    return str(row["id"])


def test_an_operator_finds_what_failed_by_provider_state_and_type(stack: Stack, admin: SignedIn) -> None:
    made = [failed_event(stack, f"user_{uuid4().hex}", provider="stripe") for _ in range(3)]
    query = {"provider": "stripe", "state": "FAILED", "type": "user.created", "limit": 2}
    first = admin.get(PATH, params=query).json()
    second = admin.get(PATH, params={**query, "cursor": first["nextCursor"]}).json()
    assert [row["id"] for row in first["data"] + second["data"]][:3] == made[::-1]
    assert {(row["provider"], row["state"], row["attempts"]) for row in first["data"]} == {("stripe", "FAILED", 6)}
    assert "payload" not in first["data"][0]
    assert admin.get(PATH, params={**query, "state": "HANDLED"}).json()["data"] == []
    assert admin.get(PATH, params={**query, "type": "invoice.paid"}).json()["data"] == []


def test_a_payload_is_shown_without_what_is_personal(stack: Stack, admin: SignedIn) -> None:
    event_id = failed_event(stack, "user_redaction")
    shown = admin.get(f"/api/admin/webhook-events/{event_id}").json()["data"]["payload"]
    assert "Jordan" not in json.dumps(shown)
    assert "@" not in json.dumps(shown)
    assert (shown["type"], shown["data"]["id"], shown["data"]["updated_at"]) == (
        "user.created",
        "user_redaction",
        1_800_000_000_000,
    )
    assert shown["data"]["email_addresses"][0]["email_address"] == "[redacted]"


def test_a_replay_applies_a_failed_event_once_and_is_audited_once(stack: Stack, admin: SignedIn) -> None:
    clerk_id = f"user_{uuid4().hex}"
    event_id = failed_event(stack, clerk_id)
    answers = [admin.post(f"/api/admin/webhook-events/{event_id}/replay") for _ in range(2)]
    assert [(answer.status_code, answer.json()["data"]["replays"]) for answer in answers] == [(202, 1), (202, 1)]
    stack.drain()
    assert user(stack, clerk_id)
    assert admin.get(f"/api/admin/webhook-events/{event_id}").json()["data"]["state"] == "HANDLED"
    again = admin.post(f"/api/admin/webhook-events/{event_id}/replay").json()["data"]
    assert (again["state"], again["replays"]) == ("HANDLED", 1)
    with stack.database() as database:
        audited = database.execute(
            "select actor_id, action from private.audit_log where table_name = 'webhook_event' and row_id = %s",
            [event_id],
        ).fetchall()
    assert [(str(row["actor_id"]), row["action"]) for row in audited] == [(admin.user_id, "REPLAY")]


def test_only_an_admin_looks_and_replays(stack: Stack, admin: SignedIn) -> None:
    event_id = failed_event(stack, f"user_{uuid4().hex}")
    for who in (stack.user(), stack.user("COACH")):
        assert who.get(PATH).status_code == 403
        assert who.get(f"/api/admin/webhook-events/{event_id}").status_code == 403
        assert who.post(f"/api/admin/webhook-events/{event_id}/replay").status_code == 403
    for method, path in (
        ("GET", f"/api/admin/webhook-events/{uuid4()}"),
        ("POST", f"/api/admin/webhook-events/{uuid4()}/replay"),
    ):
        assert admin.http.request(method, path).status_code == 404


def message_for(event_id: str) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": "1"}
    return {"Records": [{"messageId": "1", "body": json.dumps({"eventId": event_id}), "attributes": attributes}]}


def test_an_event_that_kills_its_worker_is_given_up_after_six_tries(stack: Stack) -> None:
    message_id = f"msg_{uuid4().hex}"
    with stack.database() as database:
        row = database.execute(
            """insert into private.webhook_event (provider, external_id, type, payload, attempts, leased_until)
               values ('clerk', %s, 'user.created', '{}', 6, now() - interval '1 second') returning id""",
            [message_id],
        ).fetchone()
    assert row is not None
    answer = stack.http.post("/_dev/invoke/clerk_events", json=message_for(str(row["id"]))).json()
    assert answer == {"result": {"batchItemFailures": []}}
    assert stored(stack, message_id)["failed_at"] is not None


def test_an_event_that_always_fails_becomes_a_dead_letter_and_is_shown_as_failed(stack: Stack, admin: SignedIn) -> None:
    clerk_id, message_id = f"user_{uuid4().hex}", f"msg_{uuid4().hex}"

    def dead_letters() -> int:
        queues = stack.http.get("/_dev/queues").json()["queues"]
        return int(next(queue["deadLetters"] for queue in queues if queue["name"] == "ClerkEventsQueue"))

    before = dead_letters()
    with stack.database() as database:
        database.execute(
            """create function private.fail_on_purpose() returns trigger language plpgsql as
               $$ begin raise exception using errcode = 'PT409', message = 'conflict', detail = 'On purpose'; end $$"""
        )
        database.execute(
            f"""create trigger fail_on_purpose before insert on user_account for each row
                when (new.clerk_id = '{clerk_id}') execute function private.fail_on_purpose()"""
        )
        try:
            assert deliver(stack, event("user.created", clerk_id), message_id=message_id).status_code == 204
            wait_until(lambda: stack.drain() and stored(stack, message_id)["failed_at"], what="giving up")
            wait_until(lambda: dead_letters() > before, what="the dead letter")
        finally:
            database.execute("drop trigger fail_on_purpose on user_account")
            database.execute("drop function private.fail_on_purpose")
    row = stored(stack, message_id)
    assert row["attempts"] == 6
    assert admin.post(f"/api/admin/webhook-events/{row['id']}/replay").status_code == 202
    stack.drain()
    assert user(stack, clerk_id)


def test_an_event_of_the_bus_is_applied_once_for_each_consumer(stack: Stack) -> None:
    event_id = str(uuid4())
    with stack.database() as database:
        seen = [
            database.execute("select private.seen_event(%s, %s) as seen", [consumer, event_id]).fetchone()
            for consumer in ("a", "a", "b", "a")
        ]
        with database.transaction(force_rollback=True):
            database.execute("select private.seen_event('c', %s)", [event_id])
        rolled_back = database.execute("select private.seen_event('c', %s) as seen", [event_id]).fetchone()
    assert [row and row["seen"] for row in seen] == [False, True, False, True]
    assert rolled_back == {"seen": False}
