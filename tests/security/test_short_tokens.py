"""Session tokens that live a minute, as Clerk's do, and keys that change: at both doors, API and PostgREST.

What holds is in docs/adr/010.
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from coachline.auth import LEEWAY_SECONDS
from tests.integration.devstack.crashes import processes
from tests.security.test_tokens import both_doors
from tests.support.stack import SignedIn, Stack, on_test_server, running_stack, wait_until
from tests.support.story import at, book, next_weekday, published_coach, slots

KEY_SET = "GET /.well-known/jwks.json"
MANY = 1000


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    environment = on_test_server(
        f"minute_{uuid4().hex[:8]}",
        DEVSTACK_TOKEN_SECONDS="60",
        DEVSTACK_CONCURRENCY="1",  # one execution environment per function: one cache of keys
    )
    with running_stack(tmp_path_factory.mktemp("minute"), environment) as stack:
        yield stack


@pytest.fixture
def minute(running: Stack) -> Stack:
    """With its first key, and functions that know no other yet."""
    running.http.post("/_sim/clerk/_reset").raise_for_status()
    forget_keys(running)
    return running


def forget_keys(stack: Stack) -> None:
    """End every execution environment; new ones begin without a cache."""
    folder = "functions/api/"

    def workers() -> list[int]:
        assert stack.process is not None
        zygotes = [each.pid for each in processes() if each.parent == stack.process.pid and "runtime.py" in each.text]
        return [each.pid for each in processes() if each.parent in zygotes and folder in each.text]

    for pid in workers():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not workers(), what="the end of the workers")


def control(stack: Stack, **options: Any) -> dict[str, Any]:
    answer: dict[str, Any] = stack.http.post("/_sim/clerk/_control", json=options).raise_for_status().json()
    return answer


def fetches(stack: Stack) -> int:
    """How often the key set was asked for since `watch`."""
    (fault,) = control(stack)["faults"]
    return MANY - int(fault["times"])


def watch(stack: Stack, kind: str = "delay") -> None:
    control(stack, faults=[{"on": KEY_SET, "kind": kind, "times": MANY}])


def crafted(stack: Stack, user: SignedIn, **changes: Any) -> str:
    """A token of the first key for a user, with other claims."""
    assert stack.directory is not None
    key = json.loads((stack.directory / "keys.json").read_text())["clerk_private_key"]
    told = jwt.decode(user.token, options={"verify_signature": False}) | changes
    return jwt.encode(told, key, algorithm="RS256", headers={"kid": jwt.get_unverified_header(user.token)["kid"]})


def refreshed(stack: Stack, user: SignedIn) -> str:
    """What a client does when its token is refused: a new one from Clerk."""
    session = stack.http.post("/_sim/clerk/v1/sessions", json={"user_id": user.clerk_id}).raise_for_status().json()
    answer = stack.http.post(f"/_sim/clerk/v1/sessions/{session['id']}/tokens", json={}).raise_for_status()
    return str(answer.json()["jwt"])


def with_token(user: SignedIn, stack: Stack, token: str) -> SignedIn:
    return SignedIn(user.user_id, user.clerk_id, token, stack.client(token))


def stored(stack: Stack, mentee: SignedIn) -> tuple[set[str], int]:
    """Ids of a mentee's sessions, and how many idempotency keys they hold."""
    with stack.database() as database:
        found = database.execute("select id::text from session where mentee_id = %s", [mentee.user_id]).fetchall()
        keys = database.execute("select 1 from private.idempotency_key where caller_id = %s", [mentee.user_id])
        return {row["id"] for row in found}, len(keys.fetchall())


def statuses(stack: Stack, tokens: list[str]) -> list[int]:
    """What the API answers to these tokens at once."""
    with ThreadPoolExecutor(10) as pool:
        return list(pool.map(lambda token: stack.client(token).get("/api/user").status_code, tokens))


def test_the_booking_story_with_tokens_of_a_minute(minute: Stack) -> None:
    coach, mentee, start = published_coach(minute), minute.user(), at(next_weekday(), "10:00")
    for user in (coach, mentee):
        told = jwt.decode(user.token, options={"verify_signature": False})
        assert told["exp"] - told["iat"] == 60
    assert slots(mentee, coach, start, start + timedelta(days=1)).status_code == 200
    key = uuid4().hex
    booked = book(mentee, coach, start, key=key)
    assert booked.status_code == 201
    again = with_token(mentee, minute, refreshed(minute, mentee))
    assert book(again, coach, start, key=key).json() == booked.json()
    assert again.post(f"/api/sessions/{booked.json()['data']['id']}/cancel", {}).status_code == 200


def test_a_token_is_good_to_its_last_second_and_no_longer(minute: Stack) -> None:
    user = minute.user()
    assert user.get("/api/user").status_code == 200  # so that the next answers come at once
    expires = int(time.time()) - LEEWAY_SECONDS + 3
    client = minute.client(crafted(minute, user, exp=expires))
    answers: list[tuple[float, float, httpx.Response]] = []  # sent, answered, answer

    def refused() -> bool:
        sent = time.time()
        answer = client.get("/api/user")
        answers.append((sent, time.time(), answer))
        return answer.status_code == 401

    wait_until(refused, what="the end of the token")
    *good, (_, answered, answer) = answers
    assert good
    assert all(answer.status_code == 200 and sent < expires + LEEWAY_SECONDS for sent, _, answer in good)
    assert answered >= expires + LEEWAY_SECONDS
    assert answer.json()["detail"] == "The session token has expired."


def test_a_token_that_expires_in_a_storm_books_or_is_refused_and_a_refreshed_one_goes_on(minute: Stack) -> None:
    coach, mentee = published_coach(minute, schedule={"bufferBefore": 0, "bufferAfter": 0}), minute.user()
    assert mentee.get("/api/sessions").status_code == 200  # so that the next answers come at once
    short = with_token(mentee, minute, crafted(minute, mentee, exp=int(time.time()) - LEEWAY_SECONDS + 3))
    first = at(next_weekday(), "09:00")
    wanted = [(uuid4().hex, first + timedelta(days=7 * (n // 16), minutes=30 * (n % 16))) for n in range(240)]
    answers: list[httpx.Response] = []

    def attempt(one: tuple[str, Any]) -> httpx.Response:
        return book(short, coach, one[1], 30, key=one[0])

    def refused() -> bool:
        batch = wanted[len(answers) : len(answers) + 4]
        with ThreadPoolExecutor(4) as pool:
            answers.extend(pool.map(attempt, batch))
        return any(answer.status_code == 401 for answer in answers[-4:])

    wait_until(refused, what="the end of the token")
    assert {answer.status_code for answer in answers} == {201, 401}
    told = {answer.json()["data"]["id"] for answer in answers if answer.status_code == 201}
    assert stored(minute, mentee) == (told, len(told))

    again = with_token(mentee, minute, refreshed(minute, mentee))
    for (key, start), before in zip(wanted, answers, strict=False):
        answer = book(again, coach, start, 30, key=key)
        assert answer.status_code == 201
        assert before.status_code == 401 or before.json() == answer.json()
    assert len(stored(minute, mentee)[0]) == len(answers)


def test_a_token_that_the_second_door_refuses_after_the_first_let_it_in_writes_nothing(minute: Stack) -> None:
    coach, mentee, start, key = published_coach(minute), minute.user(), at(next_weekday(), "10:00"), uuid4().hex
    control(minute, rotateKey=True, keepOld=False)  # the API still goes by the configured key, PostgREST does not
    answer = book(mentee, coach, start, key=key)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert stored(minute, mentee) == (set(), 0)
    assert book(with_token(mentee, minute, refreshed(minute, mentee)), coach, start, key=key).status_code == 201


def test_a_new_key_is_looked_up_once_however_many_come_with_it(minute: Stack) -> None:
    users = [minute.user() for _ in range(5)]
    control(minute, rotateKey=True)
    watch(minute)
    tokens = [refreshed(minute, user) for user in users * 6]
    assert set(statuses(minute, tokens)) == {200}
    assert fetches(minute) == 1
    assert set(statuses(minute, [user.token for user in users])) == {200}
    assert both_doors(minute, tokens[0]) == both_doors(minute, users[0].token) == (200, 200)
    assert fetches(minute) == 1


def test_a_withdrawn_key_opens_neither_door_though_the_api_still_knows_it(minute: Stack) -> None:
    user = minute.user()
    control(minute, rotateKey=True)
    second = refreshed(minute, user)
    assert both_doors(minute, second) == (200, 200)  # now cached
    control(minute, rotateKey=True, keepOld=False)
    forget = refreshed(minute, user)
    assert both_doors(minute, user.token) == (401, 401)
    assert both_doors(minute, second) == (401, 401)
    forget_keys(minute)
    assert both_doors(minute, forget) == (200, 200)


def test_made_up_key_ids_do_not_make_us_hammer_the_key_set(minute: Stack) -> None:
    user = minute.user()
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    told = jwt.decode(user.token, options={"verify_signature": False})
    forged = [jwt.encode(told, private, algorithm="RS256", headers={"kid": f"ins_{n}"}) for n in range(40)]
    watch(minute)
    assert set(statuses(minute, forged)) == {401}
    assert fetches(minute) == 1
    assert both_doors(minute, user.token) == (200, 200)
    assert both_doors(minute, forged[0]) == (401, 401)
    assert fetches(minute) == 1


@pytest.mark.parametrize("kind", ["500", "drop"])
def test_without_the_key_set_known_keys_go_on_and_nobody_is_signed_out(minute: Stack, kind: str) -> None:
    user = minute.user()
    control(minute, rotateKey=True)
    new = refreshed(minute, user)
    assert both_doors(minute, new) == (200, 200)  # cached from here on
    watch(minute, kind)
    assert statuses(minute, [new, user.token] * 5) == [200] * 10
    assert fetches(minute) == 0

    forget_keys(minute)
    assert both_doors(minute, user.token) == (200, 200)  # the configured key needs no network
    answer = minute.client(new).get("/api/user")
    assert answer.status_code == 503  # it may be good: nobody is told to sign in again
    assert int(answer.headers["retry-after"]) >= 1
    assert set(statuses(minute, [new] * 10)) == {503}
    assert fetches(minute) == 1

    control(minute, faults=[])
    forget_keys(minute)
    assert both_doors(minute, new) == (200, 200)
