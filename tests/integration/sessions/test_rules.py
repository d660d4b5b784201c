"""Who may do what with a session, and when: every cell of status, actor and phase, in the database and over HTTP."""

import itertools
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.sessions import insert_session
from tests.support.stack import SignedIn, Stack
from tests.support.story import SCHEDULE, WEEKDAYS, at, iso, next_weekday, published_coach

STATUSES = ["PENDING_PAYMENT", "SCHEDULED", "IN_PROGRESS", "COMPLETED", "CANCELLED", "NO_SHOW", "EXPIRED"]
PERSONS = ["MENTEE", "COACH", "ADMIN"]
ACTORS = [*PERSONS, "SYSTEM"]
# Each at its edge, for a session of an hour: the last instant of EARLY, the first of every other.
PHASES = {
    "EARLY": timedelta(hours=-24),
    "LATE": timedelta(hours=-24, microseconds=1),
    "OPENING": timedelta(),
    "DURING": timedelta(minutes=10),
    "GRACE": timedelta(minutes=60),
    "AFTER": timedelta(minutes=90),
}
BEFORE, EVER = {"EARLY", "LATE"}, set(PHASES)
OVER, MISSED = {"GRACE", "AFTER"}, {"DURING", "GRACE", "AFTER"}
UNPAID, BOOKED = {"PENDING_PAYMENT"}, {"SCHEDULED"}
OPEN, LIVE = UNPAID | BOOKED, BOOKED | {"IN_PROGRESS"}
# (action, actor): from which statuses, in which phases. What is not here is refused.
ALLOWED: dict[tuple[str, str], tuple[set[str], set[str]]] = {
    ("confirm", "SYSTEM"): (UNPAID | {"EXPIRED"}, EVER - OVER),
    ("expire", "SYSTEM"): (UNPAID, EVER),
    ("start", "SYSTEM"): (BOOKED, {"OPENING", "DURING"}),
    ("cancel", "MENTEE"): (OPEN, BEFORE),
    ("cancel", "COACH"): (OPEN, BEFORE),
    ("cancel", "SYSTEM"): (OPEN, BEFORE),
    ("cancel", "ADMIN"): (OPEN, EVER),
    ("reschedule", "MENTEE"): (BOOKED, {"EARLY"}),
    ("reschedule", "COACH"): (BOOKED, BEFORE),
    ("reschedule", "ADMIN"): (BOOKED, BEFORE),
    ("complete", "COACH"): (LIVE, OVER),
    ("complete", "ADMIN"): (LIVE, OVER),
    ("complete", "SYSTEM"): (LIVE, OVER),
    **{(f"{who}_no_show", each): (LIVE, MISSED) for who in ("mentee", "coach") for each in PERSONS},
    **{(f"{who}_no_show", "SYSTEM"): (LIVE, OVER) for who in ("mentee", "coach")},
}
TARGETS = {
    "confirm": ("SCHEDULED", None),
    "expire": ("EXPIRED", None),
    "start": ("IN_PROGRESS", None),
    "cancel": ("CANCELLED", None),
    "complete": ("COMPLETED", None),
    "mentee_no_show": ("NO_SHOW", "MENTEE"),
    "coach_no_show": ("NO_SHOW", "COACH"),
}
DAYS = itertools.count(20)  # where sessions that still block something are put
REFUSALS = {"invalid_transition", "forbidden", "session_started", "too_early"}
# Moves a session and takes it back: what came of it.
TRY = """
    create or replace function pg_temp.try(session_id uuid, target text, who text, absent text, at timestamptz)
    returns text language plpgsql as $$
    declare
      moved public.session;
    begin
      moved := private.move_session(session_id, target::public.session_status, who::public.session_actor, null, null,
        absent::public.session_actor, at);
      raise exception 'moved to %', moved.status;
    exception when others then
      return sqlerrm;
    end $$"""


def allowed(action: str, actor: str, status: str, phase: str) -> bool:
    statuses, phases = ALLOWED.get((action, actor), (set(), set()))
    return status in statuses and phase in phases


@pytest.fixture(scope="module")
def people(stack: Stack) -> dict[str, SignedIn]:
    always = [{"day": day, "intervals": [{"from": "00:00", "to": "24:00"}]} for day in WEEKDAYS]
    return {
        "COACH": published_coach(stack, schedule={**SCHEDULE, "timezone": "UTC", "weekly": always}),
        "MENTEE": stack.user(),
        "ADMIN": stack.user("ADMIN"),
        "another coach": published_coach(stack),
    }


def test_the_database_moves_a_session_where_the_table_allows_it_and_nowhere_else(
    stack: Stack, people: dict[str, SignedIn]
) -> None:
    start, wrong, counted = at(next_weekday(), "10:00", "UTC"), {}, Counter[str]()
    with stack.database() as database:
        database.execute(TRY)
        for status in STATUSES:
            database.execute("begin")
            session = insert_session(database, people["COACH"].user_id, people["MENTEE"].user_id, start, status=status)
            for (action, (target, absent)), actor, (phase, offset) in itertools.product(
                TARGETS.items(), ACTORS, PHASES.items()
            ):
                row = database.execute(
                    "select pg_temp.try(%s, %s, %s, %s, %s) as outcome",
                    [session, target, actor, absent, start + offset],
                ).fetchone()
                assert row is not None
                outcome = row["outcome"]
                counted[outcome] += 1
                if outcome not in ({f"moved to {target}"} if allowed(action, actor, status, phase) else REFUSALS):
                    wrong[(status, actor, phase, action)] = outcome
            database.execute("rollback")
    assert wrong == {}
    print(f"{sum(counted.values())} cells of the database: {dict(counted)}")
    assert sum(counted.values()) == len(STATUSES) * len(ACTORS) * len(PHASES) * len(TARGETS)


def expected_answer(action: str, actor: str, status: str, phase: str) -> tuple[int, str | None]:
    """Status and code of an answer, by the words of the rules and not by their SQL."""
    if actor == "another coach":
        return 404, "not_found"
    if actor == "MENTEE" and action == "complete":
        return 403, "forbidden"
    if allowed(action, actor, status, phase):
        return 200, None
    if status not in {each for (name, _), (statuses, _) in ALLOWED.items() if name == action for each in statuses}:
        return 409, "invalid_transition"
    if action in ("cancel", "reschedule") and phase not in BEFORE:
        return 409, "session_started"
    return 409, "reschedule_too_late" if action == "reschedule" else "too_early"


@pytest.mark.parametrize("phase", PHASES)
def test_every_cell_over_http(frozen: Stack, people: dict[str, SignedIn], phase: str) -> None:
    start, wrong = at(next_weekday(weeks=2), "10:00", "UTC"), {}
    bodies: dict[str, tuple[str, dict[str, Any]]] = {
        "cancel": ("cancel", {}),
        "reschedule": ("reschedule", {"start": iso(start + timedelta(days=3)), "version": 1}),
        "complete": ("complete", {}),
        "mentee_no_show": ("no-show", {"absent": "MENTEE"}),
        "coach_no_show": ("no-show", {"absent": "COACH"}),
    }
    frozen.clock(iso(start + PHASES[phase]))
    with frozen.database() as database:
        for (action, (path, body)), (actor, who), status in itertools.product(
            bodies.items(), people.items(), ["PENDING_PAYMENT", "SCHEDULED", "IN_PROGRESS", "COMPLETED"]
        ):
            session = insert_session(database, people["COACH"].user_id, people["MENTEE"].user_id, start, status=status)
            answer = who.post(f"/api/sessions/{session}/{path}", body)
            told = (answer.status_code, answer.json().get("code"))
            if told != expected_answer(action, actor, status, phase):
                wrong[(action, actor, status)] = told
            park(database, session, start + timedelta(days=next(DAYS)))
    assert wrong == {}


def park(database: Any, session: str, start: datetime) -> None:
    """Out of the way of the next one, if it still blocks anything."""
    database.execute(
        """update session set starts_at = %(start)s, ends_at = %(start)s + interval '1 hour',
             blocked = tstzrange(%(start)s - interval '15 minutes', %(start)s + interval '75 minutes')
           where id = %(id)s and status in ('PENDING_PAYMENT', 'SCHEDULED', 'IN_PROGRESS')""",
        {"start": start, "id": session},
    )
