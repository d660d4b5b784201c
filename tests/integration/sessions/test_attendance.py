"""How a session ends that nobody reports: by who was in its meeting, once Zoom's report was read, and only then."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.integration.sessions.test_jobs import run, state
from tests.support.sessions import insert_session
from tests.support.stack import SignedIn, Stack
from tests.support.story import at, book, iso, next_weekday, published_coach
from tests.support.zoom import ZoomAccount, meeting_row, ready

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
OVER = HOUR + 30 * MINUTE  # when people have had their time to say something
PATIENCE = 3 * HOUR  # two hours after the end
_weeks = count(60)
_numbers = count(70_000_000_000)
NOBODY_SAID = "Its time was over and nobody had reported an absence."
BOTH = "Its time was over, and Zoom reports that both had come."
NO_MENTEE = "Zoom reports that the mentee did not come."
NO_COACH = "Zoom reports that the coach did not come."
NOBODY = "Zoom reports that nobody came, and only the coach can open the meeting."


@pytest.fixture(scope="module")
def coach(stack: Stack) -> SignedIn:
    return published_coach(stack)


@pytest.fixture(scope="module")
def mentee(stack: Stack) -> SignedIn:
    return stack.user()


@pytest.fixture
def start() -> datetime:
    return at(next_weekday(weeks=next(_weeks)), "12:00", "UTC")


def meeting(database: psycopg.Connection[DictRow], session: str, start: datetime, *, reconciled: bool = True) -> str:
    """A meeting that Zoom knows of; the uuid of its one instance, which `presence` puts people into."""
    database.execute(
        """insert into private.meeting (session_id, zoom_id, join_url, reconciled_at)
           values (%s, %s, 'https://zoom.example/j/1', %s)""",
        [session, next(_numbers), start + OVER if reconciled else None],
    )
    return uuid4().hex


def presence(
    database: psycopg.Connection[DictRow], session: str, uuid: str, *, host: bool, joined: datetime | None, left: Any
) -> None:
    database.execute("select private.note_instance(%s, %s, %s, %s)", [session, uuid, joined, left])
    database.execute(
        "select private.note_presence(%s, %s, %s, %s, %s, %s)", [session, uuid, uuid4().hex, host, joined, left]
    )


# Who was in the meeting, from and to in minutes from the start of an hour; None was never told.
COACH, MENTEE = (True, -2, 60), (False, 5, 58)
CASES: dict[str, tuple[list[tuple[bool, int | None, int | None]], str, str | None, int | None, str]] = {
    "nobody came": ([], "NO_SHOW", "COACH", 100, NOBODY),
    "only the coach": ([COACH], "NO_SHOW", "MENTEE", 0, NO_MENTEE),
    "only the mentee": ([MENTEE], "NO_SHOW", "COACH", 100, NO_COACH),
    "both": ([COACH, MENTEE], "COMPLETED", None, None, BOTH),
    "both, and nobody told of their leaving": ([(True, 0, None), (False, 5, None)], "COMPLETED", None, None, BOTH),
    "both, and nobody told of their coming": ([(True, None, 60), (False, None, 58)], "COMPLETED", None, None, BOTH),
    "the coach tried the room a day before": ([(True, -1440, -1430)], "NO_SHOW", "COACH", 100, NOBODY),
    "the coach only tried it": ([(True, -1440, -1430), MENTEE], "NO_SHOW", "COACH", 100, NO_COACH),
    "the mentee came when it was over": ([COACH, (False, 60, 65)], "NO_SHOW", "MENTEE", 0, NO_MENTEE),
}


@pytest.mark.parametrize("case", CASES)
def test_attendance_decides_where_it_is_known(
    stack: Stack, coach: SignedIn, mentee: SignedIn, start: datetime, case: str
) -> None:
    people, status, absent, percent, reason = CASES[case]
    with stack.database() as database:
        session = insert_session(database, coach.user_id, mentee.user_id, start)
        meeting(database, session, start)
        for host, *minutes in people:
            joined, left = (None if each is None else start + each * MINUTE for each in minutes)
            presence(database, session, uuid4().hex, host=host, joined=joined, left=left)
    run(stack, "advance_sessions", start + OVER)
    ended = mentee.get(f"/api/sessions/{session}").json()["data"]
    assert (ended["status"], ended["noShowBy"]) == (status, absent)
    assert (ended["refund"] and ended["refund"]["percent"]) == percent
    *_, last = mentee.get(f"/api/sessions/{session}/history").json()["data"]
    assert (last["toStatus"], last["actor"], last["reason"]) == (status, "SYSTEM", reason)


def outcome(stack: Stack, session: str) -> tuple[str, str]:
    with stack.database() as database:
        row = database.execute(
            "select o.to_status::text, o.reason from session s, private.session_outcome(s) o where s.id = %s", [session]
        ).fetchone()
    assert row
    return row["to_status"], row["reason"]


def length(database: psycopg.Connection[DictRow], session: str) -> int | None:
    row = database.execute("select actual_minutes from private.meeting where session_id = %s", [session]).fetchone()
    assert row
    minutes: int | None = row["actual_minutes"]
    return minutes


UNKNOWN = ("COMPLETED", NOBODY_SAID)


def test_what_is_not_known_is_nobodys_absence(stack: Stack, coach: SignedIn, mentee: SignedIn, start: datetime) -> None:
    with stack.database() as database:
        session = insert_session(database, coach.user_id, mentee.user_id, start)
        assert outcome(stack, session) == UNKNOWN  # there is no meeting
        uuid = meeting(database, session, start, reconciled=False)
        presence(database, session, uuid, host=True, joined=start, left=start + HOUR)
        assert outcome(stack, session) == UNKNOWN  # the mentee's event may have been lost
        database.execute("delete from private.meeting_presence where session_id = %s", [session])
        database.execute("update private.meeting set reconciled_at = now() where session_id = %s", [session])
        assert outcome(stack, session) == UNKNOWN  # it took place, and nobody says with whom
        assert length(database, session) == 60
        database.execute("update private.meeting_instance set ended_at = null where session_id = %s", [session])
        assert length(database, session) is None
        database.execute("delete from private.meeting_instance where session_id = %s", [session])
        assert length(database, session) is None
        assert outcome(stack, session) == ("NO_SHOW", NOBODY)
        database.execute(
            """insert into private.calendly_booking (
                 invitee_uri, event_uri, coach_id, event_type_uri, email, name, timezone, starts_at, ends_at, canceled,
                 rescheduled, no_show_seen_at, booked_at, event_changed_at, session_id)
               values (%(uri)s, %(uri)s, %(coach)s, 'x', 'a@example.com', 'A', 'UTC', %(start)s, %(end)s, false,
                       false, now(), now(), now(), %(session)s)""",
            {"uri": uuid4().hex, "coach": coach.user_id, "start": start, "end": start + HOUR, "session": session},
        )
        assert outcome(stack, session) == UNKNOWN  # they met where Calendly told them to


def test_a_session_waits_for_the_report_and_not_for_ever(
    stack: Stack, coach: SignedIn, mentee: SignedIn, start: datetime
) -> None:
    with stack.database() as database:
        read, late, elsewhere = (
            insert_session(database, coach.user_id, mentee.user_id, start + 2 * n * HOUR) for n in range(3)
        )
        for session in (read, late):
            meeting(database, session, start, reconciled=False)
    begins = {read: start, late: start + 2 * HOUR, elsewhere: start + 4 * HOUR}

    def after(session: str, since: timedelta) -> str:
        run(stack, "advance_sessions", begins[session] + since)
        return state(stack, [session])[0]

    assert after(read, OVER) == "SCHEDULED"
    assert after(read, PATIENCE - timedelta(microseconds=1)) == "SCHEDULED"
    with stack.database() as database:
        database.execute("update private.meeting set reconciled_at = now() where session_id = %s", [read])
    assert after(read, PATIENCE - timedelta(microseconds=1)) == "NO_SHOW"
    assert after(late, PATIENCE - timedelta(microseconds=1)) == "IN_PROGRESS"
    assert after(late, PATIENCE) == "COMPLETED"
    assert after(elsewhere, OVER) == "COMPLETED"


@pytest.mark.parametrize("lost", [False, True], ids=["told", "every event lost"])
@pytest.mark.parametrize(
    ("guest", "ended"), [(True, ("COMPLETED", None)), (False, ("NO_SHOW", "MENTEE"))], ids=["both", "the coach alone"]
)
def test_zoom_and_the_two_jobs_end_a_session(
    frozen: Stack, guest: bool, lost: bool, ended: tuple[str, str | None]
) -> None:
    zoom, coach, mentee = ZoomAccount(frozen), published_coach(frozen), frozen.user()
    booked = book(mentee, coach, at(next_weekday(weeks=3), "10:00")).raise_for_status().json()["data"]
    ready(frozen, booked["id"])
    begin = datetime.fromisoformat(booked["start"])
    frozen.clock(iso(begin + OVER + MINUTE))
    zoom.control(faults=[{"on": "webhook", "kind": "drop", "times": 100}] if lost else [])
    moves: list[dict[str, Any]] = [{"do": "start"}, {"do": "join", "who": "host"}, {"do": "join", "who": "guest"}]
    zoom.act(
        meeting_row(frozen, booked["id"])["zoom_id"],
        *({**each, "at": iso(begin)} for each in moves[: 3 if guest else 2]),
        {"do": "end", "at": iso(begin + HOUR)},
    )
    zoom.control(faults=[])
    frozen.drain()
    run(frozen, "advance_sessions", begin + OVER + MINUTE)
    assert state(frozen, [booked["id"]]) != ["COMPLETED"], "it did not wait for the report"
    for attempt in range(2, 5):  # a run takes 50, and other tests left some
        assert "result" in frozen.http.post("/_dev/invoke/reconcile_meetings", json={}).json()
        frozen.drain()
        run(frozen, "advance_sessions", begin + OVER + attempt * MINUTE)
        session = mentee.get(f"/api/sessions/{booked['id']}").json()["data"]
        if session["status"] != "SCHEDULED":
            break
    # Zoom's report leaves out who was alone: without the event nobody knows who that was, and nobody counts as absent.
    expected = ("COMPLETED", None) if lost else ended
    assert (session["status"], session["noShowBy"]) == expected
    lasted = coach.get("/api/sessions/metrics").json()["data"]["averageActualDuration"]
    assert lasted == (60 if session["status"] == "COMPLETED" else None)
