"""Who sees a meeting, changes it, joins it and starts it, and when. And that a start link is kept nowhere."""

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.integration.integrations.test_meetings import DAY, Booked
from tests.support.stack import Stack, wait_until
from tests.support.story import at, book, iso, published_coach
from tests.support.zoom import ZoomAccount, meeting_row, ready


@pytest.fixture(scope="module")
def booked(stack: Stack) -> Booked:
    ZoomAccount(stack).control(faults=[], strangers=[])
    coach, mentee = published_coach(stack), stack.user()
    made = Booked(coach, mentee, book(mentee, coach, at(DAY, "10:00")).json()["data"])
    ready(stack, made.id)
    return made


def status_and_code(answer: Any) -> tuple[int, str | None]:
    return answer.status_code, answer.json().get("code")


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (-16, (409, "too_early")),
        (-15, (200, None)),
        (30, (200, None)),
        (90, (200, None)),
        (91, (409, "too_late")),
    ],
)
def test_the_join_link_is_open_from_15_minutes_before_to_30_after(
    frozen: Stack, booked: Booked, minutes: int, expected: tuple[int, str | None]
) -> None:
    frozen.clock(iso(datetime.fromisoformat(booked.session["start"]) + timedelta(minutes=minutes)))
    for who in (booked.mentee, booked.coach):
        answer = who.get(f"/api/sessions/{booked.id}/join")
        assert status_and_code(answer) == expected
        if expected[0] == 200:
            assert answer.json()["data"]["joinUrl"] == meeting_row(frozen, booked.id)["join_url"]
            assert answer.headers["cache-control"] == "no-store"
        else:
            assert "zoom.us" not in answer.text


def test_nobody_else_joins_or_starts(frozen: Stack, booked: Booked) -> None:
    frozen.clock(booked.session["start"])
    stranger, admin = frozen.user(), frozen.user("ADMIN", "COACH")
    other_coach = frozen.user("COACH")
    for who, session_id in ((stranger, booked.id), (booked.mentee, uuid4())):
        assert who.get(f"/api/sessions/{session_id}/meeting").status_code == 404
        assert who.get(f"/api/sessions/{session_id}/meeting/metrics").status_code == 404
        assert who.get(f"/api/sessions/{session_id}/join").status_code == 404
    assert admin.get(f"/api/sessions/{booked.id}/join").status_code == 403
    assert admin.get(f"/api/sessions/{booked.id}/start").status_code == 403
    assert booked.mentee.get(f"/api/sessions/{booked.id}/start").status_code == 403
    assert other_coach.get(f"/api/sessions/{booked.id}/start").status_code == 404
    assert frozen.http.get(f"/api/sessions/{booked.id}/start").status_code == 401


def test_joining_is_on_record_and_possible_under_maintenance(frozen: Stack, booked: Booked) -> None:
    frozen.clock(booked.session["start"])
    count = "select count(*) as n from private.meeting_access where session_id = %s and user_id = %s and link = 'JOIN'"
    with frozen.database() as database:
        before = database.execute(count, [booked.id, booked.mentee.user_id]).fetchone()
        assert booked.mentee.get(f"/api/sessions/{booked.id}/join").status_code == 200
        after = database.execute(count, [booked.id, booked.mentee.user_id]).fetchone()
        assert before is not None
        assert after == {"n": before["n"] + 1}
        database.execute("""select private.set_setting('maintenance', '{"enabled": true}')""")
        try:
            assert booked.mentee.get(f"/api/sessions/{booked.id}/join").status_code == 200
        finally:
            database.execute("""select private.set_setting('maintenance', '{"enabled": false}')""")


def test_a_coach_changes_topic_and_waiting_room_with_the_version_he_read(
    stack: Stack, zoom: ZoomAccount, booked: Booked
) -> None:
    path = f"/api/sessions/{booked.id}/meeting"
    version = booked.coach.get(path).json()["data"]["version"]
    patch = {"topic": "Your first listing", "waitingRoom": False, "version": version}
    assert booked.mentee.patch(path, patch).status_code == 403
    changed = booked.coach.patch(path, patch)
    assert (changed.status_code, changed.json()["data"]["topic"]) == (200, "Your first listing")
    assert status_and_code(booked.coach.patch(path, patch)) == (409, "version_conflict")
    assert booked.coach.patch(path, {"topic": " ", "version": version + 1}).status_code == 422

    def told() -> bool:
        stack.drain()
        [meeting] = zoom.meetings(booked.coach)
        return meeting["topic"].startswith("Your first listing") and not meeting["settings"]["waiting_room"]

    wait_until(told, what="the change at Zoom")
    usual = booked.coach.patch(path, {"topic": None, "version": version + 1}).json()["data"]["topic"]
    assert usual == "Coaching: Test Person and Casey Morgan"


def test_a_meeting_that_zoom_refused_is_asked_for_again(stack: Stack, zoom: ZoomAccount) -> None:
    coach, mentee = published_coach(stack), stack.user()
    email = coach.get("/api/user").json()["data"]["email"]
    zoom.control(strangers=[email, "studio@coachline.example"])
    session = book(mentee, coach, at(DAY, "10:00")).json()["data"]
    path = f"/api/sessions/{session['id']}/meeting"

    def state() -> str | None:
        stack.drain()
        answer = coach.get(path)
        return answer.json()["data"]["state"] if answer.status_code == 200 else None

    wait_until(lambda: state() == "FAILED", what="the refusal")
    zoom.control(strangers=[])
    assert mentee.post(path).status_code == 403
    answers = [coach.post(path, key="again") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    wait_until(lambda: state() == "READY", what="the meeting")


def server_log() -> str:
    """What the run's Postgres server writes down, all databases together."""
    with psycopg.connect(os.environ["COACHLINE_TEST_SERVER"]) as connection:
        row = connection.execute("show data_directory").fetchone()
    assert row is not None
    return (Path(row[0]).parents[1] / "logs/postgres.log").read_text(errors="replace")


def test_a_start_link_is_fresh_and_kept_nowhere(stack: Stack, zoom: ZoomAccount, booked: Booked) -> None:
    answers = [booked.coach.get(f"/api/sessions/{booked.id}/start") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    links = [answer.json()["data"]["startUrl"] for answer in answers]
    assert links[0] != links[1]
    assert answers[0].headers["cache-control"] == "no-store"
    stack.drain()
    with stack.database() as database:
        rows = database.execute(
            """select format('select string_agg(t::text, chr(10)) as all from %I.%I t', schemaname, tablename) as q
               from pg_tables where schemaname in ('public', 'private')"""
        ).fetchall()
        dump = "\n".join(str(database.execute(row["q"].encode()).fetchone()) for row in rows)
    assert stack.directory
    logs = "\n".join(path.read_text(errors="replace") for path in stack.directory.rglob("*.log"))
    postgres = server_log()
    aws = httpx.get(f"{stack.info['awsEndpointUrl']}/moto-api/data.json").text
    bus = stack.http.get("/_dev/events").text
    zak = [link.partition("zak=")[2] for link in links]
    assert all(len(key) > 20 for key in zak)
    searched = {"database": dump, "logs": logs, "bus": bus, "aws": aws, "postgres": postgres}
    found = [(place, word) for place, text in searched.items() for word in ("zak=", *zak) if word in text]
    assert found == []
    # It was looked for where it would be: the session is there, and the others are the right places.
    assert all(booked.id in searched[place] for place in ("database", "logs", "bus"))
    assert "listening on" in postgres
    assert "MeetingEvents" in aws
    sizes = ", ".join(f"{place} {len(text):,}" for place, text in searched.items())
    print(f"2 start links in none of these characters: {sizes}")


@pytest.mark.parametrize("kind", ["429", "500", "drop", "timeout"])
def test_a_start_link_that_zoom_cannot_give_now_is_503_with_a_time(
    stack: Stack, zoom: ZoomAccount, booked: Booked, kind: str
) -> None:
    zoom.fault("GET /v2/meetings/{id}", kind, times=3, delayMs=20)
    answer = booked.coach.get(f"/api/sessions/{booked.id}/start")
    if kind == "429" and answer.status_code == 200:
        return  # one second was short enough to wait for
    assert status_and_code(answer) == (503, "zoom_unavailable")
    assert int(answer.headers["retry-after"]) >= 1


def test_the_access_of_a_start_is_on_record(stack: Stack, zoom: ZoomAccount, booked: Booked) -> None:
    def recorded() -> int:
        with stack.database() as database:
            row = database.execute(
                "select count(*) as n from private.meeting_access where session_id = %s and link = 'START'", [booked.id]
            ).fetchone()
        assert row is not None
        return int(row["n"])

    zoom.control(faults=[])
    before = recorded()
    assert booked.coach.get(f"/api/sessions/{booked.id}/start").status_code == 200
    assert recorded() == before + 1
