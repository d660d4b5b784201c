"""Slots and directory at scale: p50 and p95 at the API, one database round trip each, and what their statements do.

`make bench-scale`, SCALE_COACHES (5000), SCALE_SESSIONS (1000000). Fails when a p95 passes 50 ms, a read takes more
than one trip, or a job of every minute 5 s. A stack of its own; how far the data is, is told while it is made. With
SCALE_DIR it is made in that folder once and found there again, so that figures can be taken when the machine is quiet.
"""

import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from tests.bench.table import machine, say, show
from tests.support.market import coach_id, fill
from tests.support.stack import Stack, running_stack

BAR_MS = 50.0
COACHES, SESSIONS = int(os.environ.get("SCALE_COACHES", "5000")), int(os.environ.get("SCALE_SESSIONS", "1000000"))
ROUNDS = int(os.environ.get("SCALE_ROUNDS", "200"))
JOBS = ("expire_holds", "advance_sessions", "send_reminders", "roll_up_metrics", "refresh_next_free")
MOST_JOB_SECONDS = 5.0
HEALTH, NEWEST = "health, deep: a page of one", "directory, newest"
FEW, MANY = 100, int(os.environ.get("SCALE_PAST", "100000"))

Call = Callable[[int], Any]
"""A request; of which number, from 0."""


def in_turns(calls: dict[str, Call], before: Callable[[], Any] = lambda: None) -> dict[str, tuple[float, float]]:
    """p50 and p95 in ms of each: every round makes every call, so that all meet the same load. A tenth warms up.

    `before` each call, and not timed.
    """
    rounds = ROUNDS
    times: dict[str, list[float]] = {title: [] for title in calls}
    for number in range(rounds + rounds // 10):
        for title, call in calls.items():
            before()
            begun = time.perf_counter()
            answer = call(number)
            times[title].append((time.perf_counter() - begun) * 1000)
            assert answer.status_code == 200, answer.text
    kept = {title: sorted(each[rounds // 10 :]) for title, each in times.items()}
    return {title: (statistics.median(each), each[int(0.95 * len(each))]) for title, each in kept.items()}


def round_trips(stack: Stack, call: Call) -> int:
    assert stack.directory is not None
    log = stack.directory / "logs" / "postgrest.log"

    def count() -> int:
        # Not what jobs and consumers ask, who are the service.
        return sum(f" - {role} " in line for line in log.read_text().splitlines() for role in ("anon", "authenticated"))

    time.sleep(1)  # the log comes after the answer
    before = count()
    call(0)
    time.sleep(1)
    return count() - before


def explain(database: psycopg.Connection[Any], title: str, statement: str) -> None:
    say(f"\n### {title}\n")
    for row in database.execute(f"explain (analyze, buffers, costs off) {statement}".encode()):
        say("    " + next(iter(row.values())))


def requests(stack: Stack) -> dict[str, Call]:
    mentee, now = stack.user(), datetime.now(UTC)
    week = {"from": f"{now:%Y-%m-%dT00:00:00Z}", "to": f"{now + timedelta(days=7):%Y-%m-%dT00:00:00Z}"}

    def directory(**query: Any) -> Call:
        return lambda _: stack.http.get("/api/coach", params={"limit": 25, **query})

    def slots(coach: Callable[[int], int]) -> Call:
        return lambda number: mentee.get("/api/coaching/slots", params={"coachId": coach_id(coach(number)), **week})

    return {
        HEALTH: lambda _: stack.http.get("/api/health", params={"deep": 1}),
        "slots, a week": slots(lambda number: 3 + number * 37 % (COACHES - 2)),
        f"slots, {FEW:,} past sessions": slots(lambda _: 1),
        f"slots, {MANY:,} past sessions": slots(lambda _: 2),
        NEWEST: directory(),
        "by rating": directory(sort="rating"),
        "by price, in USD": directory(sort="price", currency="USD", minPrice=9000, maxPrice=20000),
        "by next free slot": directory(sort="nextFree"),
        "search, specialty, language": directory(search="luxury plan", specialty="Listings", language="es"),
    }


CHANGE = """
    update private.coach_listing set changes = changes + 1 where coach_id in (
      select l.coach_id from private.coach_listing l where l.listed
      order by l.created_at desc, l.coach_id desc limit 25)"""


def grow_past(stack: Stack) -> None:
    """One coach has few sessions behind him, another many; nothing else differs."""
    with stack.database() as database:
        database.execute("alter table session disable trigger user")
        for number, wanted in ((1, FEW), (2, MANY)):
            database.execute(
                """insert into session (coach_id, mentee_id, status, starts_at, ends_at, duration_minutes,
                     buffer_before, buffer_after, blocked, coach_timezone, mentee_timezone, rate_amount,
                     price_amount, fee_amount, fee_bps, currency)
                   select %(coach)s, (select id from user_account where clerk_id = 'bench_mentee1'), 'COMPLETED', t.at,
                     t.at + interval '15 minutes', 15, 0, 0, tstzrange(t.at, t.at + interval '15 minutes'),
                     'UTC', 'UTC', 0, 0, 0, 0, 'USD'
                   from generate_series(1, %(wanted)s) n,
                     lateral (select now() - make_interval(days => 3, mins => 20 * n) as at) t""",
                {"coach": coach_id(number), "wanted": wanted},
            )
        database.execute("alter table session enable trigger user")
        database.execute("analyze session")


def main() -> int:
    with contextlib.ExitStack() as until_the_end:
        name = os.environ.get("SCALE_DIR") or until_the_end.enter_context(
            tempfile.TemporaryDirectory(prefix="coachline-scale-")
        )
        Path(name).mkdir(exist_ok=True)
        Path(name).chmod(0o755)
        stack = until_the_end.enter_context(running_stack(Path(name), {"DEVSTACK_DEMO_DATA": "0"}))
        return measure(stack)


def measure(stack: Stack) -> int:
    prepare(stack)
    calls, changed = requests(stack), "directory, all 25 changed just now"
    since = machine()
    results = in_turns(calls)
    trips = {title: round_trips(stack, call) for title, call in calls.items()}
    with stack.database() as database:
        results |= in_turns({changed: calls[NEWEST]}, lambda: database.execute(CHANGE))
    trips[changed] = round_trips(stack, calls[NEWEST])
    # What any request with one trip costs here: beside it a figure can be judged on a busy machine, too.
    floor = results[HEALTH][0]
    rows = [
        [title, f"{p50:.1f}", f"{p95:.1f}", f"{p50 / floor:.2f}", str(trips[title])]
        for title, (p50, p95) in results.items()
    ]
    show(["GET", "p50 ms", "p95 ms", "p50 to health's", "round trips"], rows)
    say(f"\nbefore: {since}\nafter: {machine()}\n")
    seconds = {job: duration(stack, job) for job in JOBS}
    show(["job, with nothing or little to do", "seconds"], [[job, f"{each:.2f}"] for job, each in seconds.items()])
    explained(stack)
    slow = max(p95 for _, p95 in results.values()) > BAR_MS or max(seconds.values()) > MOST_JOB_SECONDS
    return int(slow or max(trips.values()) > 1)


def duration(stack: Stack, job: str) -> float:
    """Seconds of a run of a job at this moment, the median of three."""
    taken = []
    for _ in range(3):
        event = {"time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "detail": {}}
        begun = time.perf_counter()
        answer = stack.http.post(f"/_dev/invoke/{job}", json=event, timeout=60).json()
        taken.append(time.perf_counter() - begun)
        assert "result" in answer, answer
    return statistics.median(taken)


def prepare(stack: Stack) -> None:
    """Fill the market and say how far it is; compute the next free slots; give two coaches their pasts."""
    begun = time.perf_counter()

    def told(what: str | None) -> None:
        say(f"{time.perf_counter() - begun:4.0f} s  {what}")

    def progress(notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized == "NOTICE":  # ANALYZE warns of every table that is not ours
            told(notice.message_primary)

    with stack.database() as database:
        database.add_notice_handler(progress)
        there = database.execute("select from user_account where id = %s", [coach_id(1)]).fetchone() is not None
        if not there:
            fill(database, COACHES, SESSIONS)
        counted = database.execute(
            "select (select count(*) from session) as s, (select count(*) from review) as r"
        ).fetchone()
    assert counted is not None
    told(f"{COACHES} coaches, {counted['s']} sessions, {counted['r']} reviews")
    event = {"time": "2027-03-01T09:15:00Z", "detail": {}}
    answer = stack.http.post("/_dev/invoke/refresh_next_free", json=event, timeout=300).json()
    told(f"next free slots: {answer}")
    if not there:
        grow_past(stack)
    told(f"two coaches have {FEW:,} and {MANY:,} more sessions behind them\n")


def explained(stack: Stack) -> None:
    with stack.database() as database:
        for number, past in ((1, FEW), (2, MANY)):
            explain(
                database,
                f"What blocks a coach with {past} more sessions behind him",
                f"""select lower(s.blocked), upper(s.blocked) from session s
                    where s.coach_id = '{coach_id(number)}'
                    and s.blocked && tstzrange(now() - interval '3 hours', now() + interval '7 days 7 hours')
                    and s.status in ('PENDING_PAYMENT', 'SCHEDULED', 'IN_PROGRESS')""",  # noqa: S608 - an id of our own
            )
        explain(
            database,
            "The page of the newest",
            """select l.coach_id, l.created_at from private.coach_listing l where l.listed
               order by l.created_at desc, l.coach_id desc limit 26""",
        )
        explain(
            database,
            "A page by next free slot, from a cursor",
            """select l.coach_id from private.coach_listing l where l.listed
               and (l.next_free_at, l.coach_id) > (now() + interval '1 day', '00000000-0000-0000-0000-000000000000')
               order by l.next_free_at, l.coach_id limit 26""",
        )
        explain(
            database,
            "A page that a search and a specialty find",
            """select l.coach_id from private.coach_listing l where l.listed and l.specialties @> '{listings}'
               and l.search @@ private.words_to_find('luxury plan')
               order by l.created_at desc, l.coach_id desc limit 26""",
        )
        explain(database, "The directory's whole answer", "select public.list_coaches()")


if __name__ == "__main__":
    sys.exit(main())
