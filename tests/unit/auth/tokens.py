"""Session tokens as Clerk makes them, and a server for the keys that they are signed with."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

ISSUER = "https://clerk.test"


@dataclass
class SigningKey:
    """An RSA key of the issuer's (or of somebody who would like to be the issuer)."""

    kid: str = "key-1"
    private: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    @cached_property
    def pem(self) -> str:
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def jwk(self) -> dict[str, Any]:
        return {**RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True), "kid": self.kid, "use": "sig"}

    def token(self, *, without: str | None = None, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """A good token, but for what is given; a header of None is left out."""
        payload = session_claims(**claims)
        payload.pop(without or "", None)
        given = {"kid": self.kid, **(headers or {})}
        sent = {name: value for name, value in given.items() if value is not None}
        return jwt.encode(payload, self.private, algorithm="RS256", headers=sent)


def session_claims(**changed: Any) -> dict[str, Any]:
    """The claims of a version 2 session token: 60 seconds from now."""
    now = int(time.time())
    return {
        "azp": "https://app.test",
        "exp": now + 60,
        "fva": [0, -1],
        "iat": now,
        "iss": ISSUER,
        "jti": "a1b2c3",
        "nbf": now - 10,
        "role": "authenticated",
        "sid": "sess_1",
        "sts": "active",
        "sub": "user_1",
        "v": 2,
        **changed,
    }


@dataclass
class KeyServer:
    """Publishes a key set; `answer` is what it says next, `asked` how often it was asked."""

    url: str
    answer: bytes = b""
    status: int = 200
    asked: int = 0

    def publish(self, *keys: SigningKey) -> None:
        self.status, self.answer = 200, json.dumps({"keys": [key.jwk for key in keys]}).encode()


@contextmanager
def key_server() -> Iterator[KeyServer]:
    """A key server on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked += 1
            self.send_response(state.status)
            self.end_headers()
            self.wfile.write(state.answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = KeyServer(f"http://127.0.0.1:{server.server_port}/.well-known/jwks.json")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
