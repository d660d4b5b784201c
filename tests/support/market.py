"""A market of many coaches and sessions, made by one script of SQL."""

import hashlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from tests.support.stack import ROOT


def fill(database: psycopg.Connection[Any], coaches: int, sessions: int) -> None:
    """Add the market of tests/bench/market.sql: all of its figures are counted when this returns."""
    with database.transaction():
        for name, value in (("coaches", coaches), ("sessions", sessions), ("now", datetime.now(UTC).isoformat())):
            database.execute("select set_config(%s, %s, true)", [f"coachline.{name}", str(value)])
        database.execute((ROOT / "tests/bench/market.sql").read_bytes())
    database.execute("analyze")


def coach_id(number: int) -> str:
    """The id of the market's coach of that number, from 1."""
    return str(UUID(hashlib.md5(f"coach{number}".encode()).hexdigest()))  # noqa: S324 - a name, no secret
