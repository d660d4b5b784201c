"""Keys that the issuer publishes: fetched when needed, kept when it is out of reach, never asked for in a loop."""

import socket
import time
from collections.abc import Iterator

import pytest

from coachline import auth
from coachline.problems import Unauthenticated, Unavailable
from tests.unit.auth.tokens import KeyServer, SigningKey, key_server
from tests.unit.conftest import Configure


@pytest.fixture
def published(configure: Configure, key: SigningKey) -> Iterator[KeyServer]:
    with key_server() as server:
        server.publish(key)
        configure(CLERK_JWKS_URL=server.url)
        yield server


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds to add to the monotonic clock of the key set."""
    ahead = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: ahead[0])
    return ahead


def test_one_fetch_serves_many_tokens(published: KeyServer, key: SigningKey) -> None:
    for _ in range(3):
        assert auth.verify(key.token()).clerk_id == "user_1"

    assert published.asked == 1


def test_two_published_keys_are_both_good(published: KeyServer, key: SigningKey, other_key: SigningKey) -> None:
    published.publish(key, other_key)

    assert auth.verify(other_key.token())
    assert auth.verify(key.token())
    assert published.asked == 1


def test_a_new_key_is_found_by_one_more_fetch(
    published: KeyServer, later: list[float], key: SigningKey, other_key: SigningKey
) -> None:
    auth.verify(key.token())
    published.publish(other_key)
    later[0] += 31

    assert auth.verify(other_key.token())
    with pytest.raises(Unauthenticated):
        auth.verify(key.token())
    assert published.asked == 2


def test_made_up_key_ids_cause_one_fetch_in_thirty_seconds(
    published: KeyServer, later: list[float], key: SigningKey, other_key: SigningKey
) -> None:
    auth.verify(key.token())
    for second in range(40):
        later[0] = float(second)
        with pytest.raises(Unauthenticated):
            auth.verify(other_key.token(headers={"kid": f"made-up-{second}"}))

    assert published.asked == 2


def test_a_withdrawn_key_is_forgotten_within_the_hour(
    published: KeyServer, later: list[float], key: SigningKey, other_key: SigningKey
) -> None:
    auth.verify(key.token())
    published.publish(other_key)
    later[0] += 3601

    with pytest.raises(Unauthenticated):
        auth.verify(key.token())


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, b"oops"),
        (200, b"<html>"),
        (200, b"{}"),
        (200, b'{"keys": []}'),
        (200, b'{"keys": [1, {"kty": "RSA"}]}'),
        (200, b"[]"),
    ],
)
def test_keys_once_known_survive_an_issuer_that_fails(
    published: KeyServer, later: list[float], key: SigningKey, status: int, answer: bytes
) -> None:
    auth.verify(key.token())
    published.status, published.answer = status, answer
    later[0] += 4000

    assert auth.verify(key.token())
    assert published.asked == 2


def test_an_unreachable_issuer_does_not_matter_when_a_key_is_configured(configure: Configure, key: SigningKey) -> None:
    configure(CLERK_JWT_KEY=key.pem, CLERK_JWKS_URL="http://127.0.0.1:1/jwks.json")

    assert auth.verify(key.token())


def test_a_silent_issuer_is_waited_for_only_briefly(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, key: SigningKey
) -> None:
    assert auth.JWKS_TIMEOUT_SECONDS == 3
    monkeypatch.setattr(auth, "JWKS_TIMEOUT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        configure(CLERK_JWKS_URL=f"http://127.0.0.1:{silent.getsockname()[1]}/jwks.json")

        with pytest.raises(Unavailable):
            auth.verify(key.token())


def test_without_any_key_we_are_unavailable_and_nobody_is_logged_out(configure: Configure, key: SigningKey) -> None:
    configure(CLERK_JWKS_URL="http://127.0.0.1:1/jwks.json")

    with pytest.raises(Unavailable) as refused:
        auth.verify(key.token())
    assert refused.value.headers["Retry-After"]


def test_a_rotated_key_is_accepted_before_the_configured_one_is_changed(
    configure: Configure, key: SigningKey, other_key: SigningKey
) -> None:
    with key_server() as server:
        server.publish(other_key)
        configure(CLERK_JWT_KEY=key.pem, CLERK_JWKS_URL=server.url)

        assert auth.verify(key.token())
        assert server.asked == 0
        assert auth.verify(other_key.token())
        assert server.asked == 1


def test_a_token_without_a_key_id_fits_only_the_configured_key(
    configure: Configure, key: SigningKey, published: KeyServer
) -> None:
    token = key.token(headers={"kid": None})
    with pytest.raises(Unauthenticated):
        auth.verify(token)

    configure(CLERK_JWT_KEY=key.pem)
    assert auth.verify(token)


def test_an_expired_token_causes_no_fetch_when_its_key_is_configured(configure: Configure, key: SigningKey) -> None:
    with key_server() as server:
        configure(CLERK_JWT_KEY=key.pem, CLERK_JWKS_URL=server.url)
        with pytest.raises(Unauthenticated):
            auth.verify(key.token(exp=int(time.time()) - 60))

    assert server.asked == 0
