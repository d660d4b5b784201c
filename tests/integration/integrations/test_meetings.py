"""A session's meeting at Zoom: made once, changed to the latest state, deleted once, whatever is repeated or dies."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.stack import SignedIn, Stack, wait_until
from tests.support.story import at, book, iso, next_weekday, published_coach
from tests.support.zoom import ZoomAccount, meeting_row, ready

DAY = next_weekday(weeks=3)


@dataclass
class Booked:
    coach: SignedIn
    mentee: SignedIn
    session: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.session["id"])


@pytest.fixture
def booked(stack: Stack) -> Booked:
    coach, mentee = published_coach(stack), stack.user()
    answer = book(mentee, coach, at(DAY, "10:00"))
    assert answer.status_code == 201, answer.text
    return Booked(coach, mentee, answer.json()["data"])


def event_for(session_id: str) -> dict[str, Any]:
    """What the queue brings for a session."""
    detail = {"eventId": str(uuid4()), "occurredAt": "2027-01-01T00:00:00+00:00", "sessionId": session_id}
    body = json.dumps({"detail-type": "SessionScheduled", "source": "coachline", "detail": detail})
    arn = "arn:aws:sqs:us-east-1:123456789012:MeetingEventsQueue"
    record = {"messageId": "1", "receiptHandle": "x", "body": body, "attributes": {"ApproximateReceiveCount": "1"}}
    return {"Records": [{**record, "eventSourceARN": arn}]}


def consume(stack: Stack, session_id: str) -> Any:
    return stack.http.post("/_dev/invoke/meeting_events", json=event_for(session_id)).json()


def moved(stack: Stack, session_id: str, start: datetime) -> None:
    """As rescheduling does it, without its limits: the session moves and says so."""
    with stack.database() as database:
        database.execute(
            """update session set starts_at = %(at)s, ends_at = %(at)s + make_interval(mins => duration_minutes),
                 blocked = tstzrange(%(at)s - make_interval(mins => buffer_before),
                                     %(at)s + make_interval(mins => duration_minutes + buffer_after), '[)')
               where id = %(id)s""",
            {"at": start, "id": session_id},
        )
        database.execute(
            "select private.emit('SessionRescheduled', jsonb_build_object('sessionId', %s::uuid))", [session_id]
        )


def test_a_booked_session_has_one_meeting_of_its_coach(stack: Stack, zoom: ZoomAccount, booked: Booked) -> None:
    row = ready(stack, booked.id)
    [meeting] = zoom.meetings(booked.coach)
    assert (meeting["id"], meeting["join_url"]) == (row["zoom_id"], row["join_url"])
    assert (meeting["start_time"], meeting["duration"], meeting["timezone"]) == (
        booked.session["start"],
        60,
        "America/New_York",
    )
    assert booked.id in meeting["agenda"]
    assert (meeting["settings"]["waiting_room"], meeting["settings"]["join_before_host"]) == (True, False)
    shown = booked.mentee.get(f"/api/sessions/{booked.id}/meeting").json()["data"]
    assert (shown["state"], shown["meetingId"]) == ("READY", str(row["zoom_id"]))
    assert "joinUrl" not in shown


def test_duplicate_and_concurrent_events_make_one_meeting(stack: Stack, zoom: ZoomAccount, booked: Booked) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: consume(stack, booked.id), range(24)))
    assert all(answer == {"result": {"batchItemFailures": []}} for answer in answers)
    ready(stack, booked.id)
    assert len(zoom.meetings(booked.coach)) == 1


@pytest.mark.parametrize("lease_ran_out", [True, False])
def test_a_meeting_whose_maker_never_heard_of_it_is_found_and_not_made_again(
    stack: Stack, zoom: ZoomAccount, booked: Booked, lease_ran_out: bool
) -> None:
    ready(stack, booked.id)
    with stack.database() as database:  # as a worker leaves it that dies after Zoom answered
        database.execute(
            """update private.meeting set zoom_id = null, join_url = null, applied = null, lease = gen_random_uuid(),
                 leased_until = case when %s then now() - interval '1 second' end where session_id = %s""",
            [lease_ran_out, booked.id],
        )
    assert consume(stack, booked.id) == {"result": {"batchItemFailures": []}}
    [meeting] = zoom.meetings(booked.coach)
    assert meeting_row(stack, booked.id)["zoom_id"] == meeting["id"]


def test_a_creation_that_was_carried_out_and_answered_with_an_error_is_not_repeated(
    stack: Stack, zoom: ZoomAccount
) -> None:
    coach, mentee = published_coach(stack), stack.user()
    zoom.fault("POST /v2/users/{user}/meetings", "500-after")
    session = book(mentee, coach, at(DAY, "10:00")).json()["data"]
    ready(stack, session["id"])
    assert len(zoom.meetings(coach)) == 1


def test_a_meeting_follows_its_session_and_is_deleted_with_it(stack: Stack, zoom: ZoomAccount, booked: Booked) -> None:
    row = ready(stack, booked.id)
    later = at(DAY, "14:30")
    moved(stack, booked.id, later)
    wait_until(lambda: stack.drain() and zoom.meetings(booked.coach)[0]["start_time"] == iso(later), what="the change")
    assert booked.mentee.post(f"/api/sessions/{booked.id}/cancel", {"reason": "A viewing"}).status_code == 200
    wait_until(lambda: stack.drain() and not zoom.meetings(booked.coach), what="the deletion")
    for _ in range(3):
        assert consume(stack, booked.id) == {"result": {"batchItemFailures": []}}
    assert meeting_row(stack, booked.id)["deleted_at"] is not None
    assert zoom.http.get(f"/meetings/{row['zoom_id']}").status_code == 404


def test_a_storm_of_moves_stays_within_the_day_s_limit_and_ends_in_the_last_state(
    frozen: Stack, zoom: ZoomAccount, booked: Booked
) -> None:
    stack = frozen
    stack.clock(iso(at(next_weekday(weeks=1), "09:00")))
    ready(stack, booked.id)
    starts = [at(DAY, "08:00") + timedelta(minutes=5 * number) for number in range(120)]
    for start in starts:
        moved(stack, booked.id, start)
        consume(stack, booked.id)
    stack.drain()
    email = booked.coach.get("/api/user").json()["data"]["email"]
    with stack.database() as database:
        used = database.execute("select used from private.zoom_host_day where host = %s", [email]).fetchone()
    assert used is not None
    assert used["used"] == 50
    stack.clock(iso(at(next_weekday(weeks=1), "09:20")))
    assert stack.http.post("/_dev/invoke/reconcile_meetings", json={}).json()["result"]["synced"] >= 1
    [meeting] = zoom.meetings(booked.coach)
    assert meeting["start_time"] == iso(starts[-1])
    print(f"{len(starts)} moves, {used['used'] + 1} changes at Zoom, {meeting['start_time']} is the last")


def test_a_limit_that_zoom_knows_better_is_waited_for(frozen: Stack, zoom: ZoomAccount, booked: Booked) -> None:
    stack = frozen
    stack.clock(iso(at(next_weekday(weeks=1), "09:00")))
    row = ready(stack, booked.id)

    def edited() -> httpx.Response:
        return zoom.http.patch(f"/meetings/{row['zoom_id']}", json={"topic": "Mine"})

    # The coach edits at Zoom, too, and more often than Zoom allows in a second.
    wait_until(lambda: edited().headers["x-ratelimit-type"] == "Daily-limit", what="the limit")
    moved(stack, booked.id, at(DAY, "15:00"))
    assert stack.drain()["failed"] == 0
    assert meeting_row(stack, booked.id)["limited"]
    assert booked.mentee.get(f"/api/sessions/{booked.id}/meeting").json()["data"]["state"] == "UPDATING"
    stack.clock(iso(at(next_weekday(weeks=1), "23:59", "UTC")))
    stack.http.post("/_dev/invoke/reconcile_meetings", json={})
    assert zoom.meetings(booked.coach)[0]["start_time"] == booked.session["start"]
    stack.clock(iso(at(next_weekday(weeks=1), "00:01", "UTC") + timedelta(days=1)))
    stack.http.post("/_dev/invoke/reconcile_meetings", json={})
    assert zoom.meetings(booked.coach)[0]["start_time"] == iso(at(DAY, "15:00"))


@pytest.mark.parametrize("kind", ["429", "500", "drop", "500-after"])
@pytest.mark.parametrize("on", ["POST /v2/users/{user}/meetings", "POST /oauth/token", "GET /v2/users/{user}/meetings"])
def test_a_fault_of_zoom_delays_the_meeting_and_not_the_booking(
    stack: Stack, zoom: ZoomAccount, kind: str, on: str
) -> None:
    coach, mentee = published_coach(stack), stack.user()
    zoom.control(revokeTokens=True, faults=[{"on": on, "kind": kind, "times": 2}])
    answer = book(mentee, coach, at(DAY, "10:00"))
    assert answer.status_code == 201
    ready(stack, answer.json()["data"]["id"])
    zoom.control(faults=[])
    assert len(zoom.meetings(coach)) == 1


def test_a_token_that_is_revoked_is_renewed_in_the_middle_of_work(stack: Stack, zoom: ZoomAccount) -> None:
    coach, mentee = published_coach(stack), stack.user()
    ready(stack, book(mentee, coach, at(DAY, "10:00")).json()["data"]["id"])
    assert zoom.control(revokeTokens=True).status_code == 200
    second = book(mentee, coach, at(DAY, "12:00")).json()["data"]
    row = ready(stack, second["id"])
    assert row["failures"] == 0


def test_a_coach_who_is_not_in_the_account_meets_at_the_default_host(stack: Stack, zoom: ZoomAccount) -> None:
    coach, mentee = published_coach(stack), stack.user()
    zoom.control(strangers=[coach.get("/api/user").json()["data"]["email"]])
    row = ready(stack, book(mentee, coach, at(DAY, "10:00")).json()["data"]["id"])
    assert row["host"] == "studio@coachline.example"


def test_a_meeting_that_somebody_deleted_at_zoom_is_made_again_when_the_session_moves(
    stack: Stack, zoom: ZoomAccount, booked: Booked
) -> None:
    row = ready(stack, booked.id)
    zoom.http.delete(f"/meetings/{row['zoom_id']}")
    moved(stack, booked.id, at(DAY, "15:00"))
    wait_until(
        lambda: stack.drain() and meeting_row(stack, booked.id)["zoom_id"] not in {None, row["zoom_id"]}, what="it"
    )
    assert zoom.meetings(booked.coach)[0]["start_time"] == iso(at(DAY, "15:00"))


def test_what_an_event_should_have_started_the_job_starts(stack: Stack, zoom: ZoomAccount, booked: Booked) -> None:
    ready(stack, booked.id)
    with stack.database() as database:  # a worker took the message and died before it called Zoom
        database.execute(
            """update private.meeting set zoom_id = null, join_url = null, applied = null, creations = 0,
                 due_at = now() - interval '1 minute' where session_id = %s""",
            [booked.id],
        )
    zoom.http.delete(f"/meetings/{zoom.meetings(booked.coach)[0]['id']}")
    stack.http.post("/_dev/invoke/reconcile_meetings", json={})
    assert meeting_row(stack, booked.id)["zoom_id"] == zoom.meetings(booked.coach)[0]["id"]
