"""Which tokens stand for somebody. The key is configured here: no network."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachline import auth
from coachline.problems import Unauthenticated
from tests.unit.auth.tokens import SigningKey, session_claims
from tests.unit.conftest import Configure

HUGE_NUMBER_HEADER = b'{"alg":"RS256","kid":' + b"9" * 5000 + b"}"


@pytest.fixture(autouse=True)
def configured_key(configure: Configure, key: SigningKey) -> None:
    configure(CLERK_JWT_KEY=key.pem)


def refusal(token: str) -> str:
    with pytest.raises(Unauthenticated) as refused:
        auth.verify(token)
    assert refused.value.status == 401
    assert refused.value.headers["WWW-Authenticate"].startswith("Bearer")
    assert len(token) < 20 or token not in str(refused.value)
    return refused.value.detail


def segment(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def test_a_session_token_names_its_user_and_session(key: SigningKey) -> None:
    token = key.token(act={"sub": "user_admin", "iss": "x", "sid": "y"})

    principal = auth.verify(token)

    assert principal == auth.Principal("user_1", token, "sess_1", "https://app.test", "user_admin")
    assert token not in repr(principal)


def test_a_key_passed_through_one_line_of_configuration_still_works(configure: Configure, key: SigningKey) -> None:
    configure(CLERK_JWT_KEY=key.pem.replace("\n", "\\n"))

    assert auth.verify(key.token()).clerk_id == "user_1"


def test_a_broken_configured_key_is_our_fault_and_not_the_callers(configure: Configure, key: SigningKey) -> None:
    configure(CLERK_JWT_KEY="-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----")

    with pytest.raises(RuntimeError, match="CLERK_JWT_KEY"):
        auth.verify(key.token())


@pytest.mark.parametrize("seconds", [-4, 4])
def test_five_seconds_of_clock_skew_are_accepted(key: SigningKey, seconds: int) -> None:
    now = int(time.time())
    skewed: dict[str, Any] = {"exp": now + seconds} if seconds < 0 else {"nbf": now + seconds, "iat": now + seconds}

    assert auth.verify(key.token(**skewed))


def test_an_expired_token_is_told_so(key: SigningKey) -> None:
    assert refusal(key.token(exp=int(time.time()) - 6)) == auth.EXPIRED


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_token_of_the_future_is_refused(key: SigningKey, claim: str) -> None:
    claims: dict[str, Any] = {claim: int(time.time()) + 30}

    assert refusal(key.token(**claims)) == auth.MALFORMED


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf", "iss", "sub"])
def test_a_token_without_a_needed_claim_is_refused(key: SigningKey, claim: str) -> None:
    assert refusal(key.token(without=claim)) == auth.MALFORMED


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://clerk.elsewhere"},
        {"iss": ""},
        {"aud": "https://another.api"},
        {"azp": "https://evil.test"},
        {"azp": None},
        {"azp": ["https://app.test"]},
    ],
)
def test_a_token_for_somebody_else_is_refused(key: SigningKey, claims: dict[str, Any]) -> None:
    assert refusal(key.token(**claims)) == auth.FOREIGN


def test_a_token_without_a_front_end_is_refused_only_where_front_ends_are_listed(
    configure: Configure, key: SigningKey
) -> None:
    token = key.token(without="azp")
    assert refusal(token) == auth.FOREIGN

    configure(CLERK_JWT_KEY=key.pem, CLERK_AUTHORIZED_PARTIES="")
    assert auth.verify(token).azp is None


def test_a_pending_session_is_refused(key: SigningKey) -> None:
    assert refusal(key.token(sts="pending")) == auth.PENDING


def test_a_token_signed_by_somebody_else_is_refused(other_key: SigningKey) -> None:
    assert refusal(other_key.token()) == auth.MALFORMED


def test_alg_none_is_refused() -> None:
    unsigned = f"{segment({'alg': 'none', 'typ': 'JWT'})}.{segment(session_claims())}."

    assert refusal(unsigned) == auth.MALFORMED


def test_the_public_key_is_no_secret_to_sign_with(key: SigningKey) -> None:
    # PyJWT itself refuses to encode this, so it is done by hand, as an attacker would.
    signed = f"{segment({'alg': 'HS256', 'typ': 'JWT', 'kid': key.kid})}.{segment(session_claims())}"
    signature = hmac.digest(key.pem.encode(), signed.encode(), hashlib.sha256)

    assert refusal(f"{signed}.{segment(signature)}") == auth.MALFORMED


@pytest.mark.parametrize("alg", ["RS384", "PS256"])
def test_other_algorithms_of_the_same_key_are_refused(key: SigningKey, alg: str) -> None:
    assert refusal(jwt.encode(session_claims(), key.private, algorithm=alg)) == auth.MALFORMED


@pytest.mark.parametrize("headers", [{"typ": "at+jwt"}, {"crit": ["exp"], "exp": 1}, {"crit": ["b64"], "b64": True}])
def test_a_header_that_asks_for_something_else_is_refused(key: SigningKey, headers: dict[str, Any]) -> None:
    assert refusal(key.token(headers=headers)) == auth.MALFORMED


def test_a_changed_payload_is_refused(key: SigningKey) -> None:
    head, _, signature = key.token().split(".")

    assert refusal(f"{head}.{segment(session_claims(sub='user_2'))}.{signature}") == auth.MALFORMED


@pytest.mark.parametrize(
    "claims", [{"sub": ""}, {"sub": 7}, {"exp": "soon"}, {"nbf": None}, {"iat": [1]}, {"exp": 1e400}]
)
def test_claims_of_the_wrong_kind_are_refused(key: SigningKey, claims: dict[str, Any]) -> None:
    assert refusal(key.token(**claims)) == auth.MALFORMED


def test_a_token_of_over_four_kilobytes_is_read_and_an_endless_one_is_not(key: SigningKey) -> None:
    assert auth.verify(key.token(metadata="x" * 3500)).clerk_id == "user_1"
    assert refusal(key.token(metadata="x" * 9000)) == auth.MALFORMED


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "e30.e30.e30",
        f"{segment([1])}.{segment({})}.AAAA",
        f"{segment(b'{')}.{segment({})}.AAAA",
        f"{segment(b'[' * 4000)}.{segment({})}.AAAA",
        f"{segment(HUGE_NUMBER_HEADER)}.{segment({})}.AAAA",
        f"{segment({'alg': ['RS256']})}.{segment({})}.AAAA",
        f"{segment({'alg': 'RS256', 'kid': {}})}.{segment({})}.AAAA",
        f"{segment({'alg': 'RS256', 'typ': []})}.{segment({})}.AAAA",
    ],
)
def test_garbage_is_refused(token: str) -> None:
    assert refusal(token) == auth.MALFORMED


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: f"{segment(raw)}.{segment(raw)}.{segment(raw)}"))
def test_no_text_breaks_the_check(token: str) -> None:
    with pytest.raises(Unauthenticated):
        auth.verify(token)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwdw==",
        "Bearer x",
        "Token {}",
        "{}",
        "Bearer {} {}",
        "Bearer {},Bearer {}",
        "Bearer {}\u00e9",
        "Bearer \u0661.\u0661.\u0661",
        "Bearer {}\n",
        "Bearer\x00{}",
    ],
)
def test_an_authorization_header_of_another_form_is_refused(key: SigningKey, header: str) -> None:
    with pytest.raises(Unauthenticated):
        auth.principal_of(header.replace("{}", key.token()))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_may_be_written_in_any_case(key: SigningKey, scheme: str) -> None:
    assert auth.principal_of(f"{scheme} {key.token()}").clerk_id == "user_1"


def test_without_a_token_the_challenge_names_no_error() -> None:
    with pytest.raises(Unauthenticated) as refused:
        auth.principal_of(None)

    assert refused.value.headers == {"WWW-Authenticate": "Bearer"}
