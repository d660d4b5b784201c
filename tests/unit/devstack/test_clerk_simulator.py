"""The simulated Clerk: users, metadata, tokens, keys, signed webhooks."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.unit.devstack.simulated import ISSUER, PARTY, SECRET, Simulated, simulate

PAYLOADS = Path(__file__).parents[4] / "shared/data/payloads/clerk"
NEW = {"email_address": ["Ann@Example.com"], "first_name": "Ann", "last_name": "Lee", "phone_number": ["+12015550142"]}


def shape(value: Any) -> Any:
    """The names in a JSON value, without their values; metadata is free."""
    if isinstance(value, dict):
        return {key: "free" if key.endswith("metadata") else shape(item) for key, item in sorted(value.items())}
    return [shape(value[0])] if isinstance(value, list) and value else None


def claims_of(token: str, keys: dict[str, Any]) -> dict[str, Any]:
    key_set = jwt.PyJWKSet.from_dict(keys)
    kid = jwt.get_unverified_header(token)["kid"]
    claims: dict[str, Any] = jwt.decode(token, key_set[kid], ["RS256"], issuer=ISSUER)
    return claims


def test_a_user_can_be_made_found_changed_and_deleted(tmp_path: Path) -> None:
    async def scenario(clerk: Simulated) -> None:
        user = await clerk.api("POST", "/v1/users", NEW)
        assert (user["first_name"], user["email_addresses"][0]["email_address"]) == ("Ann", "Ann@Example.com")
        assert user["primary_email_address_id"] == user["email_addresses"][0]["id"]
        assert await clerk.api("GET", f"/v1/users/{user['id']}") == user
        other = await clerk.api("POST", "/v1/users", {"external_id": "x1"})
        assert await clerk.api("GET", "/v1/users?email_address=ann@example.com") == [user]
        assert await clerk.api("GET", "/v1/users?external_id=x1") == [other]
        assert {found["id"] for found in await clerk.api("GET", "/v1/users")} == {user["id"], other["id"]}
        assert len(await clerk.api("GET", "/v1/users?limit=1&offset=1")) == 1
        changed = await clerk.api("PATCH", f"/v1/users/{user['id']}", {"first_name": "Anna", "id": "mine"})
        assert (changed["first_name"], changed["last_name"], changed["id"]) == ("Anna", "Lee", user["id"])
        assert changed["updated_at"] > user["updated_at"]
        deleted = await clerk.api("DELETE", f"/v1/users/{other['id']}")
        assert deleted == {"deleted": True, "external_id": "x1", "id": other["id"], "object": "user"}
        status, body = await clerk.api("GET", f"/v1/users/{other['id']}")
        assert (status, body["errors"][0]["code"]) == (404, "resource_not_found")
        events = await clerk.arrived(4)
        assert sorted(event["type"] for event in events) == ["user.created"] * 2 + ["user.deleted", "user.updated"]

    simulate(tmp_path, scenario)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"email_address": ["ann@EXAMPLE.com"]}, 422, "form_identifier_exists"),
        ({"email_address": "ann@example.com"}, 422, "form_param_format_invalid"),
        ([], 400, "request_body_invalid"),
    ],
)
def test_users_that_cannot_be_made(tmp_path: Path, body: Any, status: int, code: str) -> None:
    async def scenario(clerk: Simulated) -> None:
        await clerk.api("POST", "/v1/users", NEW)
        answer = await clerk.api("POST", "/v1/users", body)
        assert (answer[0], answer[1]["errors"][0]["code"]) == (status, code)
        assert answer[1]["clerk_trace_id"]

    simulate(tmp_path, scenario)


def test_metadata_is_merged_deeply_by_patch_and_replaced_by_put(tmp_path: Path) -> None:
    async def scenario(clerk: Simulated) -> None:
        before = {"a": 1, "deep": {"x": 1, "y": [1, 2], "z": {"q": 1}}, "gone": True}
        user = await clerk.api("POST", "/v1/users", {**NEW, "public_metadata": before})
        path = f"/v1/users/{user['id']}/metadata"
        patch = {"public_metadata": {"deep": {"y": [3], "z": {"r": 2}, "x": None}, "gone": None, "new": {"n": None}}}
        merged = await clerk.api("PATCH", path, patch)
        assert merged["public_metadata"] == {"a": 1, "deep": {"y": [3], "z": {"q": 1, "r": 2}}, "new": {}}
        replaced = await clerk.api("PUT", path, {"public_metadata": {"role": "coach"}})
        assert (replaced["public_metadata"], replaced["private_metadata"]) == ({"role": "coach"}, {})
        assert (await clerk.api("PATCH", path, {"public_metadata": 1}))[0] == 422

    simulate(tmp_path, scenario)


def test_session_tokens_have_clerks_claims(tmp_path: Path) -> None:
    async def scenario(clerk: Simulated) -> None:
        user = await clerk.api("POST", "/v1/users", {**NEW, "public_metadata": {"role": "coach"}})
        session = await clerk.api("POST", "/v1/sessions", {"user_id": user["id"]})
        keys = await clerk.api("GET", "/.well-known/jwks.json")
        assert keys == await clerk.api("GET", "/v1/jwks")
        for body, seconds in ((None, 60), ({"expires_in_seconds": 90}, 90)):
            token = (await clerk.api("POST", f"/v1/sessions/{session['id']}/tokens", body))["jwt"]
            claims = claims_of(token, keys)
            assert claims["exp"] - claims["iat"] == seconds
        assert abs(claims["iat"] - time.time()) < 30
        assert (claims["sub"], claims["sid"], claims["azp"]) == (user["id"], session["id"], PARTY)
        assert (claims["role"], claims["sts"], claims["v"]) == ("authenticated", "active", 2)
        assert claims["metadata"] == {"role": "coach"}
        assert (await clerk.api("POST", "/v1/sessions", {"user_id": "user_nobody"}))[0] == 404
        await clerk.api("DELETE", f"/v1/users/{user['id']}")
        assert (await clerk.api("POST", f"/v1/sessions/{session['id']}/tokens"))[0] == 404
        example = PAYLOADS / "_jwt.v2.claims.json"
        if example.exists():
            expected = json.loads(example.read_text())
            assert claims.keys() == expected["payload"].keys()
            assert jwt.get_unverified_header(token).keys() == expected["header"].keys()

    simulate(tmp_path, scenario)


def test_keys_rotate_with_or_without_the_old_ones(tmp_path: Path) -> None:
    async def scenario(clerk: Simulated) -> None:
        told: list[int] = []

        async def on_keys(keys: dict[str, Any]) -> None:
            told.append(len(keys["keys"]))

        clerk.clerk.on_keys = on_keys
        user = await clerk.api("POST", "/v1/users", NEW)
        first, pem = clerk.clerk.sign_in(user["id"], 60), clerk.clerk.public_key()
        await clerk.api("POST", "/_control", {"rotateKey": True})
        second = clerk.clerk.sign_in(user["id"], 60)
        keys = await clerk.api("GET", "/v1/jwks")
        assert claims_of(first, keys)["sub"] == claims_of(second, keys)["sub"] == user["id"]
        assert jwt.decode(first, pem, ["RS256"])
        await clerk.api("POST", "/_control", {"rotateKey": True, "keepOld": False})
        keys = await clerk.api("GET", "/v1/jwks")
        for token in (first, second):
            with pytest.raises(KeyError):
                claims_of(token, keys)
        assert claims_of(clerk.clerk.sign_in(user["id"], 60), keys)
        await clerk.api("POST", "/_reset")
        assert clerk.clerk.public_key() == pem
        assert told == [2, 1, 1]

    simulate(tmp_path, scenario)


def test_webhooks_are_signed_over_their_raw_bytes(tmp_path: Path) -> None:
    async def scenario(clerk: Simulated) -> None:
        await clerk.api("POST", "/v1/users", {**NEW, "first_name": "Zoë"})
        (event,) = await clerk.arrived(1)
        (received,) = clerk.received
        stamp, message_id = received.headers["svix-timestamp"], received.headers["svix-id"]
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        expected = hmac.new(key, f"{message_id}.{stamp}.".encode() + received.raw, hashlib.sha256).digest()
        assert received.headers["svix-signature"] == f"v1,{base64.b64encode(expected).decode()}"
        assert abs(int(stamp) - time.time()) < 30
        assert event["data"]["first_name"] == "Zoë"

    simulate(tmp_path, scenario)


@pytest.mark.skipif(not PAYLOADS.exists(), reason="the sample payloads are not here")
def test_webhooks_have_the_shape_of_clerks(tmp_path: Path) -> None:
    async def scenario(clerk: Simulated) -> None:
        user = await clerk.api("POST", "/v1/users", {**NEW, "external_id": "x"})
        await clerk.api("PATCH", f"/v1/users/{user['id']}", {"locale": "en-US"})
        await clerk.api("DELETE", f"/v1/users/{user['id']}")
        for event in await clerk.arrived(3):
            example = json.loads((PAYLOADS / f"{event['type']}.json").read_text())
            assert shape(event) == shape(example)

    simulate(tmp_path, scenario)


def test_users_sessions_keys_and_undelivered_messages_outlive_a_restart(tmp_path: Path) -> None:
    kept: dict[str, Any] = {}

    async def before(clerk: Simulated) -> None:
        clerk.answers += [500]
        kept["user"] = await clerk.api("POST", "/v1/users", NEW)
        kept["session"] = await clerk.api("POST", "/v1/sessions", {"user_id": kept["user"]["id"]})
        await clerk.api("POST", "/_control", {"rotateKey": True})
        kept["keys"] = await clerk.api("GET", "/v1/jwks")
        await clerk.arrived(1)

    async def after(clerk: Simulated) -> None:
        assert await clerk.api("GET", f"/v1/users/{kept['user']['id']}") == kept["user"]
        assert await clerk.api("GET", "/v1/jwks") == kept["keys"]
        assert await clerk.api("POST", f"/v1/sessions/{kept['session']['id']}/tokens")
        assert await clerk.clerk.webhooks.flush() == (1, 0)
        assert [event["type"] for event in await clerk.arrived(1)] == ["user.created"]

    simulate(tmp_path, before)
    simulate(tmp_path, after)


def test_a_reset_forgets_everyone(tmp_path: Path) -> None:
    async def scenario(clerk: Simulated) -> None:
        await clerk.api("POST", "/_control", {"faults": [{"on": "webhook", "kind": "delay", "delayMs": 60_000}]})
        await clerk.api("POST", "/v1/users", NEW)
        await clerk.api("POST", "/_reset")
        assert await clerk.api("GET", "/v1/users") == []
        assert await clerk.clerk.webhooks.flush() == (0, 0)

    simulate(tmp_path, scenario)


def test_objects_carry_the_stacks_clock_and_tokens_real_time(tmp_path: Path) -> None:
    async def scenario(clerk: Simulated) -> None:
        at = datetime(2027, 3, 8, 14, tzinfo=UTC)
        await clerk.clerk.clock.pin(at)
        user = await clerk.api("POST", "/v1/users", NEW)
        assert user["created_at"] == at.timestamp() * 1000
        claims = claims_of(clerk.clerk.sign_in(user["id"], 60), clerk.clerk.jwks())
        assert abs(claims["iat"] - time.time()) < 30

    simulate(tmp_path, scenario)
