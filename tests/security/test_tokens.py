"""Session tokens at both doors: the API, and PostgREST behind it. Whatever is wrong with one, the answer is 401."""

import json
import time
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.stack import Stack

AN_HOUR_AGO, IN_AN_HOUR = int(time.time()) - 3600, int(time.time()) + 3600


@pytest.fixture(scope="module")
def signing_key(stack: Stack) -> str:
    """The Clerk simulator's private key: what a token is wrong in here is never its signature, unless said so."""
    assert stack.directory is not None
    key: str = json.loads((stack.directory / "keys.json").read_text())["clerk_private_key"]
    return key


def claims(stack: Stack, **changes: Any) -> dict[str, Any]:
    user = stack.user()
    told = jwt.decode(user.token, options={"verify_signature": False}) | changes
    return {name: value for name, value in told.items() if value is not None}


def sign(stack: Stack, key: str, told: dict[str, Any], algorithm: str = "RS256") -> str:
    kid = stack.http.get(stack.info["jwksUrl"]).json()["keys"][0]["kid"]  # the oldest key
    return jwt.encode(told, key, algorithm=algorithm, headers={"kid": kid})


def both_doors(stack: Stack, token: str) -> tuple[int, int]:
    info = stack.info
    api = httpx.get(f"{stack.base_url}/api/user", headers={"Authorization": f"Bearer {token}"})
    headers = {
        "Authorization": f"Bearer {token}",
        "apikey": info["publishableKey"],
        info["gate"]["header"]: info["gate"]["value"],
    }
    rest = httpx.get(f"{info['supabaseUrl']}/rest/v1/rpc/get_me", headers=headers)
    if api.status_code == 401:
        assert api.headers["www-authenticate"].startswith("Bearer")
        assert api.json()["code"] == "unauthenticated"
    return api.status_code, rest.status_code


def test_a_good_token_opens_both(stack: Stack, signing_key: str) -> None:
    assert both_doors(stack, sign(stack, signing_key, claims(stack))) == (200, 200)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://clerk.elsewhere.example"},
        {"azp": "https://evil.example"},
        {"azp": None},
        {"exp": None},
        {"exp": AN_HOUR_AGO},
        {"sub": None},
        {"sts": "pending"},
        {"nbf": IN_AN_HOUR},
        {"role": "service_role"},
        {"role": "postgres"},
    ],
    ids=["iss", "azp", "no azp", "no exp", "expired", "no sub", "pending", "not yet", "service_role", "postgres"],
)
def test_a_token_that_says_the_wrong_thing_opens_neither(
    stack: Stack, signing_key: str, changes: dict[str, Any]
) -> None:
    api, rest = both_doors(stack, sign(stack, signing_key, claims(stack, **changes)))
    assert api == 401
    assert rest in {401, 403}


def test_a_token_signed_in_any_other_way_opens_neither(stack: Stack, signing_key: str) -> None:
    told = claims(stack)
    private = serialization.load_pem_private_key(signing_key.encode(), None)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    header = {"alg": "HS256", "typ": "JWT", "kid": jwt.get_unverified_header(stack.user().token)["kid"]}
    parts = [jwt.utils.base64url_encode(json.dumps(part).encode()) for part in (header, told)]
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(b".".join(parts), public)
    confused = b".".join([*parts, jwt.utils.base64url_encode(mac)]).decode()
    unsigned = jwt.encode(told, "", algorithm="none")
    for token in (
        sign(stack, stranger.decode(), told),
        confused,
        unsigned,
        "x.y.z",
        sign(stack, signing_key, told)[:-4],
    ):
        api, rest = both_doors(stack, token)
        assert (api, rest) == (401, 401)


def test_five_seconds_of_skew_are_forgiven(stack: Stack, signing_key: str) -> None:
    told = claims(stack)
    assert both_doors(stack, sign(stack, signing_key, told))[0] == 200  # so that the next answers come at once
    now = int(time.time())
    assert both_doors(stack, sign(stack, signing_key, told | {"exp": now - 3}))[0] == 200
    now = int(time.time())
    assert both_doors(stack, sign(stack, signing_key, told | {"iat": now + 3, "nbf": now + 3}))[0] == 200
