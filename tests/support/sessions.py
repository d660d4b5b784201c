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
