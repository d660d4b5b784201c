"""What becomes of a provider's answer: who tries again, when, and what is told. Against a real server."""

import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from coachline import clock, providers
from coachline.events import RetryLater
from coachline.providers import Missing, Overloaded, Provider, Refused, Unauthorized, seconds_until, wait_of
from tests.unit.conftest import Logged

NOW = datetime(2027, 3, 8, 14, 0, tzinfo=UTC)
Answer = tuple[int, dict[str, str], bytes]


class Served:
    """A server with its answers in order, and what it was asked.

    An answer that is bytes is all that is sent before nothing more comes: the server's half of the connection is closed
    with it, or, when it is None, stays open in silence.
    """

    def __init__(self) -> None:
        self.answers: list[Answer | bytes | None] = []
        self.ended = threading.Event()  # every test's: silence is over
        self.closed = threading.Semaphore(0)  # one for each connection that the server has closed
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.asked.append((self.command, self.path, dict(self.headers), raw))
                given = outer.answers.pop(0)
                if given is None:
                    outer.ended.wait(30)
                if not isinstance(given, tuple):
                    self.wfile.write(given or b"")
                    self.close_connection = True
                    return
                status, headers, body = given
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def finish(self) -> None:
                super().finish()
                self.request.shutdown(socket.SHUT_WR)
                outer.closed.release()

            do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - the names that http.server calls

            def log_message(self, *arguments: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def then(self, status: int = 200, body: Any = None, **headers: str) -> "Served":
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append((status, named, b"" if body is None else json.dumps(body).encode()))
        return self

    def provider(self, **more: Any) -> Provider:
        code_of = lambda body: (str(body.get("code", "")), body.get("message", ""))  # noqa: E731 - a small adapter
        return Provider("acme", f"http://127.0.0.1:{self.server.server_port}/v2", code_of=code_of, **more)


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served()
    yield made
    made.ended.set()
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that would have been made."""
    pauses: list[float] = []
    monkeypatch.setattr("coachline.providers.time.sleep", pauses.append)
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Test")
    return pauses


def test_an_answer_is_its_json_and_an_empty_one_is_none(served: Served) -> None:
    served.then(201, {"id": 7}).then(204)
    acme = served.provider()
    assert acme.call("POST", "/things", json={"name": "x"}, params={"page": 2}) == {"id": 7}
    assert acme.call("DELETE", "/things/7") is None
    assert [(method, path) for method, path, _, _ in served.asked] == [
        ("POST", "/v2/things?page=2"),
        ("DELETE", "/v2/things/7"),
    ]


def test_a_call_that_may_be_repeated_is_repeated_a_little(served: Served, quick: list[float]) -> None:
    served.then(500).then(502).then(200, {"ok": True})
    assert served.provider().call("GET", "/things") == {"ok": True}
    assert [0.1 <= pause <= 0.6 for pause in quick] == [True, True]


def test_a_call_that_made_something_perhaps_is_not_repeated(served: Served) -> None:
    served.then(500)
    with pytest.raises(RetryLater):
        served.provider().call("POST", "/things", json={})
    assert len(served.asked) == 1


def test_repeating_ends(served: Served) -> None:
    served.then(500).then(500).then(500).then(200)
    with pytest.raises(RetryLater, match="acme failed: 500"):
        served.provider().call("GET", "/things")
    assert len(served.asked) == providers.ATTEMPTS


CLOSED_AFTER = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a head": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    "half of its chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "what is no HTTP": b"220 smtp.example.com ESMTP\r\n",
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("sent", CLOSED_AFTER.values(), ids=CLOSED_AFTER)
def test_a_connection_that_closes_half_way_is_for_later(served: Served, method: str, sent: bytes) -> None:
    served.answers += [sent] * providers.ATTEMPTS
    with pytest.raises(RetryLater, match="cannot be reached"):
        served.provider().call(method, "/things")
    assert len(served.asked) == (providers.ATTEMPTS if method == "GET" else 1)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_silence_is_for_later(served: Served, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "TIMEOUT", 0.1)
    served.answers += [None] * providers.ATTEMPTS
    with pytest.raises(RetryLater, match="took too long"):
        served.provider().call(method, "/things")
    assert len(served.asked) == (providers.ATTEMPTS if method == "GET" else 1)


def test_a_kept_connection_that_the_provider_has_closed_costs_no_call(served: Served) -> None:
    acme = served.provider()
    served.answers.append(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")  # and no Connection: close
    assert acme.call("GET", "/things") == {}
    assert served.closed.acquire(timeout=10)
    served.then(201, {"id": 7})
    assert acme.call("POST", "/things", json={}) == {"id": 7}


def test_nobody_there_is_for_later() -> None:
    with pytest.raises(RetryLater, match="cannot be reached"):
        Provider("acme", "http://127.0.0.1:9").call("GET", "/things")


def test_an_answer_that_is_no_json_is_for_later(served: Served) -> None:
    served.answers.append((200, {}, b"<html>"))
    with pytest.raises(RetryLater, match="no JSON"):
        served.provider().call("POST", "/things")


@pytest.mark.parametrize(
    ("status", "kind"), [(404, Missing), (410, Missing), (400, Refused), (403, Refused), (301, Refused)]
)
def test_a_refusal_has_the_status_and_the_code_of_the_provider(
    served: Served, status: int, kind: type[Refused]
) -> None:
    served.then(status, {"code": 3001, "message": "Jordan Rivera's meeting"})
    with pytest.raises(kind) as refused:
        served.provider().call("GET", "/things")
    assert (refused.value.status, refused.value.code) == (status, "3001")
    assert "Jordan" not in str(refused.value)
    assert len(served.asked) == 1


def test_a_rejected_token_is_renewed_once(served: Served) -> None:
    served.then(401).then(200, {"ok": True})
    acme = served.provider(token=lambda rejected: "new" if rejected else "old")
    assert acme.call("POST", "/things", json={}) == {"ok": True}
    assert [headers["Authorization"] for _, _, headers, _ in served.asked] == ["Bearer old", "Bearer new"]


@pytest.mark.parametrize("renewed", ["old", "new"])
def test_a_token_that_stays_rejected_is_said_so(served: Served, renewed: str) -> None:
    served.then(401).then(401).then(200)
    acme = served.provider(token=lambda rejected: renewed if rejected else "old")
    with pytest.raises(Unauthorized):
        acme.call("GET", "/things")
    assert len(served.asked) == (1 if renewed == "old" else 2)


def test_a_short_limit_is_waited_for_and_a_long_one_is_the_queue_s(served: Served, quick: list[float]) -> None:
    served.then(429, Retry_After="1").then(200, {"ok": True}).then(429, Retry_After="90")
    acme = served.provider()
    assert acme.call("GET", "/things") == {"ok": True}
    assert 1.1 <= quick[0] <= 1.3
    with pytest.raises(Overloaded) as limited:
        acme.call("GET", "/things")
    assert (limited.value.seconds, limited.value.exact, limited.value.daily) == (90, True, False)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 1),
        (format_datetime(datetime(2027, 3, 8, 14, 2, tzinfo=UTC), usegmt=True), 120),
        ("2027-03-08T14:02:00Z", 120),
        ("2027-03-08T14:02:00.5+00:00", 121),
        ("2027-03-08T16:02:00+02:00", 120),
        (str(int(NOW.timestamp()) + 30), 30),
        ("2027-03-09T00:00:00Z", 36000),
        ("2020-01-01T00:00:00Z", 1),
        ("2099-01-01T00:00:00Z", providers.LONGEST_ASKED),
        ("99999999999", providers.LONGEST_ASKED),
        *((nonsense, None) for nonsense in ("", "soon", "-1", "1e9", "12:00", "9" * 40, "\u0661")),
    ],
)
def test_every_form_of_retry_after_is_read(value: str, seconds: int | None) -> None:
    assert seconds_until(value, NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "2027-03-09T00:00:00Z", "X-RateLimit-Type": "Daily-limit"}, (36000, True)),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) + 2), "X-RateLimit-Type": "QPS"}, (2, False)),
        ({"X-RateLimit-Reset": "60"}, (60, False)),
        ({"Retry-After": "soon", "X-RateLimit-Reset": "60"}, (60, False)),
        ({}, (providers.DEFAULT_DELAY, False)),
    ],
)
def test_what_a_limit_asks_for(headers: dict[str, str], expected: tuple[int, bool]) -> None:
    assert wait_of(headers, NOW) == expected


def test_a_date_is_measured_by_the_movable_clock(served: Served, running_clock: None) -> None:
    clock.pin(NOW)
    served.then(429, Retry_After="2027-03-08T15:00:00Z")
    with pytest.raises(Overloaded) as limited:
        served.provider().call("POST", "/things")
    assert limited.value.seconds == 3600


def test_a_call_is_measured_and_its_content_is_told_to_nobody(
    served: Served, logged: Logged, capsys: pytest.CaptureFixture[str]
) -> None:
    served.then(200, {"secret": "confidential"}).then(400, {"code": 300, "message": "confidential"})
    acme = served.provider(token=lambda _: "confidential")
    acme.call("POST", "/confidential", json={"name": "confidential"})
    with pytest.raises(Refused):
        acme.call("POST", "/confidential", json={"name": "confidential"})
    printed = capsys.readouterr().out
    metrics = [json.loads(line) for line in printed.splitlines()]
    assert [(each["provider"], each["outcome"]) for each in metrics] == [("acme", "ok"), ("acme", "refused")]
    assert all(each["ProviderCall"][0] >= 0 for each in metrics)
    assert "confidential" not in printed + json.dumps(logged())
