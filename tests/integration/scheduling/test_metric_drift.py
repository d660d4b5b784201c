"""The kept figures equal a full recount, whatever happens to sessions and reviews, in any order and all at once."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from psycopg.rows import dict_row

from tests.support.metrics import drift, figures, roll_up
from tests.support.stack import SignedIn, Stack
from tests.support.story import published_coach

EXAMPLES = int(os.environ.get("DRIFT_EXAMPLES", "6"))
STEPS = int(os.environ.get("DRIFT_STEPS", "25"))
THREADS, MOVES = 8, 30
TYPES = ["COACHING", "INTRODUCTION", "FOLLOW_UP"]
STATUSES = ["SCHEDULED", "IN_PROGRESS", "COMPLETED", "CANCELLED", "NO_SHOW", "EXPIRED"]
ACTORS = ["MENTEE", "COACH", "ADMIN", "SYSTEM"]
FIRST = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
INSERT = """
    insert into session (
      coach_id, mentee_id, type, status, starts_at, ends_at, duration_minutes, buffer_before, buffer_after, blocked,
      coach_timezone, mentee_timezone, rate_amount, price_amount, fee_amount, fee_bps, currency, hold_expires_at)
    values (
      %(coach)s, %(mentee)s, %(type)s, %(status)s, %(start)s, %(start)s + make_interval(mins => %(minutes)s),
      %(minutes)s, 0, 0,
      tstzrange(%(start)s, %(start)s + make_interval(mins => %(minutes)s)), 'UTC', 'UTC', 0, 0, 0, 0, 'USD', now())
    returning id"""
TOLD = "insert into private.meeting (session_id) values (%(id)s) on conflict (session_id) do nothing"
NOTED = "select private.note_instance(%(id)s, %(id)s::text || %(uuid)s::text, %(begun)s, %(ended)s)"
RESCHEDULE = """
    update session set starts_at = %(start)s, ends_at = %(start)s + make_interval(mins => %(minutes)s),
      duration_minutes = %(minutes)s, blocked = tstzrange(%(start)s, %(start)s + make_interval(mins => %(minutes)s))
    where id = %(id)s"""
REFUSED = (psycopg.errors.ExclusionViolation, psycopg.errors.UniqueViolation, psycopg.errors.RaiseException)


class Diary:
    """One connection that does to sessions what functions of the database do, and takes a refusal for an answer."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, row_factory=dict_row, autocommit=True)

    def close(self) -> None:
        self._connection.close()

    def run(self, statement: str, values: Any = ()) -> list[dict[str, Any]]:
        try:
            cursor = self._connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []
        except REFUSED:
            return []
        except psycopg.Error as error:
            if str(error.sqlstate).startswith("PT"):
                return []
            raise

    def move(self, session_id: Any, status: str, actor: str, early: bool = False) -> None:
        """At a time at which the machine lets somebody do that; a cancellation 30 hours before the start, or 2."""
        hours = {"CANCELLED": -30 if early else -2, "COMPLETED": 24, "NO_SHOW": 24}.get(status, 0)
        self.run(
            """select private.move_session(id, %(status)s::session_status, %(actor)s, null, null,
                 at => starts_at + %(after)s,
                 no_show_by => case when %(status)s::text = 'NO_SHOW' then 'MENTEE'::session_actor end)
               from session where id = %(id)s""",
            {
                "status": status,
                "actor": actor if status == "CANCELLED" else "SYSTEM",
                "after": timedelta(hours=hours),
                "id": session_id,
            },
        )

    def review(self, session_id: Any, rating: int) -> list[dict[str, Any]]:
        return self.run(
            """insert into review (session_id, coach_id, mentee_id, rating)
               select id, coach_id, mentee_id, %s from session where id = %s and status = 'COMPLETED' returning id""",
            [rating, session_id],
        )


slots_of_time = st.integers(0, 24 * 5).map(lambda hours: FIRST + timedelta(hours=hours))
minutes = st.sampled_from([15, 60, 90])


def machine(stack: Stack, diary: Diary) -> type[RuleBasedStateMachine]:
    class Histories(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.sessions: list[Any] = []
            self.reviews: list[Any] = []

        def one(self, data: st.DataObject, of: list[Any]) -> Any:
            return data.draw(st.sampled_from(of)) if of else None

        @initialize()
        def begin(self) -> None:
            self.people = make_people(stack)

        @rule(
            coach=st.sampled_from(["one", "two"]),
            mentee=st.sampled_from(["three", "four"]),
            start=slots_of_time,
            length=minutes,
            kind=st.fixed_dictionaries(
                {"status": st.sampled_from(["PENDING_PAYMENT", "SCHEDULED"]), "type": st.sampled_from(TYPES)}
            ),
        )
        def book(self, coach: str, mentee: str, start: datetime, length: int, kind: dict[str, str]) -> None:
            who = {"coach": self.people[coach].user_id, "mentee": self.people[mentee].user_id}
            made = diary.run(INSERT, {**who, **kind, "start": start, "minutes": length})
            self.sessions += [row["id"] for row in made]

        @rule(data=st.data(), status=st.sampled_from(STATUSES), actor=st.sampled_from(ACTORS), early=st.booleans())
        def move(self, data: st.DataObject, status: str, actor: str, early: bool) -> None:
            diary.move(self.one(data, self.sessions), status, actor, early)

        @rule(data=st.data(), start=slots_of_time, length=minutes)
        def reschedule(self, data: st.DataObject, start: datetime, length: int) -> None:
            diary.run(RESCHEDULE, {"start": start, "minutes": length, "id": self.one(data, self.sessions)})

        @rule(data=st.data(), uuid=st.sampled_from("xy"), begun=st.none() | slots_of_time, length=st.none() | minutes)
        def zoom_tells(self, data: st.DataObject, uuid: str, begun: datetime | None, length: int | None) -> None:
            told = self.one(data, self.sessions)
            if told is not None:
                ended = (begun or FIRST) + timedelta(minutes=length) if length else None
                diary.run(TOLD, {"id": told})
                diary.run(NOTED, {"id": told, "uuid": uuid, "begun": begun, "ended": ended})

        @rule(data=st.data(), rating=st.integers(1, 5))
        def review(self, data: st.DataObject, rating: int) -> None:
            self.reviews += [row["id"] for row in diary.review(self.one(data, self.sessions), rating)]

        @rule(data=st.data(), status=st.sampled_from(["HIDDEN", "PUBLISHED"]))
        def moderate(self, data: st.DataObject, status: str) -> None:
            diary.run("update review set status = %s where id = %s", [status, self.one(data, self.reviews)])

        @rule(data=st.data())
        def forget(self, data: st.DataObject) -> None:
            gone = self.one(data, self.reviews)
            diary.run("delete from review where id = %s", [gone])

        @rule()
        def fold(self) -> None:
            diary.run("""select set_config('request.jwt.claims', '{"role": "service_role"}', false)""")
            diary.run("select public.roll_up_metrics(3)")

        @invariant()
        def nothing_drifts(self) -> None:
            assert drift(stack) == []

        def teardown(self) -> None:
            for name, column in (("one", "coach_id"), ("three", "mentee_id")):
                who, role = self.people[name], column.removesuffix("_id").upper()
                answer = who.get("/api/sessions/metrics", params={"role": role}).json()["data"]
                counted = figures(stack, column, who.user_id, datetime.now(UTC))
                assert {key: answer[key] for key in counted} == counted

    return Histories


def make_people(stack: Stack) -> dict[str, SignedIn]:
    coaches = {name: published_coach(stack) for name in ("one", "two")}
    return {**coaches, "three": stack.user(), "four": stack.user()}


def test_no_history_makes_the_figures_drift(stack: Stack) -> None:
    diary = Diary(stack.info["databaseUrl"])
    try:
        run_state_machine_as_test(
            machine(stack, diary),
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        diary.close()


def test_changes_at_once_neither_drift_nor_lock_each_other_out(stack: Stack) -> None:
    """Sessions of the same two coaches in both orders, while the job runs: a deadlock would raise here."""
    people = make_people(stack)

    def work(number: int) -> None:
        diary = Diary(stack.info["databaseUrl"])
        coaches = ["one", "two"] if number % 2 else ["two", "one"]
        try:
            for step in range(MOVES):
                start = FIRST + timedelta(hours=number * 200 + step * 2)
                for coach in coaches:
                    who = {"coach": people[coach].user_id, "mentee": people["three"].user_id}
                    start += timedelta(hours=1)
                    kind = {"status": "SCHEDULED", "type": TYPES[step % 3]}
                    for row in diary.run(INSERT, {**who, "start": start, "minutes": 60, **kind}):
                        diary.run(TOLD, row)
                        noted = {"uuid": "x", "begun": start, "ended": start + timedelta(minutes=50)}
                        diary.run(NOTED, {**row, **noted})
                        diary.move(row["id"], STATUSES[2 + step % 3], ACTORS[step % 4])
                        diary.review(row["id"], 1 + step % 5)
                if step % 10 == number:
                    roll_up(stack)
        finally:
            diary.close()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    assert drift(stack) == []
    roll_up(stack)
    assert drift(stack) == []
    assert people["one"].get("/api/sessions/metrics").json()["data"]["total"] == THREADS * MOVES


def test_a_length_that_is_told_while_its_session_is_completed_counts_once(stack: Stack) -> None:
    people, hour = make_people(stack), timedelta(hours=1)
    who = {"coach": people["one"].user_id, "mentee": people["three"].user_id, "type": "COACHING", "minutes": 60}
    one, other = (Diary(stack.info["databaseUrl"]) for _ in range(2))
    sessions = [
        row["id"]
        for number in range(20)
        for row in one.run(INSERT, {**who, "start": FIRST + 2 * number * hour, "status": "SCHEDULED"})
    ]
    with ThreadPoolExecutor(2) as pool:
        for session_id in sessions:
            one.run(TOLD, {"id": session_id})
            told = {"id": session_id, "uuid": "x", "begun": FIRST, "ended": FIRST + hour / 2}
            completed = pool.submit(one.move, session_id, "COMPLETED", "SYSTEM")
            pool.submit(other.run, NOTED, told).result()
            completed.result()
    one.close()
    other.close()
    assert drift(stack) == []
    found = people["one"].get("/api/sessions/metrics").json()["data"]
    assert (found["completed"], found["averageActualDuration"]) == (20, 30)
