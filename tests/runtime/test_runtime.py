"""Every function as `sam build` made it, started and called once by AWS's own runtime, against the local stack."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.contract.template_file import folder, functions, group
from tests.runtime.emulator import BUILT, Environment, python
from tests.runtime.local import filled, variables
from tests.support.stack import Stack

# `make` builds them where Python 3.13 is. In CI they have to be there.
pytestmark = pytest.mark.skipif(
    not (BUILT.parent / ".runnable").exists() and "CI" not in os.environ,
    reason="the functions are not built: that needs Python 3.13 (make test-runtime)",
)

STATUS = {
    "api_docs": 200,
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
    "user": 200,
    "user_role": 200,
}


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
        assert answer["statusCode"] == STATUS[name], answer
    else:
        assert_done(kind, answer)


def assert_done(kind: str, answer: dict[str, Any]) -> None:
    """Nothing of a batch failed; a job says how much it did."""
    if kind == "consumers":
        assert answer == {"batchItemFailures": []}
    else:
        assert answer
        assert all(isinstance(count, int) for count in answer.values())
