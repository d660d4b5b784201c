"""expire_holds, advance_sessions and send_reminders: once each, whatever dies in between, and past a row that fails."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.support.sessions import insert_session
from tests.support.stack import SignedIn, Stack
from tests.support.story import SCHEDULE, WEEKDAYS, at, iso, next_weekday, published_coach

HOUR = timedelta(hours=1)
POISONED = ("public.session_transition", "private.session_reminder")


@pytest.fixture(scope="module")
def coach(stack: Stack) -> SignedIn:
    always = [{"day": day, "intervals": [{"from": "00:00", "to": "24:00"}]} for day in WEEKDAYS]
    return published_coach(stack, schedule={**SCHEDULE, "timezone": "UTC", "weekly": always})


@pytest.fixture(scope="module")
def mentee(stack: Stack) -> SignedIn:
    return stack.user()


_weeks = iter(range(3, 50))


@pytest.fixture
def start() -> datetime:
    """A day of each test's own, so that what one leaves behind is not due in another."""
    return at(next_weekday(weeks=next(_weeks)), "12:00", "UTC")


def run(stack: Stack, job: str, now: datetime) -> dict[str, int]:
    answer = stack.http.post(f"/_dev/invoke/{job}", json={"time": iso(now)}).json()
    assert "result" in answer, answer
    counts: dict[str, int] = answer["result"]
    return counts


def state(stack: Stack, ids: list[str]) -> list[str]:
    with stack.database() as database:
        rows = database.execute("select id::text, status::text from session where id::text = any(%s)", [ids]).fetchall()
    found = {row["id"]: row["status"] for row in rows}
    return [found[each] for each in ids]


def events(stack: Stack, kind: str, ids: list[str]) -> list[dict[str, Any]]:
    with stack.database() as database:
        rows = database.execute(
            """select payload from private.outbox_event
               where type = %s and payload ->> 'sessionId' = any(%s) order by sequence""",
            [kind, ids],
        ).fetchall()
    return [row["payload"] for row in rows]


def transitions(stack: Stack, ids: list[str]) -> int:
    with stack.database() as database:
        row = database.execute(
            "select count(*) as n from session_transition where session_id::text = any(%s)", [ids]
        ).fetchone()
    assert row is not None
    count: int = row["n"]
    return count


def test_a_hold_that_ran_out_expires_once_and_one_that_did_not_stays(
    stack: Stack, coach: SignedIn, mentee: SignedIn, start: datetime
) -> None:
    with stack.database() as database:
        ids = [
            insert_session(
                database, coach.user_id, mentee.user_id, start + 2 * n * HOUR, status="PENDING_PAYMENT", hold=hold
            )
            for n, hold in enumerate([start - HOUR, start - HOUR - timedelta(microseconds=1), start])
        ]
    assert run(stack, "expire_holds", start - HOUR)["expired"] >= 2  # whatever other tests left is due as well
    assert run(stack, "expire_holds", start - HOUR) == {"failed": 0}
    assert state(stack, ids) == ["EXPIRED", "EXPIRED", "PENDING_PAYMENT"]
    assert len(events(stack, "SessionExpired", ids)) == 2
    run(stack, "expire_holds", start)
    assert state(stack, ids) == ["EXPIRED"] * 3
    assert len(events(stack, "SessionExpired", ids)) == transitions(stack, ids) == 3


def test_a_session_begins_and_ends_by_the_clock(
    stack: Stack, coach: SignedIn, mentee: SignedIn, start: datetime
) -> None:
    with stack.database() as database:
        ids = [insert_session(database, coach.user_id, mentee.user_id, start)]
    over = start + HOUR
    seen = []
    for now in (start - timedelta(microseconds=1), start, start + HOUR / 2, over, over + HOUR / 2):
        run(stack, "advance_sessions", now)
        seen.append(state(stack, ids)[0])
    assert seen == ["SCHEDULED", "IN_PROGRESS", "IN_PROGRESS", "IN_PROGRESS", "COMPLETED"]
    assert mentee.get(f"/api/sessions/{ids[0]}").json()["data"]["completedAt"] == iso(over + HOUR / 2)
    history = mentee.get(f"/api/sessions/{ids[0]}/history").json()["data"]
    assert [(each["toStatus"], each["actor"]) for each in history] == [
        ("IN_PROGRESS", "SYSTEM"),
        ("COMPLETED", "SYSTEM"),
    ]
    assert history[0]["occurredAt"] == iso(start)
    assert len(events(stack, "SessionStarted", ids)) == len(events(stack, "SessionCompleted", ids)) == 1


def test_a_session_that_no_run_saw_begin_is_completed_all_the_same(
    stack: Stack, coach: SignedIn, mentee: SignedIn, start: datetime
) -> None:
    with stack.database() as database:
        ids = [insert_session(database, coach.user_id, mentee.user_id, start + 2 * n * HOUR) for n in range(3)]
    assert run(stack, "advance_sessions", start + 12 * HOUR)["completed"] >= 3
    assert run(stack, "advance_sessions", start + 12 * HOUR) == {"failed": 0}
    assert transitions(stack, ids) == 3


def test_a_reminder_is_due_once_for_each_kind_and_again_after_a_move(
    frozen: Stack, coach: SignedIn, mentee: SignedIn, start: datetime
) -> None:
    with frozen.database() as database:
        session = insert_session(database, coach.user_id, mentee.user_id, start)

    def sent(now: datetime) -> list[str]:
        before = len(events(frozen, "SessionReminderDue", [session]))
        for _ in range(2):
            assert run(frozen, "send_reminders", now)["failed"] == 0
        return [each["kind"] for each in events(frozen, "SessionReminderDue", [session])[before:]]

    assert sent(start - 24 * HOUR - timedelta(microseconds=1)) == []
    assert sent(start - 24 * HOUR) == ["24h"]
    assert sent(start - 2 * HOUR) == []
    assert sent(start - HOUR) == ["1h"]
    assert sent(start - timedelta(minutes=1)) == []

    # Half an hour before, the coach moves it by two days: both are due again, for the new time.
    frozen.clock(iso(start - HOUR / 2))
    later = start + 48 * HOUR
    moved = coach.post(f"/api/sessions/{session}/reschedule", {"start": iso(later), "version": 1})
    assert moved.status_code == 200, moved.text
    assert sent(start) == []
    assert sent(later - 24 * HOUR) == ["24h"]
    # And back by three hours, across the moment of the day's reminder, which is not repeated for a moment that is past.
    frozen.clock(iso(later - 23 * HOUR))
    back = coach.post(f"/api/sessions/{session}/reschedule", {"start": iso(later - 3 * HOUR), "version": 2})
    assert back.status_code == 200, back.text
    assert sent(later - 22 * HOUR) == []
    assert sent(later - 4 * HOUR) == ["1h"]


def test_who_books_late_is_not_reminded_of_what_is_past(
    stack: Stack, coach: SignedIn, mentee: SignedIn, start: datetime
) -> None:
    with stack.database() as database:
        ids = [insert_session(database, coach.user_id, mentee.user_id, start, created=start - 3 * HOUR)]
    run(stack, "send_reminders", start - 2 * HOUR)
    assert events(stack, "SessionReminderDue", ids) == []
    run(stack, "send_reminders", start - HOUR)
    assert [each["kind"] for each in events(stack, "SessionReminderDue", ids)] == ["1h"]


@pytest.fixture
def poison(stack: Stack) -> Iterator[Any]:
    """Sessions whose change or reminder fails in the database, whatever tries it."""
    with stack.database() as database:

        def set_poison(session: str) -> None:
            for table in POISONED:
                database.execute(
                    f"""create or replace function devstack.poison() returns trigger language plpgsql as
                        $$ begin raise exception 'poisoned'; end $$;
                        create or replace trigger poison before insert on {table} for each row
                        when (new.session_id = '{session}') execute function devstack.poison()""".encode()
                )

        yield set_poison
        for table in POISONED:
            database.execute(f"drop trigger if exists poison on {table}".encode())


def test_a_row_that_fails_stops_no_other(
    stack: Stack, coach: SignedIn, mentee: SignedIn, start: datetime, poison: Any
) -> None:
    with stack.database() as database:
        ids = [insert_session(database, coach.user_id, mentee.user_id, start + 2 * n * HOUR) for n in range(4)]
    poison(sorted(ids)[1])
    reminded = run(stack, "send_reminders", start - HOUR)
    assert reminded["failed"] == 1
    assert len(events(stack, "SessionReminderDue", ids)) == 3
    assert run(stack, "advance_sessions", start + 12 * HOUR)["failed"] == 1
    assert sorted(state(stack, ids)) == ["COMPLETED", "COMPLETED", "COMPLETED", "SCHEDULED"]
    assert transitions(stack, ids) == 3


@pytest.mark.parametrize("job", ["expire_session_holds", "advance_sessions", "send_session_reminders"])
def test_what_is_due_is_found_without_walking_what_is_over(
    stack: Stack, coach: SignedIn, mentee: SignedIn, job: str
) -> None:
    """Every minute, however long the past has become."""
    over, ahead = 20_000, 2_000
    with stack.database() as database, database.transaction(force_rollback=True):
        database.execute("alter table session disable trigger user")
        database.execute(
            """insert into session (coach_id, mentee_id, status, starts_at, ends_at, duration_minutes,
                 buffer_before, buffer_after, blocked, coach_timezone, mentee_timezone, rate_amount,
                 price_amount, fee_amount, fee_bps, currency)
               select %(coach)s, %(mentee)s, s.status::session_status, t.at, t.at + interval '15 minutes', 15, 0, 0,
                 tstzrange(t.at, t.at + interval '15 minutes'), 'UTC', 'UTC', 0, 0, 0, 0, 'USD'
               from (select 'COMPLETED' as status, generate_series(-%(over)s::integer, -1) as n
                     union all select 'SCHEDULED', generate_series(1, %(ahead)s::integer)) s,
                 lateral (select '2031-01-01'::timestamptz + make_interval(hours => 2 * n) as at) t""",
            {"coach": coach.user_id, "mentee": mentee.user_id, "over": over, "ahead": ahead},
        )
        database.execute("alter table session enable trigger user")
        database.execute("analyze session")
        database.execute("""set local request.jwt.claims = '{"role": "service_role"}'""")
        before = rows_read(database)
        database.execute(f"select {job}('2031-01-01T00:30:00Z', 100)".encode())
        assert rows_read(database) - before < ahead / 4


def rows_read(database: psycopg.Connection[DictRow]) -> int:
    """How many rows of `session` this transaction has looked at."""
    row = database.execute(
        "select seq_tup_read + idx_tup_fetch as n from pg_stat_xact_user_tables where relid = 'session'::regclass"
    ).fetchone()
    assert row is not None
    return int(row["n"])
