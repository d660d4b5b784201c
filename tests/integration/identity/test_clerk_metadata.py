"""Clerk's public metadata ends with the roles of the database: any order, any repetition, whatever Clerk answers."""

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.identity.test_roles import change
from tests.support.stack import SignedIn, Stack, wait_until

SETS = (("COACH",), ("MENTEE", "COACH"), ("MENTEE",), ("ADMIN", "MENTEE"), ("ADMIN", "COACH", "MENTEE"))


@pytest.fixture(scope="module")
def admin(stack: Stack) -> SignedIn:
    return stack.user("ADMIN")


@pytest.fixture(scope="module")
def clerk(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=stack.info["simulators"]["clerk"], headers={"Authorization": "Bearer sk_test_local"}
    ) as client:
        yield client


def faults(clerk: httpx.Client, *given: dict[str, Any]) -> None:
    clerk.post("/_control", json={"faults": list(given)}).raise_for_status()


def at_clerk(clerk: httpx.Client, user: SignedIn) -> Any:
    return clerk.get(f"/v1/users/{user.clerk_id}").raise_for_status().json()["public_metadata"].get("roles")


def message(user: SignedIn, roles: tuple[str, ...], received: int = 1) -> dict[str, Any]:
    """A delivery of an event that says something else than what is true by now, as late ones do."""
    detail = {
        "eventId": str(uuid4()),
        "occurredAt": "2027-03-01T09:15:29+00:00",
        "userId": user.user_id,
        "after": roles,
    }
    body = {"detail-type": "UserRolesChanged", "source": "coachline", "detail": detail}
    return {
        "messageId": uuid4().hex,
        "receiptHandle": "x",
        "body": json.dumps(body),
        "attributes": {"ApproximateReceiveCount": str(received)},
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:ClerkMetadataQueue",
    }


def deliver(stack: Stack, *messages: dict[str, Any]) -> int:
    """How many of the messages are to come again."""
    answer = stack.http.post("/_dev/invoke/clerk_metadata", json={"Records": messages}).json()
    return len(answer["result"]["batchItemFailures"])


def test_a_change_reaches_clerk_and_leaves_the_version_alone(
    stack: Stack, admin: SignedIn, clerk: httpx.Client
) -> None:
    user = stack.user()
    clerk.patch(f"/v1/users/{user.clerk_id}/metadata", json={"public_metadata": {"theme": "dark", "roles": ["X"]}})
    version = change(admin, user, "COACH", "MENTEE").json()["data"]["version"]
    stack.drain()
    wait_until(lambda: at_clerk(clerk, user) == ["MENTEE", "COACH"], what="the roles at Clerk")
    assert clerk.get(f"/v1/users/{user.clerk_id}").json()["public_metadata"]["theme"] == "dark"
    stack.drain()  # what Clerk tells of its own change
    body = {"userId": user.user_id, "roles": ["MENTEE"], "reason": "again", "version": version}
    assert admin.put("/api/user/role", body).status_code == 200


def test_shuffled_repeated_and_refused_it_ends_with_what_the_database_says(
    stack: Stack, admin: SignedIn, clerk: httpx.Client
) -> None:
    users = [stack.user() for _ in range(4)]
    choice = random.Random(12)  # noqa: S311 - a seed, so that a failure repeats
    path = "PATCH /v1/users/{id}/metadata"
    faults(clerk, *({"on": path, "kind": kind, "times": 3} for kind in ("500", "429", "500-after", "drop")))
    waiting = []
    for user in users:
        for roles in choice.sample(SETS, 3):
            assert change(admin, user, *roles).status_code == 200
            waiting += [message(user, roles)] * choice.choice((1, 2))
    rounds = 0
    while waiting:
        rounds += 1
        assert rounds < 60
        choice.shuffle(waiting)
        waiting = [each for each in waiting if deliver(stack, each)]
    left = clerk.post("/_control", json={}).json()["faults"]
    assert sum(each["times"] for each in left) == 0, "not every fault was met"
    stack.drain()
    for user in users:
        roles = admin.get("/api/user/role", params={"userId": user.user_id}).json()["data"]["roles"]
        wait_until(lambda user=user, roles=roles: at_clerk(clerk, user) == roles, what="the roles at Clerk")  # type: ignore[misc]  # defaults
    print(f"{len(users)} users, 12 changes, 12 faults, {rounds} rounds: Clerk has the roles of the database")


def test_changes_at_once_end_with_the_last(stack: Stack, admin: SignedIn, clerk: httpx.Client) -> None:
    user = stack.user()
    faults(clerk, {"on": "PATCH /v1/users/{id}/metadata", "kind": "delay", "times": 3, "delayMs": 150})

    def late(_: int) -> int:
        return deliver(stack, message(user, ("ADMIN",)))

    with ThreadPoolExecutor(4) as pool:
        first = pool.map(late, range(2))
        for roles in SETS:
            assert change(admin, user, *roles).status_code == 200
        assert sum([*first, *pool.map(late, range(2))]) == 0
    stack.drain()
    roles = admin.get("/api/user/role", params={"userId": user.user_id}).json()["data"]["roles"]
    assert at_clerk(clerk, user) == roles == ["MENTEE", "COACH", "ADMIN"]


def test_a_user_who_is_gone_is_nobodys_failure(stack: Stack, clerk: httpx.Client) -> None:
    user = stack.user()
    faults(clerk, {"on": "webhook", "kind": "drop", "times": 1})
    clerk.delete(f"/v1/users/{user.clerk_id}").raise_for_status()
    assert deliver(stack, message(user, ("COACH",))) == 0
    nobody = SignedIn(str(uuid4()), "user_x", "", user.http)
    assert deliver(stack, message(nobody, ("COACH",))) == 0
