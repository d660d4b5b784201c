"""Functions run as in Lambda: environment, context, errors, timeouts, crashes, concurrency, reload."""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from devstack.workers import BEHIND, Result
from tests.integration.devstack.local import Local, until

ACTS = '''
"""Does what the event says."""
import decimal, json, logging, os, sys, time

def lambda_handler(event, context):
    match event.get("do"):
        case "about":
            return {
                "environment": dict(os.environ), "requestId": context.aws_request_id,
                "function": context.function_name, "memory": context.memory_limit_in_mb,
                "arn": context.invoked_function_arn, "remaining": context.get_remaining_time_in_millis(),
                "module": __name__, "path": sys.path, "folder": os.getcwd(), "pid": os.getpid(),
                "modules": [name for name in sys.modules if name.split(".")[0] in ("devstack", "tests")],
            }
        case "sleep":
            time.sleep(event["seconds"])
        case "wait":
            open(f"{event['for']}.{os.getpid()}", "w").close()
            while not os.path.exists(event["for"]):
                time.sleep(0.005)
            return {"pid": os.getpid()}
        case "raise":
            raise ValueError("no such thing: é")
        case "exit":
            os._exit(3)
        case "sys.exit":
            sys.exit("enough")
        case "nan":
            return {"value": float("nan")}
        case "object":
            return {"value": decimal.Decimal("1.5"), "when": object()}
        case "big":
            return "x" * event["size"]
        case "log":
            print('{"level":"ERROR","message":"booking refused","exception":"Traceback…\\\\nKeyError: 7"}')
        case "now":
            from coachline import clock
            return clock.now().isoformat()
    return {"text": "naïve ☃"}
'''


@pytest.fixture(scope="module")
def local(new_local: Callable[[], Local]) -> Local:
    local = new_local()
    local.function("acts", ACTS, timeout=1)
    route = "{Asked: {Type: HttpApi, Properties: {Method: GET, Path: /asked}}}"
    local.function("asked", ACTS, events=route)
    local.function("single", ACTS, timeout=30, more="ReservedConcurrentExecutions: 1")
    local.function("closed", ACTS, more="ReservedConcurrentExecutions: 0")
    local.function("edited", "def lambda_handler(event, context):\n    return 1\n")
    local.function("broken", "def lambda_handler(event, context)\n    return 1\n")
    local.function("lost", "import no_such_library\n")
    local.function("empty", "\n")
    local.function("quits", "import os\nos._exit(1)\n")
    layer = local.root / "layers/shared/coachline"
    layer.mkdir(parents=True)
    (layer / "__init__.py").write_text("")
    (layer / "clock.py").write_text(
        "from datetime import UTC, datetime\n_at = None\ndef now():\n    return _at or datetime.now(UTC)\n"
        "def pin(at):\n    global _at\n    _at = at\n"
    )
    local.start()
    return local


def invoke(local: Local, name: str, **event: Any) -> Result:
    result: Result = local.run(local.workers.invoke(name, json.dumps(event).encode()))
    return result


def error(result: Result) -> dict[str, Any]:
    assert result.error is not None
    return result.error


def test_a_function_sees_what_lambda_shows_it(local: Local) -> None:
    about = invoke(local, "acts", do="about").value()
    environment = about["environment"]
    assert environment["GREETING"] == "hello"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == about["function"] == "acts"
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == about["memory"] == "256"
    assert environment["_HANDLER"] == "app.lambda_handler"
    assert environment["LAMBDA_TASK_ROOT"] == str(local.root / "functions/acts")
    assert environment["TZ"] == ":UTC"
    assert about["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:acts"
    assert 0 < about["remaining"] <= 1000
    assert len(about["requestId"]) == 36
    assert about["folder"] == environment["LAMBDA_TASK_ROOT"]
    assert about["path"][0] == str(local.root / "layers/shared")


def test_a_function_does_not_see_the_stack(local: Local) -> None:
    about = invoke(local, "acts", do="about").value()
    assert not {"HOME", "PWD", "VIRTUAL_ENV", "PORT", "DEVSTACK_DIR", "DEVSTACK_CHILD"} & about["environment"].keys()
    assert about["modules"] == []
    assert about["module"] == "acts_app"


def test_text_survives_both_ways(local: Local) -> None:
    assert invoke(local, "acts").value() == {"text": "naïve ☃"}


def test_an_exception_is_an_error_with_the_functions_own_frames(local: Local) -> None:
    given = error(invoke(local, "acts", do="raise"))
    assert (given["errorType"], given["errorMessage"]) == ("ValueError", "no such thing: é")
    assert len(given["stackTrace"]) == 1
    assert "functions/acts/app.py" in given["stackTrace"][0]
    assert any("ERROR acts ValueError: no such thing" in line for line in local.lines)


@pytest.mark.parametrize("act", ["nan", "object"])
def test_a_result_that_is_no_json_is_a_marshal_error(local: Local, act: str) -> None:
    assert error(invoke(local, "acts", do=act))["errorType"] == "Runtime.MarshalError"


def test_a_result_over_six_megabytes_is_an_error(local: Local) -> None:
    limit = 6 * 1024 * 1024
    assert len(invoke(local, "acts", do="big", size=limit - 2).payload) == limit
    assert error(invoke(local, "acts", do="big", size=limit - 1))["errorType"] == "Function.ResponseSizeTooLarge"


def test_a_call_over_its_timeout_is_killed_and_said_so(local: Local) -> None:
    given = error(invoke(local, "acts", do="sleep", seconds=30))
    assert given["errorType"] == "Sandbox.Timedout"
    assert given["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert invoke(local, "acts").error is None


@pytest.mark.parametrize("act", ["exit", "sys.exit"])
def test_a_crash_is_an_error_and_the_next_call_gets_a_fresh_instance(local: Local, act: str) -> None:
    before = invoke(local, "acts", do="about").value()["pid"]
    assert error(invoke(local, "acts", do=act))["errorType"] == "Runtime.ExitError"
    assert invoke(local, "acts", do="about").value()["pid"] != before


def test_an_instance_killed_while_idle_is_not_used(local: Local) -> None:
    pid = invoke(local, "acts", do="about").value()["pid"]
    os.kill(pid, signal.SIGKILL)
    local.run(until(lambda: not os.path.exists(f"/proc/{pid}")))
    assert invoke(local, "acts", do="about").value()["pid"] != pid


def test_an_instance_is_used_again(local: Local) -> None:
    assert invoke(local, "acts", do="about").value()["pid"] == invoke(local, "acts", do="about").value()["pid"]


def test_what_nobody_waits_for_runs_behind_what_somebody_does(local: Local) -> None:
    niceness = {
        name: os.getpriority(os.PRIO_PROCESS, invoke(local, name, do="about").value()["pid"])
        for name in ("asked", "acts")
    }
    assert niceness["acts"] - niceness["asked"] == BEHIND


def test_calls_beyond_the_limit_wait_in_line(local: Local) -> None:
    gate = local.root / "single.gate"

    async def scenario() -> list[Any]:
        event = json.dumps({"do": "wait", "for": str(gate)}).encode()
        order: list[int] = []

        async def call(number: int) -> Any:
            result = await local.workers.invoke("single", event)
            order.append(number)
            return result.value()["pid"]

        calls = [asyncio.create_task(call(number)) for number in range(4)]
        await asyncio.sleep(0)
        gate.touch()
        pids = await asyncio.gather(*calls)
        return [order, len(set(pids))]

    assert local.run(scenario()) == [[0, 1, 2, 3], 1]


def test_calls_up_to_the_limit_run_side_by_side(local: Local) -> None:
    gate = local.root / "acts.gate"

    async def scenario() -> set[int]:
        event = json.dumps({"do": "wait", "for": str(gate)}).encode()
        calls = [asyncio.create_task(local.workers.invoke("acts", event)) for _ in range(5)]
        await until(lambda: len(list(local.root.glob("acts.gate.*"))) == 4)
        gate.touch()
        return {(await call).value()["pid"] for call in calls}

    assert len(local.run(scenario())) == 4


def test_a_function_without_reserved_concurrency_is_throttled(local: Local) -> None:
    assert error(invoke(local, "closed"))["errorType"] == "TooManyRequestsException"


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("broken", "Runtime.UserCodeSyntaxError", "functions/broken/app.py, line 1: def lambda_handler"),
        ("lost", "Runtime.ImportModuleError", "No module named 'no_such_library'"),
        ("empty", "Runtime.HandlerNotFound", "Handler 'lambda_handler' missing on module 'app'"),
        ("quits", "Runtime.ExitError", "while it was being loaded"),
    ],
)
def test_code_that_does_not_load_says_why(local: Local, name: str, kind: str, text: str) -> None:
    result = invoke(local, name)
    assert result.in_init
    assert error(result)["errorType"] == kind
    assert text in error(result)["errorMessage"]


def test_an_edit_acts_on_the_next_call_and_a_mistake_is_recovered_from(local: Local) -> None:
    source = local.root / "functions/edited/app.py"
    assert invoke(local, "edited").value() == 1
    for code, expected in (("return 2", 2), ("return (", None), ("return 3", 3)):
        source.write_text(f"def lambda_handler(event, context):\n    {code}\n")
        local.workers.recycle()
        result = invoke(local, "edited")
        assert (None if result.error else result.value()) == expected


def test_an_instance_that_is_busy_while_the_code_changes_is_not_used_again(local: Local) -> None:
    gate = local.root / "recycled.gate"

    async def scenario() -> tuple[int, int]:
        event = json.dumps({"do": "wait", "for": str(gate)}).encode()
        call = asyncio.create_task(local.workers.invoke("single", event))
        await until(lambda: list(local.root.glob("recycled.gate.*")))
        local.workers.recycle()
        gate.touch()
        again = await local.workers.invoke("single", event)
        return (await call).value()["pid"], again.value()["pid"]

    first, second = local.run(scenario())
    assert first != second


def test_the_stacks_clock_is_the_functions_clock(local: Local) -> None:
    at = datetime(2027, 3, 8, 14, tzinfo=UTC)
    local.run(local.clock.pin(at))
    assert invoke(local, "acts", do="now").value() == at.isoformat()
    local.run(local.clock.pin(None))
    assert invoke(local, "acts", do="now").value() != at.isoformat()


def test_logged_errors_reach_the_console_and_everything_reaches_the_log(local: Local) -> None:
    invoke(local, "acts", do="log")
    assert "ERROR acts booking refused — KeyError: 7" in local.lines
    assert '"message":"booking refused"' in (local.root / ".devstack/logs/functions.log").read_text()
