"""Sessions in any state, made by SQL past every wall, for tests that begin after the booking."""

from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import DictRow

INSERT = """
    insert into session (
      coach_id, mentee_id, status, starts_at, ends_at, duration_minutes, buffer_before, buffer_after, blocked,
      coach_timezone, mentee_timezone, rate_amount, price_amount, fee_amount, fee_bps, currency,
      hold_expires_at, cancelled_at, cancelled_by, created_at)
    values (
      %(coach)s, %(mentee)s, %(status)s, %(start)s, %(end)s, %(minutes)s, 15, 15, tstzrange(%(from)s, %(to)s, '[)'),
      'UTC', 'UTC', 15000, 15000, 1275, 850, 'USD', %(hold)s, %(cancelled)s, %(by)s, %(created)s)
    returning id::text as id"""


def insert_session(
    database: psycopg.Connection[DictRow],
    coach_id: str,
    mentee_id: str,
    start: datetime,
    *,
    status: str = "SCHEDULED",
    minutes: int = 60,
    hold: datetime | None = None,
    created: datetime | None = None,
) -> str:
    """A session of 150 dollars with buffers of a quarter of an hour; its id. A hold lasts until ten days after it."""
    end, buffer = start + timedelta(minutes=minutes), timedelta(minutes=15)
    cancelled = status == "CANCELLED"
    values: dict[str, Any] = {
        "coach": coach_id,
        "mentee": mentee_id,
        "status": status,
        "start": start,
        "end": end,
        "minutes": minutes,
        "from": start - buffer,
        "to": end + buffer,
        "hold": (hold or end + timedelta(days=10)) if status in ("PENDING_PAYMENT", "EXPIRED") else None,
        "cancelled": start if cancelled else None,
        "by": "ADMIN" if cancelled else None,
        "created": created or start - timedelta(days=7),
    }
    row = database.execute(INSERT, values).fetchone()
    assert row is not None
    session_id: str = row["id"]
    return session_id


# A person is taken by the sessions he gives, buffers included, and by those he takes; of two, one may be of each kind.
OVERLAPS = """
    with live as (
      select * from session where status in ('PENDING_PAYMENT', 'SCHEDULED', 'IN_PROGRESS')),
    taken as (
      select id, coach_id as person, 'COACH' as role, starts_at - make_interval(mins => buffer_before) as since,
             ends_at + make_interval(mins => buffer_after) as until from live
      union all select id, mentee_id, 'MENTEE', starts_at, ends_at from live)
    select a.id::text, b.id::text as other, a.person::text, a.role || '+' || b.role as roles
    from taken a join taken b on a.person = b.person and a.id < b.id and a.since < b.until and b.since < a.until"""

# Histories that do not begin with the booking, do not continue where they were, or do not end where the session is.
BROKEN_HISTORIES = """
    with step as (
      select t.*, s.status, s.version as version_now, s.rescheduled_count,
             lag(t.to_status) over each as before, lag(t.version) over each as version_before,
             row_number() over each as number, count(*) over (partition by t.session_id) as steps,
             count(t.to_starts_at) over (partition by t.session_id) as moves
      from session_transition t join session s on s.id = t.session_id
      window each as (partition by t.session_id order by t.id))
    select session_id::text, number, from_status::text, to_status::text from step
    where from_status is distinct from before
       or (number > 1 and version <> version_before + 1)
       or (number = steps and (to_status <> status or version <> version_now))
       or (from_starts_at is null and number > 1 and not private.session_may_become(from_status, to_status))
       or moves <> rescheduled_count
    union all
    select s.id::text, 0, null, s.status::text from session s
    where s.id::text = any(%(booked)s) and not exists (select 1 from session_transition t where t.session_id = s.id)
    union all
    select m.session_id::text, -1, null, null from (
      select t.session_id, t.from_starts_at, s.starts_at, t.to_starts_at,
             lag(t.to_starts_at) over (partition by t.session_id order by t.id) as was,
             lead(t.id) over (partition by t.session_id order by t.id) as next
      from session_transition t join session s on s.id = t.session_id where t.to_starts_at is not null) m
    where (m.was is not null and m.was <> m.from_starts_at) or (m.next is null and m.to_starts_at <> m.starts_at)"""


def overlaps(database: psycopg.Connection[DictRow]) -> list[DictRow]:
    """Pairs of live sessions that share a person at one time: found without the constraints' help."""
    return database.execute(OVERLAPS).fetchall()


def broken_histories(database: psycopg.Connection[DictRow], booked: list[str]) -> list[DictRow]:
    """Steps of the booked sessions' histories that do not fit."""
    found = database.execute(BROKEN_HISTORIES, {"booked": booked}).fetchall()
    return [row for row in found if row["session_id"] in set(booked)]
