"""What SES says, over HTTP, and what is made of it."""

import json
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from coachline.notifications.mailer import Mailer, NotSent, ses

AWS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}


class Ses(HTTPServer):
    """Answers every call with one status and code; `calls` counts them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.code, self.calls = 200, "", 0


class _Handler(BaseHTTPRequestHandler):
    server: Ses

    def do_POST(self) -> None:
        self.server.calls += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status == 0:  # the line is cut
            return
        body = json.dumps({"MessageId": "m-1", "message": "Address not verified: jordan@example.com"}).encode()
        self.send_response(self.server.status)
        self.send_header("x-amzn-ErrorType", self.server.code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ses]:
    made = Ses()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{made.server_port}")
    ses.cache_clear()
    yield made
    ses.cache_clear()
    made.shutdown()
    thread.join()
    made.server_close()


def sent() -> str:
    mail = EmailMessage()
    mail.set_content("Hello")
    return Mailer(ses(), "notices@coachline.example").send("jordan@example.com", mail)


def test_what_is_taken_has_an_id(server: Ses) -> None:
    assert (sent(), server.calls) == ("m-1", 1)


@pytest.mark.parametrize(
    ("status", "code", "final"),
    [
        (429, "TooManyRequestsException", False),
        (400, "LimitExceededException", False),
        (400, "SendingPausedException", False),
        (400, "MailFromDomainNotVerifiedException", False),
        (500, "InternalFailure", False),
        (503, "ServiceUnavailable", False),
        (0, "", False),
        (400, "MessageRejected", True),
        (400, "BadRequestException", True),
    ],
)
def test_what_is_not_taken_says_whether_it_ever_will_be_and_no_address(
    server: Ses, status: int, code: str, final: bool
) -> None:
    server.status, server.code = status, code
    with pytest.raises(NotSent) as caught:
        sent()
    assert caught.value.final is final
    assert server.calls == 1  # whoever repeats it knows what was sent
    assert "@" not in f"{caught.value} {caught.value.__cause__}"
