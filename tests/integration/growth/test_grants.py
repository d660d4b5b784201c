"""Grants: once however events come, the same live, from history and by a slow walk through it, whatever is killed."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from threading import Barrier
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import DictRow

from coachline.events import DomainEvent
from coachline.growth import achievements
from tests.integration.growth.test_referral_rules import DAY, PRICE, Pair
from tests.support.achievements import apply, as_service, define, event, grants, told, waiting_person
from tests.support.mortal import Killed, Mortal
from tests.support.referrals import HOLD, past_referral, refund, state, tell
from tests.support.sessions import insert_session
from tests.support.stack import SignedIn, Stack
from tests.support.story import published_coach

FIRST = datetime(2026, 1, 20, tzinfo=UTC)
RULES: list[tuple[str, str, str, float, str, int | None]] = [
    ("two_hours", "HOURS_AS_COACH", "AT_LEAST", 2, "ALL_TIME", None),
    ("three_in_a_month", "SESSIONS_AS_MENTEE", "AT_LEAST", 3, "MONTH", None),
    ("five_in_a_year", "SESSIONS_AS_COACH", "AT_LEAST", 5, "YEAR", None),
    ("two_good", "RATING_RECEIVED", "AT_LEAST", 4, "ALL_TIME", 2),
    ("two_bad_in_a_month", "RATING_RECEIVED", "AT_MOST", 2, "MONTH", 2),
    ("two_threes", "RATING_RECEIVED", "EXACTLY", 3, "ALL_TIME", 2),
    ("two_brought_in_a_month", "REFERRALS_REWARDED", "AT_LEAST", 2, "MONTH", None),
]


@pytest.fixture(scope="module")
def rules(admin: SignedIn) -> None:
    for rule in RULES:
        assert define(admin, *rule).status_code == 201


def slow(definitions: list[DictRow], facts: list[tuple[str, str, float | Fraction, datetime]]) -> set[tuple[Any, ...]]:
    """Walk through what each person did, one definition at a time."""
    earned: dict[tuple[str, str, str], datetime] = {}
    for rule in definitions:
        state: dict[tuple[str, str], float | Fraction] = {}
        for who, metric, value, moment in sorted(facts, key=lambda fact: fact[3]):
            if metric != rule["metric"]:
                continue
            period = {"ALL_TIME": "ALL", "YEAR": f"{moment:%Y}", "MONTH": f"{moment:%Y-%m}"}[rule["window"]]
            so_far, mark = state.get((who, period), 0), float(rule["threshold"])
            if rule["streak"] is None:
                now = so_far + value
            else:
                holds = {"AT_LEAST": value >= mark, "AT_MOST": value <= mark, "EXACTLY": value == mark}
                now = so_far + 1 if holds[rule["operator"]] else 0
            state[who, period] = now
            if round(float(now), 2) >= (rule["streak"] or mark):
                earned.setdefault((who, rule["code"], period), moment)
    return {(*key, moment) for key, moment in earned.items()}


steps = st.tuples(
    st.sampled_from(["session", "review", "review", "review", "goal", "referral"]),
    st.integers(0, 1),  # whose
    st.sampled_from([15, 20, 50, 90]),  # minutes of a session
    st.sampled_from([1, 2, 2, 3, 3, 4, 4, 5]),  # stars of a review, or what becomes of a referral
    st.integers(1, 60 * 24 * 9),  # minutes after the step before
    st.booleans(),  # whether what is waiting is delivered now
)


@settings(max_examples=20, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(steps, min_size=1, max_size=30), random=st.randoms(use_true_random=False))
def test_live_grants_are_those_of_a_backfill_and_of_a_walk_through_the_history(
    rules: None,
    database: psycopg.Connection[DictRow],
    history: list[tuple[str, int, int, int, int, bool]],
    random: Any,
) -> None:
    people = two_coaches(database)
    facts: list[tuple[str, str, float | Fraction, datetime]] = []
    waiting: list[dict[str, Any]] = []
    past: list[dict[str, Any]] = []
    unreviewed: dict[int, list[str]] = {0: [], 1: []}
    moment = FIRST
    for kind, side, minutes, stars, later, deliver in history:
        moment += timedelta(minutes=later)
        coach, mentee = people[side], people[1 - side]
        if kind == "referral":
            mentee = newcomer(database)
            people.append(mentee)
        if kind in ("session", "referral") or (kind == "review" and not unreviewed[side]):
            made = insert_session(
                database, coach, mentee, moment - timedelta(hours=3), status="COMPLETED", minutes=minutes
            )
            database.execute("update session set completed_at = %s where id = %s", [moment, made])
            if kind != "referral":
                unreviewed[side].append(made)
            facts += [(coach, "SESSIONS_AS_COACH", 1, moment), (mentee, "SESSIONS_AS_MENTEE", 1, moment)]
            facts += [
                (coach, "HOURS_AS_COACH", Fraction(minutes, 60), moment),
                (mentee, "HOURS_AS_MENTEE", Fraction(minutes, 60), moment),
            ]
        if kind == "review":
            database.execute(
                "insert into review (session_id, coach_id, mentee_id, rating, created_at) values (%s, %s, %s, %s, %s)",
                [unreviewed[side].pop(), coach, mentee, stars, moment],
            )
            facts += [(coach, "REVIEWS_RECEIVED", 1, moment), (coach, "RATING_RECEIVED", stars, moment)]
            facts.append((mentee, "REVIEWS_WRITTEN", 1, moment))
        elif kind == "goal":
            database.execute(
                """insert into goal (user_id, type, title, unit, target_value, value, starts_on, deadline, timezone,
                     starts_at, due_at, status, completed_at, first_completed_at)
                   values (%(who)s, 'SALES', 'x', 'sales', 1, 1, %(at)s::date, %(at)s::date, 'UTC', %(at)s,
                     %(at)s + interval '1 day', 'COMPLETED', %(at)s, %(at)s)""",
                {"who": coach, "at": moment},
            )
            facts.append((coach, "GOALS_COMPLETED", 1, moment))
        elif kind == "referral":
            referrer, status = people[1 - side], {2: "EXPIRED", 3: "REJECTED"}.get(stars, "REWARDED")
            past_referral(database, referrer, made, moment, status)
            waiting.append(event({"userId": referrer}))
            if status != "EXPIRED":
                facts.append((referrer, "REFERRALS_REWARDED", 1, moment))
        waiting.append(event({"coachId": coach, "menteeId": mentee}))
        if deliver:
            past += waiting
            batch = waiting + random.choices(past, k=2)  # some come again
            random.shuffle(batch)
            apply(database, batch)
            waiting = []
    random.shuffle(waiting)
    apply(database, waiting)
    live = grants(database, people)
    definitions = database.execute("select * from achievement_definition where retired_at is null").fetchall()
    assert live == slow(definitions, facts)
    database.execute("delete from achievement_grant where user_id::text = any (%s)", [people])
    database.execute("select private.grant_achievements(%s::uuid[])", [people])
    assert grants(database, people) == live


def newcomer(database: psycopg.Connection[DictRow]) -> str:
    row = database.execute(
        "insert into user_account (clerk_id) values (gen_random_uuid()::text) returning id::text"
    ).fetchone()
    assert row is not None
    return str(row["id"])


def two_coaches(database: psycopg.Connection[DictRow]) -> list[str]:
    """Two new people, each of whom can give sessions to the other."""
    rows = database.execute(
        """with made as (insert into user_account (clerk_id) select gen_random_uuid()::text
               from generate_series(1, 2) returning id),
             profile as (insert into coach_profile (user_id) select id from made)
           select id::text from made"""
    ).fetchall()
    return [row["id"] for row in rows]


def test_a_referral_counts_when_it_is_rewarded_and_whatever_becomes_of_it(
    stack: Stack, database: psycopg.Connection[DictRow]
) -> None:
    pair = Pair(stack, database, published_coach(stack))
    people = [pair.referrer.user_id, pair.referee.user_id]
    session = pair.session()
    stack.drain()
    assert pair.status == "QUALIFIED"
    apply(database, [event({"userId": pair.referrer.user_id})])
    assert told(database, pair.referrer.user_id) == []
    assert pair.settle(DAY + HOLD) == "REWARDED"
    stack.drain()
    rewarded_at = state(database, pair.referral)["rewarded_at"]
    live = grants(database, people)
    assert {each[:2] for each in live} == {(people[0], "first_referral"), (people[1], "first_session")}
    assert (people[0], "first_referral", "ALL", rewarded_at) in live
    refund(database, session, PRICE)
    tell(stack, session, "RefundSucceeded")
    assert pair.status == "REJECTED"
    stack.drain()
    assert grants(database, people) == live
    database.execute("delete from achievement_grant where user_id::text = any (%s)", [people])
    database.execute("select private.grant_achievements(%s::uuid[])", [people])
    assert grants(database, people) == live


def test_twenty_deliveries_at_once_grant_once(stack: Stack, database: psycopg.Connection[DictRow]) -> None:
    coach, mentee = waiting_person(stack, database)
    same, start = [event({"coachId": coach, "menteeId": mentee})], Barrier(20)
    other = [event({"coachId": coach, "menteeId": mentee})]

    def deliver(number: int) -> None:
        with stack.database() as connection:
            as_service(connection)
            start.wait()
            apply(connection, same if number % 4 else other)  # another event about the same people among them

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(deliver, range(20)))
    assert told(database, mentee) == ["first_session"]
    assert told(database, coach) == ["first_session_coached"]
    assert len(grants(database, [coach, mentee])) == 2


@pytest.mark.parametrize("after", [False, True], ids=["before the step", "after the step"])
def test_a_consumer_that_is_killed_and_gets_it_again_grants_once(
    stack: Stack, database: psycopg.Connection[DictRow], after: bool
) -> None:
    coach, mentee = waiting_person(stack, database)
    one = DomainEvent(str(uuid4()), "SessionCompleted", FIRST, {"coachId": coach, "menteeId": mentee})
    with pytest.raises(Killed):
        achievements.apply_events(Mortal(stack, 0, after=after), [one])
    for _ in range(2):
        achievements.apply_events(Mortal(stack), [one])
    assert told(database, mentee) == ["first_session"]


def test_what_no_event_told_of_is_granted_by_the_backfill_once(
    stack: Stack, database: psycopg.Connection[DictRow]
) -> None:
    coach, mentee = waiting_person(stack, database)
    for _ in range(2):
        answer = stack.http.post("/_dev/invoke/backfill_achievements", json={"time": "2027-01-01T00:00:00Z"}).json()
        assert "result" in answer, answer
    assert told(database, mentee) == ["first_session"]
    assert told(database, coach) == ["first_session_coached"]


def test_the_consumer_takes_a_batch_and_the_same_batch_again(
    stack: Stack, database: psycopg.Connection[DictRow]
) -> None:
    coach, mentee = waiting_person(stack, database)
    detail = {"occurredAt": FIRST.isoformat(), "coachId": coach, "menteeId": mentee}
    records = [
        {
            "messageId": str(number),
            "receiptHandle": "x",
            "body": json.dumps({"detail-type": "SessionCompleted", "detail": {**detail, "eventId": str(uuid4())}}),
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:GrowthEventsQueue",
        }
        for number in range(3)
    ]
    for _ in range(2):
        answer = stack.http.post("/_dev/invoke/growth_events", json={"Records": records}).json()
        assert answer == {"result": {"batchItemFailures": []}}
    assert told(database, mentee) == ["first_session"]
