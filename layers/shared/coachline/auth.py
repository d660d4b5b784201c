"""Clerk session tokens: who is calling. https://clerk.com/docs/backend-requests/manual-jwt"""

import re
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPException
from typing import Any

import jwt
from jwt.algorithms import RSAAlgorithm

from coachline.logs import logger
from coachline.problems import Unauthenticated, Unavailable
from coachline.settings import api_settings

LEEWAY_SECONDS = 5  # the clock skew that Clerk's own SDKs accept
LONGEST_TOKEN = 8192  # API Gateway takes 10,240 bytes of headers in all
JWKS_TIMEOUT_SECONDS = 3
JWKS_MAX_BYTES = 100_000
JWKS_LIFETIME_SECONDS = 3600  # so that a key that Clerk withdrew is forgotten
JWKS_PAUSE_SECONDS = 30  # between two fetches, so that made-up key ids cannot make us hammer Clerk

_BEARER = re.compile(r"bearer +([A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]+) *", re.ASCII | re.IGNORECASE)
_REQUIRED_CLAIMS = ["exp", "iat", "nbf", "iss", "sub"]

MALFORMED = "The session token is not valid."
EXPIRED = "The session token has expired."
FOREIGN = "The session token was not issued for this API."
PENDING = "The session is not complete yet."


@dataclass(frozen=True)
class Principal:
    """Whom a verified token stands for. `act_sub` is the Clerk id of whoever impersonates them, if anyone does."""

    clerk_id: str
    token: str = field(repr=False)
    session_id: str | None
    azp: str | None
    act_sub: str | None


def principal_of(authorization: str | None) -> Principal:
    """The caller named by an `Authorization` header; raises Unauthenticated."""
    if not authorization:
        raise Unauthenticated
    bearer = _BEARER.fullmatch(authorization)
    if not bearer:
        raise Unauthenticated(MALFORMED)
    return verify(bearer[1])


def verify(token: str) -> Principal:
    """Check a session token and say whom it stands for; raises Unauthenticated with one of four texts.

    RS256 only, by the configured PEM (no network) or else by the issuer's published keys; from our issuer, in force
    now, and for a front end of ours. A token without `azp` is refused when front ends are listed (ADR).
    Raises Unavailable when no key is known at all and none can be fetched.
    """
    claims = _claims(token)
    parties = api_settings().clerk_authorized_parties
    azp = claims.get("azp")
    if parties and azp not in parties:
        raise Unauthenticated(FOREIGN)
    if claims.get("role") != "authenticated":
        # Supabase's third-party auth reads the database role here; another one is no session of ours.
        raise Unauthenticated(FOREIGN)
    if claims.get("sts") == "pending":
        raise Unauthenticated(PENDING)
    actor = claims.get("act")
    return Principal(
        clerk_id=claims["sub"],
        token=token,
        session_id=_text(claims.get("sid")),
        azp=_text(azp),
        act_sub=_text(actor.get("sub")) if isinstance(actor, dict) else None,
    )


def _claims(token: str) -> dict[str, Any]:
    if len(token) > LONGEST_TOKEN:
        raise Unauthenticated(MALFORMED)
    try:
        header = jwt.get_unverified_header(token)
        if str(header.get("typ", "JWT")).upper() != "JWT":
            raise Unauthenticated(MALFORMED)
        for key in _keys(header.get("kid")):
            try:
                claims = _decoded(token, key)
            except jwt.InvalidSignatureError:
                continue
            if claims["sub"]:
                return claims
    except jwt.ExpiredSignatureError:
        raise Unauthenticated(EXPIRED) from None
    except (jwt.InvalidIssuerError, jwt.InvalidAudienceError):
        raise Unauthenticated(FOREIGN) from None
    except (jwt.PyJWTError, ValueError):
        raise Unauthenticated(MALFORMED) from None
    raise Unauthenticated(MALFORMED)


def _decoded(token: str, key: Any) -> dict[str, Any]:
    return jwt.decode(
        token,
        key,
        algorithms=["RS256"],
        issuer=api_settings().clerk_issuer,
        leeway=LEEWAY_SECONDS,
        options={"require": _REQUIRED_CLAIMS},
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _keys(kid: Any) -> Iterator[Any]:
    """The keys that may have signed the token, the one that costs no network first."""
    if pem := api_settings().clerk_jwt_key:
        yield _pem_key(pem)
    url = api_settings().clerk_jwks_url
    if url and isinstance(kid, str) and (key := _key_set(url).key(kid)):
        yield key


@cache
def _pem_key(pem: str) -> Any:
    try:
        return RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(pem)
    except (jwt.PyJWTError, ValueError, TypeError):
        # Our mistake and nobody's token: it must not look like a 401.
        raise RuntimeError("CLERK_JWT_KEY is not a PEM public key") from None


@cache
def _key_set(url: str) -> "_KeySet":
    return _KeySet(url)


class _KeySet:
    """An issuer's published keys by id, fetched when needed and kept for as long as nothing newer can be had."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str, Any] = {}
        self._fetched = self._tried = float("-inf")

    def key(self, kid: str) -> Any | None:
        """The key, or None when the issuer has none of that id; Unavailable when nobody knows."""
        now = time.monotonic()
        stale = kid not in self._keys or now - self._fetched > JWKS_LIFETIME_SECONDS
        if stale and now - self._tried > JWKS_PAUSE_SECONDS:
            self._tried = now
            try:
                self._keys, self._fetched = _fetch_keys(self._url), now
            except (OSError, HTTPException, ValueError, TypeError, AttributeError, KeyError, jwt.PyJWTError) as error:
                logger.warning("jwks.unreachable", extra={"reason": type(error).__name__})
        if not self._keys:
            raise Unavailable
        return self._keys.get(kid)


def _fetch_keys(url: str) -> dict[str, Any]:
    """The RSA keys of a key set (RFC 7517) by id; raises as connections, parsers and PyJWT do."""
    with urllib.request.urlopen(url, timeout=JWKS_TIMEOUT_SECONDS) as response:  # noqa: S310 - from our configuration
        published = jwt.PyJWKSet.from_json(response.read(JWKS_MAX_BYTES).decode())
    keys = {key.key_id: key.key for key in published.keys if key.key_id and key.algorithm_name == "RS256"}
    if not keys:
        raise ValueError("no usable key")
    return keys
