"""What a warm request costs under AWS's own runtime: `make bench-warm`.

Five routes, each less what a bare handler takes in the same run, beside the database calls that the route makes, sent
by the barest client there is. Fails when a read's median passes twice that, an API function 128 MB resident, or the
layer 100 MB.
"""

import http.client
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from tests.bench.bench_cold import BARE, handler
from tests.bench.table import machine, say, show
from tests.contract.template_file import folder, functions, group
from tests.runtime.emulator import BUILT, LAYER, Environment, python
from tests.runtime.local import Event, filled, sample, slots_event, variables
from tests.support.stack import SignedIn, Stack, running_stack
from tests.support.story import at, iso, next_weekday, published_coach

ROUNDS = int(os.environ.get("ROUNDS") or 200)
WARM_UP = 20
BAR, MOST_MB, MOST_LAYER_MB = 2.0, 128, 100
LENGTH = 60
Call = tuple[str, dict[str, Any]]


class Bare:
    """The database's functions, called over one connection with what a function of ours would send, and no more."""

    def __init__(self, stack: Stack, caller: SignedIn) -> None:
        info = stack.info
        self._connection = http.client.HTTPConnection(urlsplit(info["supabaseUrl"]).netloc)
        self._headers = {
            "apikey": info["publishableKey"],
            "content-type": "application/json",
            info["gate"]["header"]: info["gate"]["value"],
        }
        self._token = {"authorization": f"Bearer {caller.token}"}

    def __call__(self, calls: list[Call], permission: str | None) -> None:
        headers = self._headers | (self._token | {"x-coachline-permission": permission} if permission else {})
        for name, arguments in calls:
            self._connection.request("POST", f"/rest/v1/rpc/{name}", json.dumps(arguments), headers)
            response = self._connection.getresponse()
            answer = response.read()
            assert response.status == 200, answer
            assert b'"problem"' not in answer, answer


@dataclass
class Route:
    """A route: its function, its events, and the calls that each makes."""

    title: str
    function: str
    events: Iterator[Event]
    permission: str | None
    calls: Iterator[list[Call]]
    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)


def starts(weeks: int) -> Iterator[datetime]:
    """Starts that do not touch each other, buffers included: four a day, Monday to Friday."""
    first = at(next_weekday(weeks=1), "09:00")
    for day in range(weeks * 7):
        if (first + timedelta(days=day)).weekday() < 5:
            yield from (first + timedelta(days=day, minutes=120 * number) for number in range(4))


def getting(name: str, path: str, caller: SignedIn, **query: Any) -> Event:
    """A GET for a function whose sample is another request."""
    event = sample(name, caller=caller)
    event.pop("body", None)
    http_context = event["requestContext"]["http"] | {"method": "GET", "path": path}
    context = event["requestContext"] | {"http": http_context, "routeKey": f"GET {path}"}
    changed = {
        "routeKey": f"GET {path}",
        "rawPath": path,
        "rawQueryString": urlencode(query),
        "requestContext": context,
    }
    return {**event, **changed, **({"queryStringParameters": query} if query else {})}


def routes(stack: Stack, mentee: SignedIn) -> list[Route]:
    coach, other = published_coach(stack), published_coach(stack)
    with stack.database() as database:
        database.execute(
            "update private.setting set value = '{\"limit\": 100000, \"seconds\": 60}' where key like 'rate%'"
        )
        versions = database.execute("select user_id::text, availability_version v from coach_profile").fetchall()
        schedules = database.execute("select coach_id::text, id::text from availability_schedule").fetchall()
    version = {row["user_id"]: row["v"] for row in versions}[other.user_id]
    schedule = {row["coach_id"]: row["id"] for row in schedules}[other.user_id]
    slots = slots_event(mentee, coach)
    asked = slots["queryStringParameters"]
    context = {"coach_id": coach.user_id, "from_at": asked["from"], "to_at": asked["to"], "duration": LENGTH}

    def booking_events() -> Iterator[Event]:
        for start in starts(50):
            event = sample("sessions", caller=mentee, coach=coach, start=iso(start))
            event["headers"]["idempotency-key"] = uuid4().hex
            yield event

    def booking_calls() -> Iterator[list[Call]]:
        # An hour later than ours: the mentee cannot be in two sessions at once.
        for start in (each + timedelta(minutes=60) for each in starts(50)):
            decision = {"coach_id": other.user_id, "duration": LENGTH}
            until = iso(start + timedelta(microseconds=1))
            booked = {"start_at": iso(start), "schedule_id": schedule, "decided_on": version}
            yield [
                ("booking_context", {**decision, "from_at": iso(start), "to_at": until}),
                ("book_session", {**decision, **booked}),
            ]

    def reading(title: str, function: str, event: Event, permission: str | None, call: Call) -> Route:
        return Route(title, function, itertools.repeat(event), permission, itertools.repeat([call]))

    page = {"page_size": 26}
    return [
        reading("GET user", "user", getting("user", "/api/user", mentee), "user:read", ("get_me", {})),
        reading("GET coach", "coach_directory", sample("coach_directory"), None, ("list_coaches", {"page_size": 11})),
        reading("GET slots", "coaching_slots", slots, "slot:read", ("booking_context", context)),
        reading(
            "GET sessions",
            "sessions",
            getting("sessions", "/api/sessions", mentee),
            "session:read",
            ("list_sessions", page),
        ),
        Route("POST sessions", "sessions", booking_events(), "session:book", booking_calls()),
    ]


def timed(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) * 1000


def measure(stack: Stack, work: Path) -> tuple[list[Route], list[float], dict[str, float]]:
    """The routes with their figures, the bare handler's, and the resident memory of every API function."""
    built = {folder(each).name: BUILT / id_ for id_, each in functions().items() if group(each) == "api"}
    interpreter, mentee = python(), stack.user("MENTEE")
    bare, nothing, memory = Bare(stack, mentee), list[float](), dict[str, float]()
    with ExitStack() as running:

        def start(name: str, code: Path) -> Environment:
            variables_ = variables(stack, name)
            return running.enter_context(Environment(code, work / f"{name}.log", variables_, python=interpreter))

        empty = running.enter_context(Environment(handler(work / "bare", BARE), work / "log", {}, python=interpreter))
        measured = routes(stack, mentee)
        environments = {name: start(name, built[name]) for name in {route.function for route in measured}}
        for round_ in range(WARM_UP + ROUNDS):
            nothing.append(empty.invoke({}).ms)
            for route in measured:
                answer = environments[route.function].invoke(next(route.events))
                assert answer.value["statusCode"] < 300, f"{route.title}: {answer.value}"
                calls = next(route.calls)
                route.ours.append(answer.ms)
                route.bare.append(timed(lambda: bare(calls, route.permission)))  # noqa: B023 - called at once
            if round_ == WARM_UP - 1:
                nothing.clear()
                for route in measured:
                    route.ours.clear()
                    route.bare.clear()
        for name, code in built.items():
            environment = environments.get(name) or start(name, code)
            environment.invoke(filled(stack, name))
            memory[name] = environment.resident_mb()
    return measured, nothing, memory


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        with running_stack(Path(directory) / "stack", {"DEVSTACK_DEMO_DATA": "0"}) as stack:
            say(f"{ROUNDS} rounds on {machine()}")
            measured, nothing, memory = measure(stack, Path(directory))
    say(f"load at the end {os.getloadavg()[0]:.1f}; milliseconds, {median(nothing):.1f} of a bare handler taken off\n")
    ratios = {route.title: (median(route.ours) - median(nothing)) / median(route.bare) for route in measured}
    rows = [
        [
            route.title,
            *_middle_and_tail(route.ours, median(nothing)),
            *_middle_and_tail(route.bare),
            f"{ratios[route.title]:.2f}",
        ]
        for route in measured
    ]
    show(["", "p50", "p99", "database p50", "database p99", "p50 to p50"], rows)
    say()
    show(["", "MB resident"], [[name, f"{size:.0f}"] for name, size in memory.items()])
    layer = sum(path.stat().st_size for path in LAYER.rglob("*") if path.is_file()) / 1e6
    say(f"\nthe layer: {layer:.0f} MB; bars: reads {BAR}, {MOST_MB} MB resident, {MOST_LAYER_MB} MB of layer")
    reads = [ratio for title, ratio in ratios.items() if title.startswith("GET")]
    return int(max(reads) > BAR or max(memory.values()) > MOST_MB or layer > MOST_LAYER_MB)


def _middle_and_tail(times: list[float], less: float = 0) -> list[str]:
    return [f"{median(times) - less:.1f}", f"{quantiles(times, n=100)[98] - less:.1f}"]


if __name__ == "__main__":
    sys.exit(main())
