"""A stack of its own whose parts can be killed, a storm of bookings to kill them in, and what must hold afterwards."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from tests.integration.scheduling.test_races import live_overlaps
from tests.support.stack import SignedIn, Stack, launched, stopped, wait_until
from tests.support.story import at, iso, next_weekday, published_coach

RECOVERY_SECONDS = 30
# How a part is found among the processes of the stack: by its parent and by what its command line holds.
PARTS = {
    "postgres": ("supervisor", "bin/postgres"),
    "backend": ("postgres", "authenticator"),
    "postgrest": ("supervisor", "/postgrest"),
    "aws": ("supervisor", "moto_server.py"),
    "functions": ("supervisor", "runtime.py"),
    "worker": ("functions", "functions/api/sessions"),
}
WITH_A_LINE = ("postgres", "postgrest", "aws", "functions")  # whose death the console tells


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    text: str  # command line and working directory
    environment: bytes


def processes() -> Iterator[Process]:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            text = (entry / "cmdline").read_text().replace("\0", " ") + os.readlink(entry / "cwd")
            if state not in "ZX":
                yield Process(int(entry.name), int(parent), text, (entry / "environ").read_bytes())
        except OSError:
            continue


class OwnStack:
    """Started in a folder, killed, and started there again on the same port."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.directory = directory
        self._environment = {"DEVSTACK_DEMO_DATA": "0", **environment}
        self.log = directory / "stack.log"
        self.stack: Stack
        self.port: int | None = None

    def start(self) -> None:
        self.stack = launched(self.directory, self._environment, port=self.port)
        self.port = int(self.stack.base_url.rpartition(":")[2])

    def stop(self) -> None:
        """Stop it, which it must do cleanly, and without leaving a process behind."""
        stopped(self.stack)
        self.assert_nothing_left()

    def pids(self, part: str) -> list[int]:
        """The processes of a part; none while it is away."""
        assert self.stack.process is not None
        if part == "supervisor":
            return [self.stack.process.pid]
        parent, mark = PARTS[part]
        parents = self.pids(parent)
        return [each.pid for each in processes() if each.parent in parents and mark in each.text]

    def kill(self, part: str) -> None:
        """kill -9 of one process of a part, and wait until it is gone."""
        (pid, *_) = wait_until(lambda: self.pids(part), what=f"a process of {part}")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: pid not in {each.pid for each in processes()}, what=f"the end of {part}")

    def assert_nothing_left(self) -> None:
        folder = str(self.directory)

        def left() -> list[str]:
            return [each.text for each in processes() if folder in each.text or folder.encode() in each.environment]

        wait_until(lambda: not left(), seconds=5, what="the end of every process of the stack")


@dataclass
class Attempt:
    """One booking with its Idempotency-Key, and every answer that its client saw."""

    mentee: SignedIn
    coach: SignedIn
    start: str
    key: str = field(default_factory=lambda: uuid4().hex)
    answers: list[httpx.Response] = field(default_factory=list)

    @property
    def settled(self) -> bool:
        return any(each.status_code < 500 and "in_progress" not in each.text for each in self.answers)

    @property
    def sessions(self) -> set[str]:
        return {each.json()["data"]["id"] for each in self.answers if each.status_code == 201}


class People:
    """Three coaches who sell half hours, and mentees."""

    def __init__(self, stack: Stack, mentees: int = 24) -> None:
        hours = {"bufferBefore": 0, "bufferAfter": 0, "slotInterval": 30}
        self.coaches = [published_coach(stack, schedule=hours) for _ in range(3)]
        self.mentees = [stack.user() for _ in range(mentees)]

    def attempts(self, day: date) -> list[Attempt]:
        """45 bookings for 30 half hours of a day."""
        first, mentees = at(day, "09:00"), len(self.mentees)
        return [
            Attempt(self.mentees[n % mentees], self.coaches[n % 3], iso(first + timedelta(minutes=30 * (n // 3 % 10))))
            for n in range(45)
        ]


def send(stack: Stack, attempts: Sequence[Attempt], *, kill: Callable[[], None] | None = None, after: int = 0) -> None:
    """Send them all at once; `kill` is called once `after` of them are answered. A broken connection is no answer."""
    counted = 0

    async def one(client: httpx.AsyncClient, attempt: Attempt) -> None:
        nonlocal counted
        body = {"coachId": attempt.coach.user_id, "start": attempt.start, "duration": 30}
        headers = {"Authorization": f"Bearer {attempt.mentee.token}", "Idempotency-Key": attempt.key}
        try:
            attempt.answers.append(await client.post("/api/sessions", json=body, headers=headers))
        except httpx.ReadTimeout:
            raise AssertionError("a request hung") from None
        except httpx.TransportError:
            return
        counted += 1
        if kill and counted == after:
            await asyncio.to_thread(kill)

    async def every() -> None:
        limits = httpx.Limits(max_connections=len(attempts))
        async with httpx.AsyncClient(base_url=stack.base_url, timeout=35, limits=limits) as client:
            await asyncio.gather(*(one(client, attempt) for attempt in attempts))

    asyncio.run(every())


class Round:
    """One part killed in one storm, on a day of its own."""

    def __init__(self, own: OwnStack, people: People, number: int) -> None:
        self.own, self.people = own, people
        self.day = next_weekday(number % 5, weeks=1 + number // 5)
        self.attempts = people.attempts(self.day)

    def run(self, part: str, after: int) -> None:
        own, stack = self.own, self.own.stack
        stack.http.get("/_dev/events").raise_for_status()  # so that the stack itself has them
        before, said = self._rows("select max(sequence) as n from private.outbox_event")[0]["n"] or 0, self._said(part)
        users = [stack.http.post("/_sim/clerk/v1/users", json={}).json()["id"] for _ in range(3)]
        send(stack, self.attempts, kill=lambda: own.kill(part), after=after)
        if part == "supervisor":
            own.assert_nothing_left()
            own.start()
        self._recover()
        if part in WITH_A_LINE:
            wait_until(lambda: self._said(part) == said + 2, seconds=RECOVERY_SECONDS, what=f"the return of {part}")
        self._check_sessions(part)
        self._check_users(users)
        self._check_events(before, exact=part not in {"aws", "supervisor"})

    def _said(self, part: str) -> int:
        return sum(f" {part}: " in line and ("died" in line or "back" in line) for line in self._log())

    def _log(self) -> list[str]:
        return self.own.log.read_text(errors="replace").splitlines()

    def _recover(self) -> None:
        """Everybody tries again with his key until he is answered; nobody starts anything."""

        def settled() -> bool:
            send(self.own.stack, [each for each in self.attempts if not each.settled])
            return all(each.settled for each in self.attempts)

        wait_until(settled, seconds=RECOVERY_SECONDS, what="an answer for every booking")
        send(self.own.stack, [each for each in self.attempts if each.sessions])  # and again, to be answered the same

    def _check_sessions(self, part: str) -> None:
        answers = Counter(each.status_code for attempt in self.attempts for each in attempt.answers)
        crashed = {500} if part == "worker" else set()  # what API Gateway answers for a function that crashed
        assert set(answers) <= {201, 409, 503} | crashed, answers
        told = [attempt.sessions for attempt in self.attempts]
        assert all(len(ids) <= 1 for ids in told), "one key, two sessions"
        ids = [session for sessions in told for session in sessions]
        stored = self._rows(
            """select s.id::text, k.key from session s
               left join private.idempotency_key k on k.status = 201 and k.body ->> 'id' = s.id::text
               where s.coach_id = any(%s::uuid[]) and s.starts_at::date = %s""",
            [each.user_id for each in self.people.coaches],
            self.day,
        )
        assert len(ids) == len(set(ids)) == 30
        assert {(row["id"], row["key"]) for row in stored} == {
            (session, attempt.key) for attempt in self.attempts for session in attempt.sessions
        }
        assert len(stored) == len(ids)
        assert live_overlaps(self.own.stack) == 0

    def _check_users(self, users: list[str]) -> None:
        self.own.stack.drain()
        # As if time had passed: leases of what was killed have run out, and the sweeper finds what lost its message.
        self._rows("update private.outbox_event set claimed_until = null where published_at is null returning id")
        self._rows(
            """update private.webhook_event set received_at = received_at - interval '1 hour', leased_until = null,
               enqueued_at = enqueued_at - interval '1 hour' where handled_at is null returning id"""
        )
        self.own.stack.http.post("/_dev/invoke/inbox_sweep", json={}).raise_for_status()
        self.own.stack.drain()
        found = self._rows("select clerk_id from user_account where clerk_id = any(%s)", users)
        assert {row["clerk_id"] for row in found} == set(users)
        assert self._rows("select id from private.webhook_event where handled_at is null") == []

    def _check_events(self, before: int, *, exact: bool) -> None:
        """An event that was claimed once is on the bus once; what moto held when it was killed cannot be looked at."""
        query = "select id::text, type, attempts, published_at from private.outbox_event where sequence > %s"
        # What is claimed while a part is away is claimed again by a later run of the relay, when its lease is over.
        wait_until(
            lambda: all(row["published_at"] for row in self._rows(query, before)), seconds=60, what="publication"
        )
        rows = self._rows(query, before)
        assert sum(row["type"] == "SessionScheduled" for row in rows) == 30
        events = self.own.stack.http.get("/_dev/events").json()["events"]
        seen = Counter(event["detail"]["eventId"] for event in events)
        assert all(seen[row["id"]] <= row["attempts"] for row in rows)
        assert not exact or all(seen[row["id"]] for row in rows)

    def _rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        with self.own.stack.database() as database:
            return database.execute(query, parameters).fetchall()
