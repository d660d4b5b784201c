"""The whole stack: its own routes, its parts together, its start and its end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest

from tests.integration.devstack.crashes import processes
from tests.support.stack import ROOT, Stack, free_port, wait_until

PERSON = {"firstName": "Ann", "lastName": "Lee", "roles": ["MENTEE", "COACH"]}


def new_user(stack: Stack, **changes: Any) -> httpx.Response:
    return stack.http.post("/_dev/users", json={"email": f"{uuid4().hex}@example.com", **PERSON, **changes})


def roles_of(stack: Stack, user_id: str) -> set[str]:
    with stack.database() as database:
        rows = database.execute("select role::text from public.user_role where user_id = %s", [user_id]).fetchall()
    return {row["role"] for row in rows}


def control(stack: Stack, **options: Any) -> None:
    stack.http.post("/_sim/clerk/_control", json=options).raise_for_status()


def test_info_tells_where_everything_is(stack: Stack) -> None:
    info = stack.info
    assert info["apiUrl"] == info["supabaseUrl"] == stack.base_url
    assert info["publishableKey"].startswith("sb_publishable_")
    assert info["secretKey"].startswith("sb_secret_")
    assert info["gate"]["header"] == "x-coachline-gate"
    assert info["issuer"] == info["simulators"]["clerk"] == f"{stack.base_url}/_sim/clerk"
    assert stack.http.get(info["jwksUrl"]).json()["keys"]
    assert info["webhookSecrets"].keys() == info["simulators"].keys() == {"stripe", "zoom", "calendly", "clerk"}
    assert info["functions"] == sorted(path.parent.name for path in ROOT.glob("functions/*/*/app.py"))
    assert httpx.get(info["awsEndpointUrl"] + "/moto-api/config").is_success
    assert info["revision"]
    with stack.database() as database:
        assert database.execute("select current_user as name").fetchone() == {"name": "postgres"}


def test_a_new_user_exists_with_roles_and_a_token_at_once(stack: Stack) -> None:
    user = new_user(stack).json()
    assert user.keys() == {"userId", "clerkId", "token"}
    assert roles_of(stack, user["userId"]) == {"MENTEE", "COACH"}
    me = stack.client(user["token"]).get("/api/user")
    assert (me.status_code, me.json()["data"]["firstName"]) == (200, "Ann")
    claims = jwt.decode(user["token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 3600


def test_a_new_user_takes_less_than_300_milliseconds(stack: Stack) -> None:
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        assert new_user(stack).status_code == 200
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.3


def test_signing_up_again_is_signing_in_with_the_roles_asked_for(stack: Stack) -> None:
    email = f"{uuid4().hex}@example.com"
    first = new_user(stack, email=email).json()
    second = new_user(stack, email=email, roles=["ADMIN"]).json()
    assert (first["userId"], first["clerkId"]) == (second["userId"], second["clerkId"])
    assert roles_of(stack, first["userId"]) == {"ADMIN"}


@pytest.mark.parametrize(
    "changes", [{"email": "nobody"}, {"email": None}, {"roles": ["OWNER"]}, {"roles": []}, {"firstName": 1}, {"age": 3}]
)
def test_a_user_that_cannot_be_is_refused_with_a_sentence(stack: Stack, changes: dict[str, Any]) -> None:
    answer = new_user(stack, **changes)
    assert answer.status_code == 400
    assert " " in answer.json()["error"]


def test_tokens_are_for_users_that_exist(stack: Stack) -> None:
    user = new_user(stack).json()
    token = stack.http.post("/_dev/token", json={"userId": user["userId"]}).json()["token"]
    assert stack.client(token).get("/api/user").json()["data"]["id"] == user["userId"]
    assert stack.http.post("/_dev/token", json={"userId": str(uuid4())}).status_code == 404
    bodies: list[Any] = [{"userId": "7"}, {}, []]
    for body in bodies:
        assert stack.http.post("/_dev/token", json=body).status_code == 400
    assert stack.http.post("/_dev/token", content=b"{").status_code == 400


def test_any_function_runs_with_any_event(stack: Stack) -> None:
    assert stack.http.post("/_dev/invoke/outbox_relay", json={"time": "2027-03-08T14:00:00Z"}).json().keys() == {
        "result"
    }
    error = stack.http.post("/_dev/invoke/clerk_events", json={"Records": 7}).json()
    assert error.keys() == {"error"}
    assert error["error"].keys() == {"errorType", "errorMessage", "stackTrace"}
    assert stack.http.post("/_dev/invoke/nothing", json={}).status_code == 404
    assert stack.http.post("/_dev/invoke/health", content=b"{").status_code == 400


def test_the_clock_moves_for_database_and_functions(frozen: Stack) -> None:
    frozen.clock("2027-03-08T14:00:00+01:00")
    with frozen.database() as database:
        now = database.execute("select private.now() at time zone 'UTC' as now").fetchone()
    assert now is not None
    assert now["now"].isoformat() == "2027-03-08T13:00:00"
    clerk = frozen.http.post("/_sim/clerk/v1/users", json={}).json()
    assert clerk["created_at"] == 1_804_510_800_000
    assert new_user(frozen).status_code == 200
    for wrong in ("yesterday", "2027-03-08T14:00:00", "", 7):
        assert frozen.http.post("/_dev/clock", json={"now": wrong}).status_code == 400
    assert frozen.http.post("/_dev/clock", json={}).status_code == 400


def test_drain_leaves_nothing_behind_and_events_show_what_was_published(stack: Stack) -> None:
    user = new_user(stack).json()
    assert stack.drain()["failed"] == 0
    assert stack.drain() == {"processed": 0, "failed": 0}
    created = [event for event in stack.http.get("/_dev/events").json()["events"] if user["userId"] in str(event)]
    assert [event["detail-type"] for event in created] == ["UserCreated"]
    for queue in stack.http.get("/_dev/queues").json()["queues"]:
        assert (queue["visible"], queue["inFlight"]) == (0, 0)
    assert isinstance(stack.http.get("/_dev/emails").json()["emails"], list)


@pytest.mark.parametrize("kind", ["duplicate", "500", "500-after", "delay", "reorder"])
def test_a_user_arrives_once_whatever_happens_to_the_webhook(stack: Stack, kind: str) -> None:
    control(stack, faults=[{"on": "webhook", "kind": kind, "times": 2, "delayMs": 60_000, "seed": 1}])
    made = [stack.http.post("/_sim/clerk/v1/users", json={"first_name": name}).json()["id"] for name in "ab"]
    assert stack.drain()["failed"] == 0
    with stack.database() as database:
        query = "select clerk_id from public.user_account where clerk_id = any(%s)"
        assert {row["clerk_id"] for row in database.execute(query, [made]).fetchall()} == set(made)


def test_rotated_keys_are_believed_everywhere(stack: Stack) -> None:
    old = new_user(stack).json()
    control(stack, rotateKey=True)
    token = stack.http.post("/_dev/token", json={"userId": old["userId"]}).json()["token"]
    assert jwt.get_unverified_header(token)["kid"] != jwt.get_unverified_header(old["token"])["kid"]
    for each in (old["token"], token):
        assert stack.client(each).get("/api/user").status_code == 200


SERVE_ROOT = """
import asyncio, pathlib, sys
from devstack.config import Config
from devstack.stack import Stack
asyncio.run(Stack(Config.from_env(root=pathlib.Path(sys.argv[1]))).run())
"""
SMALL_TEMPLATE = """
Globals: {Function: {Handler: app.lambda_handler}}
Resources:
  Api: {Type: AWS::Serverless::HttpApi}
  HealthFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/health/
      Events:
        Get: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: /api/health}}
"""


Serving = tuple[subprocess.Popen[str], str, Path]


@contextmanager
def serving(directory: Path, root: Path | None = None, **environment: str) -> Iterator[Serving]:
    """A stack of its own: process, URL and console log."""
    command = ["-c", SERVE_ROOT, str(root)] if root else ["-m", "devstack", "serve"]
    port, log = str(free_port()), directory / "console.log"
    settings = {
        "PORT": port,
        "DEVSTACK_DIR": str(directory / "stack"),
        "DEVSTACK_POSTGRES_URL": os.environ["COACHLINE_TEST_SERVER"],
        "DEVSTACK_DATABASE": f"own_{uuid4().hex[:8]}",
        "DEVSTACK_TEMPLATE": "coachline_template",
        "DEVSTACK_DEMO_DATA": "0",
        **environment,
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield process, f"http://127.0.0.1:{settings['PORT']}", log
    finally:
        process.kill()
        process.wait()


def health(url: str) -> int | None:
    try:
        return httpx.get(f"{url}/api/health").status_code
    except httpx.TransportError:
        return None


def until_health(serving: Serving, status: int) -> None:
    """Wait for an answer with this status; a stack that ended says why."""
    process, url, log = serving

    def answered() -> bool:
        assert process.poll() is None, log.read_text()
        return health(url) == status

    wait_until(answered, seconds=60, what=f"{status} (see {log})")


def parts_of(directory: Path) -> list[str]:
    """Command lines of the processes that name this folder or belong to a stack in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(directory) in text:
            found.append((process / "cmdline").read_text())
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_503_until_it_is_ready_and_a_signal_stops_every_part(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path) as (process, url, log):
        until_health((process, url, log), 503)
        assert httpx.post(f"{url}/_dev/drain").status_code == 503
        until_health((process, url, log), 200)
        process.send_signal(number)
        assert process.wait(20) == 0
    assert "ready in" in log.read_text()
    wait_until(lambda: not parts_of(tmp_path))


def test_a_signal_stops_it_while_it_is_starting(tmp_path: Path) -> None:
    with serving(tmp_path) as stack:
        until_health(stack, 503)
        process = stack[0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    wait_until(lambda: not parts_of(tmp_path))


def test_a_part_that_dies_again_and_again_ends_the_stack_and_shows_its_last_words(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, url, log):
        until_health((process, url, log), 200)

        def back(times: int) -> bool:
            return log.read_text().count("postgrest: back") == times

        for times in range(3):
            wait_until(partial(back, times))
            (victim,) = [each.pid for each in processes() if each.parent == process.pid and "/postgrest" in each.text]
            os.kill(victim, signal.SIGKILL)
        assert process.wait(20) == 1
    said, _, last_words = log.read_text().partition("postgrest died 3 times in 30 s (SIGKILL), so the stack stops:\n")
    assert said.count("postgrest: died (SIGKILL), is started again") == 2
    assert "Starting PostgREST" in last_words
    assert "devstack_probe" not in last_words
    wait_until(lambda: not parts_of(tmp_path))


def test_a_port_in_use_is_said_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with serving(tmp_path, PORT=str(port)) as (process, _, log):
            assert process.wait(30) == 1
    assert f"port {port} is in use" in log.read_text()
    assert f"PORT={port + 1} make dev" in log.read_text()


def test_edits_act_without_a_restart(tmp_path: Path) -> None:
    root = tmp_path / "root"
    app, layer = root / "functions/health/app.py", root / "layers/shared/coachline/answers.py"
    for file, text in (
        (root / "template.yaml", SMALL_TEMPLATE),
        (app, "from coachline.answers import ANSWER\ndef lambda_handler(event, context):\n    return [1, ANSWER]\n"),
        (layer, "ANSWER = 1\n"),
        (layer.with_name("__init__.py"), ""),
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for name in ("node_modules", "prisma", "prisma.config.ts"):
        (root / name).symlink_to(ROOT / name)
    with serving(tmp_path, root) as (process, url, log):

        def answers(expected: object) -> bool:
            return bool(httpx.get(f"{url}/api/health").json() == expected)

        until_health((process, url, log), 200)
        assert answers([1, 1])
        app.write_text(app.read_text().replace("[1,", "[2,"))
        wait_until(lambda: answers([2, 1]))
        layer.write_text("ANSWER = 2\n")
        wait_until(lambda: answers([2, 2]))
        app.write_text("def lambda_handler(event, context:\n")
        wait_until(lambda: health(url) == 500)
        assert "functions/health/app.py, line 1" in httpx.get(f"{url}/api/health").json()["errorMessage"]
        app.write_text("def lambda_handler(event, context):\n    return 3\n")
        wait_until(lambda: answers(3))
        assert "reloaded: functions/health/app.py" in log.read_text()
        assert "ERROR health Runtime.UserCodeSyntaxError" in log.read_text()


def test_reset_removes_a_stacks_folder_and_no_other(tmp_path: Path) -> None:
    def reset(folder: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "devstack", "reset"]
        environment = {**os.environ, "DEVSTACK_DIR": str(folder)}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    with serving(tmp_path) as stack:
        until_health(stack, 503)
        refused = reset(tmp_path / "stack")
        assert (refused.returncode, "another stack runs" in refused.stderr) == (1, True)
    wait_until(lambda: not parts_of(tmp_path))
    assert reset(tmp_path / "stack").returncode == 0
    assert not (tmp_path / "stack").exists()
    assert reset(tmp_path / "stack").returncode == 0
    refused = reset(tmp_path)
    assert (refused.returncode, "left alone" in refused.stderr) == (1, True)


SHOUT = """
import os
from devstack.__main__ import main
from devstack.stack import say
main()
for _ in range(10_000):
    say("x" * 100)
os._exit(7)
"""


def test_a_console_that_nobody_reads_does_not_stop_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SHOUT]
    silent = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert silent.wait(30) == 7
    assert silent.stdout
    silent.stdout.close()
