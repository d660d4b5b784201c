"""Definitions, events and grants of achievements, for tests that begin after the deed."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.rows import DictRow

from tests.support.sessions import insert_session
from tests.support.stack import SignedIn, Stack
from tests.support.story import published_coach


def as_service(connection: psycopg.Connection[DictRow]) -> None:
    """Let the connection call what only the service may."""
    connection.execute("""select set_config('request.jwt.claims', '{"role": "service_role"}', false)""")


def define(admin: SignedIn, code: str, metric: str, operator: str, threshold: float, *within: Any) -> Any:
    """Ask for a definition; `within` is its window and its streak."""
    criteria = {"metric": metric, "operator": operator, "threshold": threshold}
    criteria |= {"window": within[0], "streak": within[1]}
    body = {"code": code, "title": code, "description": code, "type": "PERFORMANCE", "criteria": criteria}
    return admin.post("/api/achievements/definitions", body)


def event(people: dict[str, str]) -> dict[str, Any]:
    return {"id": str(uuid4()), "payload": people}


def apply(database: psycopg.Connection[DictRow], events: list[dict[str, Any]]) -> None:
    database.execute("select public.apply_growth_events(%s)", [json.dumps(events)])


def grants(database: psycopg.Connection[DictRow], people: list[str]) -> set[tuple[Any, ...]]:
    rows = database.execute(
        """select g.user_id::text as who, d.code, g.period, g.earned_at
           from achievement_grant g join achievement_definition d on d.id = g.definition_id
           where g.user_id::text = any (%s) and g.revoked_at is null""",
        [people],
    ).fetchall()
    return {(row["who"], row["code"], row["period"], row["earned_at"]) for row in rows}


def waiting_person(
    stack: Stack, database: psycopg.Connection[DictRow], learner: SignedIn | None = None
) -> tuple[str, str]:
    """A coach and a mentee with a completed session that no event has told of."""
    coach, mentee = published_coach(stack).user_id, (learner or stack.user()).user_id
    made = insert_session(database, coach, mentee, datetime.now(UTC) - timedelta(days=1), status="COMPLETED")
    database.execute("update session set completed_at = now() where id = %s", [made])
    return coach, mentee


def told(database: psycopg.Connection[DictRow], who: str) -> list[str]:
    rows = database.execute(
        """select payload ->> 'code' as code from private.outbox_event
           where type = 'AchievementGranted' and payload ->> 'userId' = %s order by 1""",
        [who],
    ).fetchall()
    return [row["code"] for row in rows]
