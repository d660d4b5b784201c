"""Every route called with what docs/openapi.json allows and with what it does not, by everyone.

Seeded, so that a failure repeats. HOSTILE_EXAMPLES says how many requests of each kind everyone sends to each route.
"""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.hostile import DOCUMENT, OPERATIONS, TRIES, World
from tests.support.stack import Stack

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "6"))
CALLERS = {
    "anonymous": (),
    "MENTEE": ("MENTEE",),
    "COACH": ("COACH",),
    "ADMIN": ("ADMIN",),
    "COACH+MENTEE": ("COACH", "MENTEE"),
}
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
SCHEMA.config.generation.update(with_security_parameters=False)  # the callers bring their own tokens
FITTING = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
CHECKS = {GenerationMode.POSITIVE: FITTING, GenerationMode.NEGATIVE: [*FITTING, negative_data_rejection]}


class Target(NamedTuple):
    """An operation, and whether it is called with what fits its description."""

    method: str
    path: str
    mode: GenerationMode

    @property
    def can_be_unfit(self) -> bool:
        described = DOCUMENT["paths"][self.path][self.method.lower()]
        return bool(described.get("parameters") or described.get("requestBody"))


TARGETS = [
    target
    for method, path in OPERATIONS
    for mode in GenerationMode
    if (target := Target(method, path, mode)).can_be_unfit or mode is GenerationMode.POSITIVE
]


@pytest.fixture(scope="module")
def callers(stack: Stack, world: World) -> dict[str, httpx.Client]:
    """A client for everyone: the coach and the mentee of the world, and others."""
    known = {"COACH": world.coach.http, "MENTEE": world.mentee.http, "ADMIN": world.admin.http}
    return {
        name: known.get(name) or (stack.user(*roles).http if roles else stack.client())
        for name, roles in CALLERS.items()
    }


@pytest.fixture(scope="module", autouse=True)
def answers() -> Iterator[Counter[tuple[str, int]]]:
    """How many answers of which status everyone got; printed with -s."""
    counted: Counter[tuple[str, int]] = Counter()
    yield counted
    for name in CALLERS:
        by_status = {status: count for (who, status), count in sorted(counted.items()) if who == name}
        print(f"\n{name}: {sum(by_status.values())} requests, {by_status}", end="")


@pytest.mark.parametrize("target", TARGETS, ids=lambda each: f"{each.method} {each.path} {each.mode.value}")
def test_any_request_is_answered_as_documented(
    world: World, callers: dict[str, httpx.Client], answers: Counter[tuple[str, int]], target: Target
) -> None:
    checks = FITTING if (target.method, target.path) in TRIES else CHECKS[target.mode]

    @seed(3)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=SCHEMA[target.path][target.method].as_strategy(generation_mode=target.mode), aimed=st.booleans())
    def answered(case: Any, aimed: bool) -> None:
        for name, http in callers.items():  # the same to all of them, because making one costs more than sending it
            if aimed and target.mode is GenerationMode.POSITIVE:
                aim(case, world, http)
            credentials = {key: value for key, value in http.headers.items() if key == "authorization"}
            response = case.call(base_url=str(http.base_url), headers=credentials)
            answers[name, response.status_code] += 1
            if response.status_code in {413, 431} and "message" in response.json():
                continue  # the gateway's own
            note(f"as {name}")
            case.validate_response(response, checks=checks)

    answered()


def aim(case: Any, world: World, http: httpx.Client) -> None:
    """Point a request at what there is: made-up ids and versions are refused before anything interesting happens."""
    known = {"coachId": world.coach.user_id, "scheduleId": world.schedule_id, "id": world.session_id}
    for sent in (case.path_parameters, case.query, case.body):
        if isinstance(sent, dict):
            sent.update({name: value for name, value in known.items() if name in sent})
    if isinstance(case.body, dict) and "version" in case.body:
        if "userId" in case.body:
            case.body["userId"] = world.newcomer.user_id
        whose = {"userId": world.newcomer.user_id} if "userId" in case.body else {}
        resource = http.get(case.formatted_path, params=whose).json().get("data", {})
        case.body["version"] = resource.get("version", 1)
