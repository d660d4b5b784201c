"""Random lives of sessions over the whole stack; after every step, what must always hold.

STATEFUL_EXAMPLES lives (2 in the ordinary run, `make test-stateful` for more) of STATEFUL_STEPS steps each.
"""

import os
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.support.sessions import broken_histories, overlaps
from tests.support.stack import SignedIn, Stack
from tests.support.story import SCHEDULE, WEEKDAYS, book, iso, published_coach

EXAMPLES = int(os.environ.get("STATEFUL_EXAMPLES", "2"))
STEPS = int(os.environ.get("STATEFUL_STEPS", "25"))
JOBS = ("expire_holds", "advance_sessions", "send_reminders", "roll_up_metrics")
PEOPLE, SESSION, DAYS = st.integers(0, 3), st.integers(0, 50), st.integers(0, 5)
QUARTERS, LENGTHS = st.integers(0, 47).map(lambda n: n * 15), st.sampled_from([30, 60, 120])
BUFFERS = st.sampled_from([0, 15, 30])
# What a coach does elsewhere in the time of a session, buffers included, at the moment when it is booked or moved.
BUSY = """
    select s.id from session s join private.calendly_busy b on b.coach_id = s.coach_id
      and b.starts_at < s.ends_at + make_interval(mins => s.buffer_after)
      and b.ends_at > s.starts_at - make_interval(mins => s.buffer_before)
    where s.id = %s and s.status = 'SCHEDULED'"""
FINAL = {"COMPLETED", "CANCELLED", "NO_SHOW", "EXPIRED"}


class Lives(RuleBasedStateMachine):
    """Two coaches who also learn, two mentees, an admin; a clock that only goes forward."""

    stack: ClassVar[Stack]
    people: ClassVar[list[SignedIn]]
    admin: ClassVar[SignedIn]
    now: ClassVar[datetime]

    def __init__(self) -> None:
        super().__init__()
        type(self).now = self.now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=7)
        self.stack.clock(iso(self.now))
        self.booked: dict[str, dict[str, Any]] = {}
        self.reviewed: set[str] = set()

    def session(self, index: int) -> dict[str, Any] | None:
        return list(self.booked.values())[index % len(self.booked)] if self.booked else None

    def at(self, day: int, minutes: int) -> datetime:
        return self.now.replace(hour=0, minute=0) + timedelta(days=day, minutes=480 + minutes)

    def taken(self, answer: Any) -> None:
        """Whatever was asked is answered, never with a failure; and the terms are those of the booking."""
        assert answer.status_code in {200, 201, 403, 404, 409, 422}, answer.text
        if answer.status_code not in (200, 201):
            return
        after = answer.json()["data"]
        before = self.booked.get(after["id"])
        if before:
            assert after["version"] > before["version"]
            assert after["rateAtBooking"] == before["rateAtBooking"]
            if after["durationMinutes"] == before["durationMinutes"]:
                assert after["price"] == before["price"]
        self.booked[after["id"]] = after
        with self.stack.database() as database:
            assert database.execute(BUSY, [after["id"]]).fetchall() == []

    @rule(mentee=PEOPLE, coach=st.integers(0, 1), day=DAYS, minutes=QUARTERS, length=LENGTHS)
    def book(self, mentee: int, coach: int, day: int, minutes: int, length: int) -> None:
        self.taken(book(self.people[mentee], self.people[coach], self.at(day, minutes), length))

    @rule(index=SESSION, who=PEOPLE, day=DAYS, minutes=QUARTERS, length=LENGTHS | st.none())
    def move(self, index: int, who: int, day: int, minutes: int, length: int | None) -> None:
        if session := self.session(index):
            body = {"start": iso(self.at(day, minutes)), "duration": length, "version": session["version"]}
            self.taken(self.people[who].post(f"/api/sessions/{session['id']}/reschedule", body))

    @rule(index=SESSION, who=PEOPLE, change=st.sampled_from(["cancel", "complete", "no-show"]))
    def end(self, index: int, who: int, change: str) -> None:
        if session := self.session(index):
            self.taken(self.people[who].post(f"/api/sessions/{session['id']}/{change}", {}))

    @rule(index=SESSION, who=PEOPLE, rating=st.integers(1, 5))
    def review(self, index: int, who: int, rating: int) -> None:
        if session := self.session(index):
            answer = self.people[who].post(f"/api/sessions/{session['id']}/review", {"rating": rating})
            mine = session["menteeId"] == self.people[who].user_id and session["id"] not in self.reviewed
            assert (answer.status_code == 201) == (mine and session["status"] == "COMPLETED"), answer.text
            self.reviewed |= {session["id"]} if answer.status_code == 201 else set()

    @rule(hidden=st.booleans(), coach=st.integers(0, 1))
    def moderate(self, hidden: bool, coach: int) -> None:
        with self.stack.database() as database:
            query = "select id::text, version from review where coach_id = %s order by random() limit 1"
            found = database.execute(query, [self.people[coach].user_id]).fetchone()
        if found:
            path = f"/api/coach/{self.people[coach].user_id}/reviews/{found['id']}"
            body = {"status": "HIDDEN" if hidden else "PUBLISHED", "reason": "x", "version": found["version"]}
            assert self.admin.patch(path, body).status_code == 200

    @rule(coach=st.integers(0, 1), day=DAYS, minutes=QUARTERS, length=st.integers(5, 300))
    def becomes_busy(self, coach: int, day: int, minutes: int, length: int) -> None:
        """As an import of Calendly's busy time: over a session that is booked already, too."""
        start, person = self.at(day, minutes), self.people[coach].user_id
        with self.stack.database() as database, database.transaction():
            values = [person, start, start + timedelta(minutes=length)]
            database.execute("insert into private.calendly_busy values (%s, %s, %s) on conflict do nothing", values)
            database.execute("select private.bump_availability_of(%s)", [person])

    @rule(coach=st.integers(0, 1))
    def is_free_again(self, coach: int) -> None:
        with self.stack.database() as database, database.transaction():
            person = [self.people[coach].user_id]
            database.execute("delete from private.calendly_busy where coach_id = %s", person)
            database.execute("select private.bump_availability_of(%s)", person)

    @rule(coach=st.integers(0, 1), which=st.integers(0, 1))
    def swap_default(self, coach: int, which: int) -> None:
        who = self.people[coach]
        schedule = who.get("/api/coaching/availability").json()["data"][which]
        answer = who.post(f"/api/coaching/availability/{schedule['id']}/default?force=true")
        assert answer.status_code == 200, answer.text
        defaults = [each["id"] for each in who.get("/api/coaching/availability").json()["data"] if each["isDefault"]]
        assert defaults == [schedule["id"]]

    @rule(
        coach=st.integers(0, 1),
        which=st.integers(0, 1),
        first=st.integers(6, 12),
        hours=st.integers(2, 11),
        buffer=BUFFERS,
    )
    def edit(self, coach: int, which: int, first: int, hours: int, buffer: int) -> None:
        who = self.people[coach]
        schedule = who.get("/api/coaching/availability").json()["data"][which]
        interval = {"from": f"{first:02}:00", "to": f"{first + hours:02}:00"}
        weekly = [{"day": day, "intervals": [interval]} for day in WEEKDAYS]
        patch = {"weekly": weekly, "bufferBefore": buffer, "bufferAfter": buffer, "version": schedule["version"]}
        answer = who.patch(f"/api/coaching/availability/{schedule['id']}?force=true", patch)
        assert answer.status_code in {200, 409}, answer.text

    @rule(minutes=st.sampled_from([5, 30, 60, 240, 1440]))
    def time_passes(self, minutes: int) -> None:
        type(self).now = self.now + timedelta(minutes=minutes)
        self.stack.clock(iso(self.now))

    @rule()
    def jobs_run(self) -> None:
        for job in JOBS:
            answer = self.stack.http.post(f"/_dev/invoke/{job}", json={"time": iso(self.now)}).json()
            assert answer.get("result", {}).get("failed", 0) == 0, answer
            assert "result" in answer, answer
        for session in list(self.booked.values()):
            self.see(session)

    def see(self, before: dict[str, Any]) -> None:
        after = self.admin.get(f"/api/sessions/{before['id']}").json()["data"]
        assert (after["price"], after["rateAtBooking"]) == (before["price"], before["rateAtBooking"])
        assert before["status"] not in FINAL or after == before
        over = datetime.fromisoformat(after["end"]) + timedelta(minutes=30) <= self.now
        assert not over or after["status"] in FINAL
        self.booked[after["id"]] = after

    @invariant()
    def nothing_is_broken(self) -> None:
        with self.stack.database() as database:
            assert overlaps(database) == []
            assert broken_histories(database, list(self.booked)) == []
            assert database.execute("select * from private.metric_drift()").fetchall() == []


@pytest.fixture
def lives(frozen: Stack) -> type[Lives]:
    always = [{"day": name, "intervals": [{"from": "08:00", "to": "20:00"}]} for name in WEEKDAYS]
    schedule = {**SCHEDULE, "timezone": "UTC", "weekly": always, "minimumNotice": 60, "maxSessionsPerDay": 4}
    coaches = [published_coach(frozen, schedule=schedule) for _ in range(2)]
    for coach in coaches:
        evenings = {**schedule, "name": "Evenings", "isDefault": False, "bufferBefore": 0, "bufferAfter": 0}
        assert coach.post("/api/coaching/availability", evenings).status_code == 201
    with frozen.database() as database:
        for coach in coaches:
            database.execute("insert into user_role (user_id, role) values (%s, 'MENTEE')", [coach.user_id])
    Lives.stack, Lives.people = frozen, [*coaches, frozen.user(), frozen.user()]
    Lives.admin, Lives.now = frozen.user("ADMIN"), datetime.now(UTC)
    return Lives


def test_whatever_happens_to_sessions_nothing_that_must_hold_breaks(lives: type[Lives]) -> None:
    run_state_machine_as_test(
        lives,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=EXAMPLES == 2,
            # The world goes on, so a failing life cannot be lived again: it is told as it was.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
