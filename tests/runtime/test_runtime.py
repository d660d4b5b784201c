"""Every function as `sam build` made it, started and called once by AWS's own runtime, against the local stack."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.contract.template_file import folder, functions, group
from tests.runtime.emulator import BUILT, Environment, python
from tests.runtime.local import filled, sample, variables, with_body
from tests.support.hostile import DOCUMENT
from tests.support.stack import Stack
from tests.support.webhooks import ZOOM

# `make` builds them where Python 3.13 is. In CI they have to be there.
pytestmark = pytest.mark.skipif(
    not (BUILT.parent / ".runnable").exists() and "CI" not in os.environ,
    reason="the functions are not built: that needs Python 3.13 (make test-runtime)",
)

QUIET = 1.5  # a load beyond this is somebody else's, and a time then is not ours alone

STATUS = {
    "api_docs": 200,
    "calendly": 204,
    "clerk": 204,
    "coach_directory": 200,
    "coach_profile": 201,
    "coaching_availability": 201,
    "coaching_slots": 200,
    "fallback": 404,
    "health": 200,
    "member_export": 200,
    "member_import": 201,
    "session_changes": 200,
    "sessions": 201,
    "stripe": 204,
    "unsubscribe": 400,  # its sample is signed by nobody
    "user": 200,
    "user_role": 200,
    "zoom": 204,
}
# What the others may answer whose sample is about rows that are not there; not 401 or 403, nor what is no answer.
OTHERS = {200, 201, 202, 204, 302, 404, 409, 422}


@pytest.mark.parametrize(
    ("logical_id", "name", "kind"),
    [pytest.param(id_, folder(each).name, group(each), id=folder(each).name) for id_, each in functions().items()],
)
def test_it_answers_its_event(stack: Stack, tmp_path: Path, logical_id: str, name: str, kind: str) -> None:
    event = filled(stack, name)
    with Environment(BUILT / logical_id, tmp_path / "log", variables(stack, name), python=python()) as environment:
        answer = environment.invoke(event).value
        log = environment.log

    assert isinstance(answer, dict), log
    assert "errorType" not in answer, log
    assert '"level":"ERROR"' not in log, log
    if kind in ("api", "webhooks"):
        assert_answered(name, event, answer)
    else:
        assert_done(kind, answer)


def assert_answered(name: str, event: dict[str, Any], answer: dict[str, Any]) -> None:
    """As listed; a function that is not listed got as far as the database, and its sample is a valid request."""
    if name in STATUS:
        assert answer["statusCode"] == STATUS[name], answer
        return
    method, _, path = event["routeKey"].partition(" ")
    documented = {int(code) for code in DOCUMENT["paths"][path][method.lower()]["responses"]}
    assert answer["statusCode"] in OTHERS & documented, answer
    assert '"validation_failed"' not in answer["body"], answer


def assert_done(kind: str, answer: dict[str, Any]) -> None:
    """Nothing of a batch failed; a job says how much it did."""
    if kind == "consumers":
        assert answer == {"batchItemFailures": []}
    else:
        assert answer
        assert all(isinstance(count, int) for count in answer.values())


def test_zoom_s_challenge_is_answered_within_a_second_of_a_cold_start(stack: Stack, tmp_path: Path) -> None:
    """Zoom asks every 72 hours, when nobody has called for long, and gives up after three seconds."""
    [logical_id] = [id_ for id_, each in functions().items() if folder(each).name == "zoom"]
    body = json.dumps({"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}})
    event = with_body(sample("zoom"), body)
    event["headers"] |= ZOOM.sign(body.encode(), ZOOM.secret(stack), int(time.time()))
    given = variables(stack, "zoom")
    with Environment(BUILT / logical_id, tmp_path / "log", given, python=python()) as environment:
        answer = environment.invoke(event)
        init = environment.init_ms
    load = os.getloadavg()[0]
    print(f"challenge, cold: {answer.ms:.0f} ms, {init:.0f} ms of it the start; load {load:.1f}")
    assert answer.value["statusCode"] == 200, answer.value
    assert answer.ms < 1000 or load > QUIET
