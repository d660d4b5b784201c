"""When what the API stands on is away: 503 with Retry-After, and back without a restart."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests.support.stack import Stack, wait_until
from tests.support.story import at, book, next_weekday, published_coach


def child(stack: Stack, name: str) -> int:
    """The process id of a part of the stack, by the name of its program."""
    assert stack.process is not None
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            if fields["Name"] == name and int(fields["PPid"]) == stack.process.pid:
                return int(fields["Pid"])
    raise AssertionError(f"the stack has no {name}")


@contextlib.contextmanager
def database_away(stack: Stack) -> Iterator[None]:
    """The stack's database refuses connections and drops those it has, as when the server restarts."""
    with stack.database() as own:
        row = own.execute("select current_database() as name").fetchone()
    assert row is not None
    name = row["name"]
    with psycopg.connect(os.environ["COACHLINE_TEST_SERVER"], autocommit=True) as server:
        server.execute(f"alter database {name} with allow_connections false")
        server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        try:
            yield
        finally:
            server.execute(f"alter database {name} with allow_connections true")


def test_without_the_database_the_api_says_so_and_recovers_by_itself(stack: Stack) -> None:
    coach, mentee = published_coach(stack), stack.user()
    start = at(next_weekday(), "10:00")
    with database_away(stack):
        for answer in (mentee.get("/api/user"), book(mentee, coach, start), stack.http.get("/api/health?deep=1")):
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.headers["content-type"] == "application/problem+json"
        assert stack.http.get("/api/health").status_code == 200
    wait_until(lambda: mentee.get("/api/user").status_code == 200, seconds=40, what="recovery")
    assert book(mentee, coach, start).status_code == 201


def test_a_postgrest_that_hangs_is_given_up_on(stack: Stack) -> None:
    mentee, pid = stack.user(), child(stack, "postgrest")
    os.kill(pid, signal.SIGSTOP)
    try:
        answer = mentee.get("/api/user")
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: mentee.get("/api/user").status_code == 200, seconds=30, what="recovery")
