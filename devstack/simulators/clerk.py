"""Clerk: users, sessions and their tokens, the public keys, and signed webhooks about users.

Shapes: Clerk's Backend API and webhook reference; clerk.json holds what is the same in every object. Signatures and
retries: Svix.
"""

import base64
import hashlib
import hmac
import json
import secrets
import string
import time
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from multidict import MultiMapping

from devstack.clock import Clock
from devstack.config import Keys
from devstack.simulators.base import Row, Simulator, Webhooks

OBJECTS: dict[str, Row] = json.loads(Path(__file__).with_suffix(".json").read_text())
RETRY_SECONDS = (0, 5, 300, 1800, 7200, 18_000, 36_000, 36_000)
TOKEN_SECONDS = 60
METADATA = ("public_metadata", "private_metadata", "unsafe_metadata")
EDITABLE = ("first_name", "last_name", "external_id", "username", "locale", *METADATA)
WEEK = 7 * 86_400_000


class ClerkError(Exception):
    """A refusal in Clerk's shape."""

    def __init__(self, status: int, code: str, message: str, parameter: str = "") -> None:
        super().__init__(message)
        meta = {"param_name": parameter} if parameter else {}
        error = {"message": message, "long_message": message, "code": code, "meta": meta}
        body = {"errors": [error], "clerk_trace_id": secrets.token_hex(16)}
        headers = {"Retry-After": "1"} if status == 429 else {}
        self.response = web.json_response(body, status=status, headers=headers)


class Clerk(Simulator):
    """One instance. Its tokens are for the origin `url`, where it is served; its webhooks go to `receiver`."""

    name = "clerk"

    def __init__(self, directory: Path, clock: Clock, keys: Keys, *, url: str, receiver: str) -> None:
        super().__init__(directory, clock)
        self.issuer = f"{url}/_sim/clerk"
        self._party = url
        self._first_key = keys.clerk_private_key
        self._secret = base64.b64decode(keys.clerk_webhook_secret.removeprefix("whsec_"))
        self.webhooks = Webhooks(self.store, self.faults, url=receiver, sign=self._signed, schedule=RETRY_SECONDS)
        self.on_keys: Callable[[Row], Awaitable[None]] | None = None  # told when the public keys change
        routes: dict[str, Callable[[_Call], Any]] = {
            "GET /.well-known/jwks.json": lambda _: self.jwks(),
            "GET /v1/jwks": lambda _: self.jwks(),
            "POST /v1/users": lambda call: self.create_user(call.body),
            "GET /v1/users": self._list_users,
            "GET /v1/users/{id}": lambda call: self._user(call.id),
            "PATCH /v1/users/{id}": self._update_user,
            "DELETE /v1/users/{id}": self._delete_user,
            "PATCH /v1/users/{id}/metadata": self._merge_metadata,
            "PUT /v1/users/{id}/metadata": self._replace_metadata,
            "POST /v1/sessions": lambda call: self._new_session(str(call.body.get("user_id"))),
            "POST /v1/sessions/{id}/tokens": self._create_token,
        }
        for route, handler in routes.items():
            method, path = route.split()
            self.app.router.add_route(method, path, _answered(handler))
        self._load_keys()

    def jwks(self) -> Row:
        keys = [(kid, RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)) for kid, key in self._keys.items()]
        return {"keys": [{**key, "kid": kid, "use": "sig", "alg": "RS256"} for kid, key in keys]}

    def public_key(self) -> str:
        """The oldest key as PEM, as the dashboard shows it for verification without a network."""
        key = next(iter(self._keys.values())).public_key()
        return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def find_user(self, email: str) -> Row | None:
        """The user with this address, whatever its case."""
        return next((user for user in self.store.all("user") if email.lower() in _addresses(user)), None)

    def create_user(self, body: Row) -> Row:
        """Make a user from what POST /v1/users takes; ClerkError when it is not right."""
        emails, phones = body.get("email_address") or [], body.get("phone_number") or []
        if not isinstance(emails, list) or not all(isinstance(email, str) for email in emails):
            raise ClerkError(422, "form_param_format_invalid", "must be an array of strings", "email_address")
        if any(map(self.find_user, emails)):
            message = "That email address is taken. Please try another."
            raise ClerkError(422, "form_identifier_exists", message, "email_address")
        user = self._new("user", "user", last_active_at=self._now())
        user |= {key: body[key] for key in EDITABLE if body.get(key) is not None}
        for kind, field, values in (
            ("email_address", "email_addresses", emails),
            ("phone_number", "phone_numbers", phones),
        ):
            user[field] = [self._new(kind, "idn", **{kind: value}) for value in values]
            user[f"primary_{kind}_id"] = user[field][0]["id"] if values else None
        self.store.put("user", user["id"], user)
        self._notify("user.created", user)
        return user

    def change_user(self, user: Row, **changes: Any) -> Row:
        user = user | changes | {"updated_at": max(self._now(), user["updated_at"] + 1)}
        self.store.put("user", user["id"], user)
        self._notify("user.updated", user)
        return user

    def sign_in(self, user_id: str, seconds: int) -> str:
        """A new session's first token."""
        return self._token(self._new_session(user_id), seconds)

    async def control(self, options: Row) -> None:
        rotate, keep_old = options.pop("rotateKey", False), options.pop("keepOld", True)
        await super().control(options)
        if rotate:
            for row in [] if keep_old else self.store.all("key"):
                self.store.delete("key", row["id"])
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
            self._add_key(key.private_bytes(encoding, form, serialization.NoEncryption()).decode())
            await self._keys_changed()

    async def reset(self) -> None:
        await self.webhooks.forget()
        await super().reset()
        await self._keys_changed()

    def error(self, status: int) -> web.Response:
        code, message = ("too_many_requests", "Too many requests") if status == 429 else ("internal", "Internal error")
        return ClerkError(status, code, message).response

    async def _keys_changed(self) -> None:
        self._load_keys()
        if self.on_keys:
            await self.on_keys(self.jwks())

    def _load_keys(self) -> None:
        """Read the signing keys by their id, the current one last."""
        if not self.store.all("key"):
            self._add_key(self._first_key)
        self._keys: dict[str, rsa.RSAPrivateKey] = {}
        for row in sorted(self.store.all("key"), key=lambda row: int(row["at"])):
            key = serialization.load_pem_private_key(row["pem"].encode(), None)
            if not isinstance(key, rsa.RSAPrivateKey):
                raise TypeError(f"{row['id']} is no RSA key")
            self._keys[row["id"]] = key

    def _add_key(self, pem: str) -> None:
        name = "ins_" + hashlib.sha256(pem.encode()).hexdigest()[:27]
        self.store.put("key", name, {"id": name, "pem": pem, "at": time.time_ns()})

    def _token(self, session: Row, seconds: int) -> str:
        """A session token, version 2, with the two claims that our instance adds: role and metadata."""
        user = self._user(session["user_id"])
        kid, key = list(self._keys.items())[-1]
        now = int(time.time())  # real time, whatever the stack's clock says
        claims = {"azp": self._party, "iss": self.issuer, "sub": user["id"], "sid": session["id"], "sts": "active"}
        claims |= {"iat": now, "nbf": now - 10, "exp": now + seconds, "jti": secrets.token_hex(10), "fva": [0, -1]}
        claims |= {"v": 2, "role": "authenticated", "metadata": user["public_metadata"]}
        return jwt.encode(claims, key, "RS256", headers={"kid": kid, "oiat": now})

    def _new_session(self, user_id: str) -> Row:
        self._user(user_id)
        now = self._now()
        times = {"last_active_at": now, "expire_at": now + WEEK, "abandon_at": now + 4 * WEEK}
        session = self._new("session", "sess", user_id=user_id, client_id=_new_id("client"), **times)
        self.store.put("session", session["id"], session)
        return session

    def _create_token(self, call: "_Call") -> Row:
        session = self.store.get("session", call.id)
        if session is None:
            raise ClerkError(404, "resource_not_found", "not found")
        seconds = call.body.get("expires_in_seconds") or TOKEN_SECONDS
        if not isinstance(seconds, int):
            raise ClerkError(422, "form_param_format_invalid", "must be a number", "expires_in_seconds")
        return {"object": "token", "jwt": self._token(session, seconds)}

    def _list_users(self, call: "_Call") -> list[Row]:
        users = sorted(self.store.all("user"), key=lambda user: (user["created_at"], user["id"]), reverse=True)
        if emails := {email.lower() for email in call.query.getall("email_address", [])}:
            users = [user for user in users if _addresses(user) & emails]
        for parameter, field in (("user_id", "id"), ("external_id", "external_id")):
            if wanted := call.query.getall(parameter, []):
                users = [user for user in users if user[field] in wanted]
        offset, limit = (call.query.get(name, default) for name, default in (("offset", "0"), ("limit", "10")))
        if not (offset.isdecimal() and limit.isdecimal() and 1 <= int(limit) <= 500):
            raise ClerkError(422, "form_param_format_invalid", "must be a number in range", "limit")
        return users[int(offset) : int(offset) + int(limit)]

    def _update_user(self, call: "_Call") -> Row:
        return self.change_user(self._user(call.id), **{key: call.body[key] for key in EDITABLE if key in call.body})

    def _merge_metadata(self, call: "_Call") -> Row:
        user, given = self._user(call.id), [key for key in METADATA if key in call.body]
        return self.change_user(user, **{key: merged(user[key], call.body[key]) for key in given})

    def _replace_metadata(self, call: "_Call") -> Row:
        return self.change_user(self._user(call.id), **{key: call.body[key] for key in METADATA if key in call.body})

    def _delete_user(self, call: "_Call") -> Row:
        user = self._user(call.id)
        self.store.delete("user", user["id"])
        for session in self.store.all("session"):
            if session["user_id"] == user["id"]:
                self.store.delete("session", session["id"])
        deleted: Row = {"deleted": True, "id": user["id"], "object": "user"}
        if user["external_id"]:
            deleted["external_id"] = user["external_id"]
        self._notify("user.deleted", deleted)
        return deleted

    def _user(self, user_id: str) -> Row:
        user = self.store.get("user", user_id)
        if user is None:
            raise ClerkError(404, "resource_not_found", "not found")
        return user

    def _new(self, kind: str, prefix: str, **fields: Any) -> Row:
        now = self._now()
        return deepcopy(OBJECTS[kind]) | {"id": _new_id(prefix), "created_at": now, "updated_at": now, **fields}

    def _notify(self, kind: str, data: Row) -> None:
        attributes = {"http_request": {"client_ip": "127.0.0.1", "user_agent": "devstack"}}
        envelope: Row = {
            "data": data,
            "event_attributes": attributes,
            "instance_id": "ins_2localStack",
            "object": "event",
        }
        envelope |= {"timestamp": self._now(), "type": kind}
        self.webhooks.send(_new_id("msg"), json.dumps(envelope).encode())

    def _signed(self, message_id: str, body: bytes) -> dict[str, str]:
        stamp = str(int(time.time()))
        digest = hmac.digest(self._secret, f"{message_id}.{stamp}.".encode() + body, "sha256")
        signature = f"v1,{base64.b64encode(digest).decode()}"
        return {"svix-id": message_id, "svix-timestamp": stamp, "svix-signature": signature}

    def _now(self) -> int:
        return int(self.clock.now().timestamp() * 1000)


def merged(old: Row, patch: Any) -> Row:
    """Clerk's deep merge: null deletes a key, objects are merged, everything else is replaced."""
    if not isinstance(patch, dict):
        raise ClerkError(422, "form_param_format_invalid", "must be an object")
    result = dict(old)
    for key, value in patch.items():
        before = result.pop(key, None)
        if isinstance(value, dict):
            result[key] = merged(before if isinstance(before, dict) else {}, value)
        elif value is not None:
            result[key] = value
    return result


@dataclass(frozen=True)
class _Call:
    id: str
    query: MultiMapping[str]
    body: Row


def _answered(handler: Callable[[_Call], Any]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.read() or b"{}")
        except ValueError:
            body = None
        try:
            if not isinstance(body, dict):
                raise ClerkError(400, "request_body_invalid", "Request body is invalid")
            return web.json_response(handler(_Call(request.match_info.get("id", ""), request.query, body)))
        except ClerkError as error:
            return error.response

    return answer


def _addresses(user: Row) -> set[str]:
    return {entry["email_address"].lower() for entry in user["email_addresses"]}


def _new_id(prefix: str) -> str:
    return f"{prefix}_2" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(26))
