"""Two stacks side by side under load: nothing of one reaches the other, and each may stop without the other."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest

from tests.integration.devstack.crashes import Attempt, People, processes, send
from tests.integration.scheduling.test_races import live_overlaps
from tests.support.stack import Stack, launched, on_test_server, stopped, wait_until
from tests.support.story import next_weekday
from tests.support.webhooks import CLERK


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    other = launched(tmp_path_factory.mktemp("other"), on_test_server(f"other_{uuid4().hex[:8]}"))
    yield other
    if other.process and other.process.poll() is None:
        stopped(other)


def sessions(attempts: list[Attempt]) -> set[str]:
    return {session for attempt in attempts for session in attempt.sessions}


def stored(stack: Stack, people: People) -> set[str]:
    with stack.database() as database:
        query = "select id::text from session where coach_id = any(%s::uuid[])"
        rows = database.execute(query, [[coach.user_id for coach in people.coaches]]).fetchall()
    return {row["id"] for row in rows}


def rest(stack: Stack, token: str, **changes: str) -> httpx.Response:
    info = stack.info
    headers = {"Authorization": f"Bearer {token}", "apikey": info["publishableKey"]}
    return stack.http.get(
        "/rest/v1/rpc/get_me", headers=headers | {info["gate"]["header"]: info["gate"]["value"]} | changes
    )


def test_two_stacks_under_load_share_nothing(stack: Stack, other: Stack) -> None:
    pair = (stack, other)
    other.clock("2027-03-08T14:00:00Z")
    people = [People(each, mentees=9) for each in pair]
    days = [next_weekday(), datetime(2027, 3, 15, tzinfo=UTC).date()]
    loads = [each.attempts(day) for each, day in zip(people, days, strict=True)]
    for mine, theirs in zip(*loads, strict=True):
        theirs.key = mine.key  # keys are the caller's own: the same ones mean nothing to the other stack
    with ThreadPoolExecutor() as pool:
        list(pool.map(send, pair, loads))
    for each, mine, load in zip(pair, people, loads, strict=True):
        assert {attempt.answers[0].status_code for attempt in load} == {201, 409}
        assert stored(each, mine) == sessions(load)
        assert len(sessions(load)) == 30
        assert live_overlaps(each) == 0
    assert not sessions(loads[0]) & sessions(loads[1])

    for each, load, others in zip(pair, loads, reversed(loads), strict=True):
        assert each.drain()["failed"] == 0
        events = str(each.http.get("/_dev/events").json())
        assert all(session in events for session in sessions(load))
        assert not any(session in events for session in sessions(others))
        assert all(
            queue["visible"] == queue["deadLetters"] == 0 for queue in each.http.get("/_dev/queues").json()["queues"]
        )

    with stack.database() as database:
        row = database.execute("select private.now() as now").fetchone()
    assert row is not None
    assert abs((row["now"] - datetime.now(UTC)).total_seconds()) < 60
    for name in ("publishableKey", "secretKey", "gate", "databaseUrl", "issuer", "webhookSecrets", "awsEndpointUrl"):
        assert stack.info[name] != other.info[name], name
    newcomer = b'{"type": "user.created", "data": {}}'
    for each, foreign in ((stack, other), (other, stack)):
        own, stranger = each.user(), foreign.user()
        assert rest(each, own.token).status_code == 200
        assert each.client(stranger.token).get("/api/user").status_code == 401
        assert rest(each, stranger.token).status_code == 401
        assert rest(each, own.token, apikey=foreign.info["publishableKey"]).status_code == 401
        gate = foreign.info["gate"]
        assert rest(each, own.token, **{gate["header"]: gate["value"]}).status_code == 403
        assert CLERK.deliver(each, newcomer, secret=CLERK.secret(foreign)).status_code == 401
        assert CLERK.deliver(each, newcomer).status_code == 204


def test_stopping_one_in_a_storm_leaves_the_other_alone(stack: Stack, other: Stack) -> None:
    people, folder = People(stack, mentees=9), str(other.directory)
    attempts = people.attempts(next_weekday())

    def family() -> set[int]:
        return {each.pid for each in processes() if str(stack.directory) in each.text}

    before = family()
    send(stack, attempts, kill=lambda: stopped(other), after=5)
    assert {attempt.answers[0].status_code for attempt in attempts} == {201, 409}
    assert stored(stack, people) == sessions(attempts)
    assert before <= family()
    wait_until(lambda: not [each for each in processes() if folder in each.text], what="the end of the other")
