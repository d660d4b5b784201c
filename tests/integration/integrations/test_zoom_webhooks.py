"""POST /webhooks/zoom and what becomes of it: the challenge, attendance in any order, and what is not Zoom's."""

import json
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.integrations.test_meetings import DAY, Booked
from tests.support.stack import Stack, wait_until
from tests.support.story import at, book, iso, published_coach
from tests.support.webhooks import ZOOM
from tests.support.zoom import ZoomAccount, meeting_row, ready, zoom_event


@pytest.fixture
def booked(stack: Stack) -> Booked:
    coach, mentee = published_coach(stack), stack.user()
    made = Booked(coach, mentee, book(mentee, coach, at(DAY, "10:00")).json()["data"])
    ready(stack, made.id)
    return made


def stored(stack: Stack, uuid: str) -> list[dict[str, Any]]:
    with stack.database() as database:
        query = (
            "select * from private.webhook_event where provider = 'zoom' and external_id like %s order by received_at"
        )
        return database.execute(query, [f"%{uuid}%"]).fetchall()


def metrics(booked: Booked) -> dict[str, Any]:
    answer = booked.coach.get(f"/api/sessions/{booked.id}/meeting/metrics")
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def minute(booked: Booked, minutes: int) -> str:
    return iso(datetime.fromisoformat(booked.session["start"]) + timedelta(minutes=minutes))


def happens(stack: Stack, zoom: ZoomAccount, booked: Booked, **more: Any) -> None:
    """The coach starts a minute early, the mentee is five late, leaves for ten, and they end at 58."""
    row = meeting_row(stack, booked.id)
    moves = [
        {"do": "start", "at": minute(booked, -1), **more},
        {"do": "join", "who": "host", "at": minute(booked, -1)},
        {"do": "join", "who": "guest", "at": minute(booked, 5)},
        {"do": "leave", "who": "guest", "at": minute(booked, 20)},
        {"do": "join", "who": "guest", "at": minute(booked, 30)},
        {"do": "leave", "who": "guest", "at": minute(booked, 58)},
        {"do": "end", "at": minute(booked, 58)},
    ]
    zoom.act(row["zoom_id"], *moves)
    stack.drain()


EXPECTED = {
    "actualMinutes": 59,
    "coachMinutes": 59,
    "menteeMinutes": 43,
    "togetherMinutes": 43,
    "coachLateMinutes": 0,
    "menteeLateMinutes": 5,
    "noShowSuggestion": None,
}


def figures(booked: Booked) -> dict[str, Any]:
    found = metrics(booked)
    return {name: found[name] for name in EXPECTED}


@pytest.mark.parametrize("kind", ["", "duplicate", "reorder", "500", "500-after"])
def test_events_become_attendance_in_any_order_and_repetition(
    frozen: Stack, zoom: ZoomAccount, booked: Booked, kind: str
) -> None:
    frozen.clock(minute(booked, 61))
    if kind:
        zoom.control(faults=[{"on": "webhook", "kind": kind, "times": 8, "delayMs": 60, "seed": 7}])
    happens(frozen, zoom, booked)
    wait_until(lambda: frozen.drain() and figures(booked) == EXPECTED, what=f"the figures, not {figures(booked)}")
    found = metrics(booked)
    assert (found["actualStart"], found["actualEnd"]) == (minute(booked, -1), minute(booked, 58))


def test_what_webhooks_missed_the_report_tells(frozen: Stack, zoom: ZoomAccount, booked: Booked) -> None:
    frozen.clock(minute(booked, 61))
    zoom.control(faults=[{"on": "webhook", "kind": "drop", "times": 100}])
    happens(frozen, zoom, booked, uuid=f"/{uuid4().hex}//==")  # has to be encoded twice in a path
    assert figures(booked)["noShowSuggestion"] is None
    assert metrics(booked)["actualStart"] is None
    frozen.clock(minute(booked, 95))
    for _ in range(2):
        assert "error" not in frozen.http.post("/_dev/invoke/reconcile_meetings", json={}).json()
    assert figures(booked) == EXPECTED
    assert metrics(booked)["reconciled"]


def test_a_meeting_that_nobody_opened_suggests_that_nobody_came(
    frozen: Stack, zoom: ZoomAccount, booked: Booked
) -> None:
    frozen.clock(minute(booked, 95))
    frozen.http.post("/_dev/invoke/reconcile_meetings", json={})
    assert metrics(booked)["noShowSuggestion"] == "BOTH"


@pytest.mark.parametrize(("who", "missing"), [("host", "MENTEE"), ("guest", "COACH")])
def test_who_did_not_come_is_suggested_once_the_session_is_over_and_the_coach_decides(
    frozen: Stack, zoom: ZoomAccount, booked: Booked, who: str, missing: str
) -> None:
    frozen.clock(minute(booked, 40))
    moves = [
        {"do": "start", "at": minute(booked, 0)},
        {"do": "join", "who": who, "at": minute(booked, 1)},
        {"do": "leave", "who": who, "at": minute(booked, 30)},
        {"do": "end", "at": minute(booked, 30)},
    ]
    zoom.act(meeting_row(frozen, booked.id)["zoom_id"], *moves)
    frozen.drain()
    assert metrics(booked)["noShowSuggestion"] is None  # whoever is missing may still come
    frozen.clock(minute(booked, 61))
    assert metrics(booked)["noShowSuggestion"] == missing
    # The stack's own schedule may have started the session meanwhile; nothing has decided about it.
    assert booked.coach.get(f"/api/sessions/{booked.id}").json()["data"]["status"] in ("SCHEDULED", "IN_PROGRESS")


def test_the_challenge_is_answered_at_once(stack: Stack, zoom: ZoomAccount) -> None:
    started = time.perf_counter()
    answer = zoom.control(challenge=True)
    assert answer.status_code == 200, answer.text
    assert time.perf_counter() - started < 3


def test_a_delivery_is_stored_once_whatever_tracking_id_it_has(stack: Stack, booked: Booked) -> None:
    uuid = uuid4().hex
    raw = zoom_event("meeting.started", 1, uuid, minute(booked, 0))
    assert [ZOOM.deliver(stack, raw).status_code for _ in range(3)] == [204] * 3
    stack.drain()
    [row] = stored(stack, uuid)
    assert row["handled_at"] is not None  # of another meeting of the account: handled, and nobody's business


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"event": "\\ud800"}',
        b'{"event": "endpoint.url_validation"}',
        b'{"event": "endpoint.url_validation", "payload": {"plainToken": null}}',
        b"[" * 100_000,
    ],
)
def test_a_signed_delivery_that_is_no_event_is_refused_as_such(stack: Stack, body: bytes) -> None:
    assert ZOOM.deliver(stack, body).status_code == 400


@pytest.mark.parametrize("kind", ["meeting.created", "recording.completed", "", "constructor"])
def test_events_that_nobody_asked_for_are_acknowledged_and_forgotten(stack: Stack, kind: str) -> None:
    uuid = uuid4().hex
    assert ZOOM.deliver(stack, zoom_event(kind, 1, uuid, "2027-03-08T14:00:00Z")).status_code == 204
    assert stored(stack, uuid) == []


def altered(uuid: str, change: dict[str, Any]) -> bytes:
    event = json.loads(zoom_event("meeting.participant_joined", 7, uuid, ""))
    meeting = event["payload"]["object"]
    meeting["participant"] = {"participant_uuid": "p", "user_id": "1", "join_time": "2027-03-08T14:00:00Z"}
    for path, value in change.items():
        holder, (*parents, last) = event, path.split(".")
        for part in parents:
            holder = holder[part]
        if value is ...:
            holder.pop(last)
        else:
            holder[last] = value
    return json.dumps(event).encode()


IMPOSSIBLE: list[dict[str, Any]] = [
    {"payload.object.id": "many"},
    {"payload.object.id": -1},
    {"payload.object.id": 2**70 - 2**69 - 2**68 - 2**67},
    {"payload.object.id": None},
    {"payload.object.id": ...},
    {"payload.object.participant": ...},
    {"payload.object.participant": "Jordan"},
    {"payload.object.participant.join_time": "today"},
    {"payload.object.participant.join_time": "9999-12-31T23:59:59Z"},
    {"payload.object.participant": {"join_time": "2027-03-08T14:00:00Z"}},
    {"payload.object.participant.participant_uuid": "x" * 300},
    {"payload.object.participant.user_id": {}},
]
POSSIBLE: list[dict[str, Any]] = [
    {"payload.object.id": 7},
    {"payload.object.host_id": None},
    {"payload.object.timezone": ["x"]},
    {"payload.object.participant.custom_keys": [{"a": 1}]},
    {"payload.object.participant.participant_uuid": None},
    {"payload.object.participant.join_time": None},
    {"payload.object.topic": ...},
]


@pytest.mark.parametrize(
    ("change", "outcome"),
    [*((change, "failed_at") for change in IMPOSSIBLE), *((change, "handled_at") for change in POSSIBLE)],
    ids=lambda value: str(value)[:60],
)
def test_an_odd_event_is_applied_or_fails_at_once(stack: Stack, change: dict[str, Any], outcome: str) -> None:
    uuid = uuid4().hex
    answer = ZOOM.deliver(stack, altered(uuid, change))
    if answer.status_code == 400:  # what Postgres cannot hold is not stored at all
        return
    assert answer.status_code == 204
    wait_until(lambda: stored(stack, uuid)[0]["failed_at"] or stored(stack, uuid)[0]["handled_at"], what="an outcome")
    [row] = stored(stack, uuid)
    assert (row[outcome] is not None, row["attempts"]) == (True, 1), row["last_error"]
    assert "Jordan" not in (row["last_error"] or "")


def test_zoom_events_of_a_batch_fail_one_by_one(stack: Stack) -> None:
    records = [
        {"messageId": name, "body": body, "attributes": {"ApproximateReceiveCount": "1"}}
        for name, body in (("gone", json.dumps({"eventId": str(uuid4())})), ("bad", "{"))
    ]
    answer = stack.http.post("/_dev/invoke/zoom_events", json={"Records": records}).json()
    assert answer == {"result": {"batchItemFailures": []}}
