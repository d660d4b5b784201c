"""A local stack of a test worker's own, and what tests do with one over HTTP."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from psycopg.rows import DictRow, dict_row

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60
TLS = httpx.create_ssl_context()  # to make one takes longer than a request, and each client would make its own


def wait_until(condition: Callable[[], Any], *, seconds: float = 10, what: str = "the condition") -> Any:
    """Poll until `condition` answers something true, and return that; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds} s")
        time.sleep(0.01)
    return answer


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class SignedIn:
    """A user of the stack with a client that carries the session token."""

    user_id: str
    clerk_id: str
    token: str
    http: httpx.Client

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.http.get(path, **options)

    def post(self, path: str, body: Any = None, *, key: str | None = None, **options: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return self.http.post(path, json=body, headers=headers, **options)

    def patch(self, path: str, body: Any) -> httpx.Response:
        return self.http.patch(path, json=body)

    def put(self, path: str, body: Any) -> httpx.Response:
        return self.http.put(path, json=body)

    def delete(self, path: str) -> httpx.Response:
        return self.http.delete(path)


class Stack:
    """A running local stack."""

    def __init__(
        self, base_url: str, process: subprocess.Popen[bytes] | None = None, directory: Path | None = None
    ) -> None:
        self.base_url = base_url
        self.process = process
        self.directory = directory
        self.http = httpx.Client(base_url=base_url, timeout=30, verify=TLS)
        self._info: dict[str, Any] = {}

    @property
    def info(self) -> dict[str, Any]:
        if not self._info:
            self._info = self.http.get("/_dev/info").raise_for_status().json()
        return self._info

    def user(self, *roles: str, first_name: str = "Test", last_name: str = "Person") -> SignedIn:
        """A new user with these roles (MENTEE if none are named)."""
        answer = self.http.post(
            "/_dev/users",
            json={
                "email": f"{uuid4().hex}@example.com",
                "firstName": first_name,
                "lastName": last_name,
                "roles": list(roles) or ["MENTEE"],
            },
        )
        assert answer.status_code == 200, answer.text
        user = answer.json()
        return SignedIn(user["userId"], user["clerkId"], user["token"], self.client(user["token"]))

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.base_url, headers=headers, timeout=30, verify=TLS)

    def drain(self) -> dict[str, int]:
        """As long as the stack itself gives a drain (DRAIN_SECONDS), and a little more to hear that it has given up."""
        answer: dict[str, int] = self.http.post("/_dev/drain", timeout=130).raise_for_status().json()
        return answer

    def clock(self, now: str | None) -> None:
        self.http.post("/_dev/clock", json={"now": now}).raise_for_status()

    def service_environment(self) -> dict[str, str]:
        """What every function of the service is told, for a process that is none."""
        return {
            "STAGE": "local",
            "SUPABASE_URL": self.info["supabaseUrl"],
            "SUPABASE_PUBLISHABLE_KEY": self.info["publishableKey"],
            "API_GATE_KEY": self.info["gate"]["value"],
            "CLERK_ISSUER": self.info["issuer"],
            "SECRETS_ID": "coachline/local/service",
            "AWS_ENDPOINT_URL": self.info["awsEndpointUrl"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "POWERTOOLS_METRICS_NAMESPACE": "Coachline",
        }

    @contextlib.contextmanager
    def database(self) -> Iterator[psycopg.Connection[DictRow]]:
        """The stack's database as its owner, past every wall: to look, and to prepare what no route can."""
        with psycopg.connect(self.info["databaseUrl"], row_factory=dict_row, autocommit=True) as connection:
            yield connection


def on_test_server(database: str, **more: str) -> dict[str, str]:
    """The environment of a stack whose database, made from the template, is on the run's own Postgres server."""
    return {
        "DEVSTACK_POSTGRES_URL": os.environ["COACHLINE_TEST_SERVER"],
        "DEVSTACK_DATABASE": database,
        "DEVSTACK_TEMPLATE": "coachline_template",
        "DEVSTACK_DEMO_DATA": "0",
        **more,
    }


def launched(directory: Path, environment: dict[str, str], *, port: int | None = None) -> Stack:
    """Start a stack in `directory` and wait until it is ready; its console is stack.log in there.

    Prices are agreed on in it and not collected, so that a test about times needs no account at Stripe; tests of
    payments say so (`tests.support.story.paid_sessions`).
    """
    port = port or free_port()
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "stack.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "devstack", "serve"],
            cwd=ROOT,
            env={**os.environ, "PORT": str(port), "DEVSTACK_DIR": str(directory), **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    stack = Stack(f"http://127.0.0.1:{port}", process, directory)
    try:
        wait_until(lambda: _is_ready(stack, log), seconds=READY_SECONDS, what=f"the stack (see {log})")
        with stack.database() as database:
            database.execute("select private.set_setting('flag.session_payments', 'false')")
    except BaseException:
        stopped(stack, check=False)
        raise
    return stack


def stopped(stack: Stack, *, check: bool = True) -> None:
    """Stop a stack, which has to end cleanly."""
    assert stack.process is not None
    assert stack.directory is not None
    stack.process.send_signal(signal.SIGTERM)
    try:
        code = stack.process.wait(20)
    except subprocess.TimeoutExpired:
        stack.process.kill()
        raise
    assert not check or code == 0, f"it ended with {code}:\n{(stack.directory / 'stack.log').read_text()[-2000:]}"


@contextlib.contextmanager
def running_stack(directory: Path, environment: dict[str, str]) -> Iterator[Stack]:
    """Serve a stack from `directory` until the block ends."""
    stack = launched(directory, environment)
    try:
        yield stack
    finally:
        stopped(stack)


def _is_ready(stack: Stack, log: Path) -> bool:
    assert stack.process is not None
    assert stack.process.poll() is None, f"the stack did not start:\n{log.read_text()[-4000:]}"
    try:
        return stack.http.get("/api/health").status_code == 200
    except httpx.TransportError:
        return False
