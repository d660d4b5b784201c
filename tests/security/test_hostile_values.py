"""Hostile values in fields that are well-formed: names, zones, instants, signed events, and nulls in a PATCH."""

import json
import time
from importlib import resources
from typing import Any
from uuid import uuid4

import pytest

from tests.support.hostile import DOCUMENT, World, clean, places, writes
from tests.support.stack import SignedIn, Stack
from tests.support.story import SCHEDULE
from tests.support.unharmed import nothing_stored
from tests.support.webhooks import CLERK

NAMES = [
    "\u0430dmin",  # with a Cyrillic a
    "ﬁⅸ①",  # what NFKC would change
    "e\u0301",  # what NFC would change
    "\u202eevil\u202c",
    "a\u200bb\u200d\ufeff",
    "👩\u200d👩\u200d👧\u200d👦🏳️\u200d🌈",
    "Z" + "\u0335" * 99,
    "\U0001d57f\U0001d58d\U0001d58a",
    "\U0010ffff\ufffe",
    "'; drop table user_account; --",
    "${jndi:ldap://x}{{7*7}}%s%n",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    " padded ",
    "line\nbreak\ttab\x7f\x1b[31m",
    "null",
    "NaN",
    "İıſß",
]
NO_ZONES = [
    "../../etc/passwd",
    "/etc/localtime",
    "America/../UTC",
    "America.Indiana/Vincennes",
    "posixrules",
    "localtime",
    "Factory",
    "posix/UTC",
    "right/UTC",
    "america/new_york",
    "America/New_York ",
    " UTC",
    "UTC\n",
    "UTC\0",
    "America",
    "zone.tab",
    "__init__.py",
    "",
    ".",
    "+02:00",
    "EST5EDT4,M3.2.0,M11.1.0",
    "<+03>-3",
    "\uff21merica/New_York",
    "x" * 65,
]
NO_INSTANTS = [
    "now",
    "infinity",
    "1700000000",
    "2027-01-04",
    "2027-01-04T10:00:00",
    "2027-01-04T10:00Z",
    "2027-01-04 10:00:00Z",
    "2027-01-04T23:59:60Z",
    "2027-01-04T24:00:00Z",
    "2027-02-30T10:00:00Z",
    "2027-01-04T10:00:00+24:00",
    "2027-01-04T10:00:00+12:60",
    "2027-01-04T10:00:00,5Z",
    "2027-01-04T10:00:00Z\n",
    "2027-W01-1T10:00:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-00:01",
    "+12027-01-04T10:00:00Z",
    "\uff12027-01-04T10:00:00Z",
]

# What null means there is tested elsewhere: no rate, which a published profile must have; the usual topic again.
NOT_EMPTIED = {"hourlyRate", "topic"}


def version(who: SignedIn, path: str) -> int:
    current: int = clean(who.get(path), 200).json()["data"]["version"]
    return current


@pytest.mark.parametrize("name", NAMES)
def test_a_name_comes_back_as_it_went_in(world: World, name: str) -> None:
    patch = {"firstName": name, "lastName": name, "version": version(world.mentee, "/api/user")}
    clean(world.mentee.patch("/api/user", patch), 200)
    me = clean(world.mentee.get("/api/user"), 200).json()["data"]
    assert (me["firstName"], me["lastName"]) == (name, name)
    session = clean(world.coach.get(f"/api/sessions/{world.session_id}"), 200).json()["data"]
    assert session["menteeName"] == f"{name} {name}"


def test_a_name_of_nothing_or_of_too_much_is_refused(stack: Stack, world: World) -> None:
    current = version(world.mentee, "/api/user")
    with nothing_stored(stack):
        for name in ("", " ", "\u3000\u2003", "\n", "x" * 101, "Z" + "\u0335" * 100, "😀" * 101):
            answer = clean(world.mentee.patch("/api/user", {"firstName": name, "version": current}), 422)
            assert places(answer) == {"#/firstName"}
    clean(world.mentee.patch("/api/user", {"firstName": "😀" * 100, "version": current}), 200)


def test_what_is_no_time_zone_is_refused_wherever_one_is_named(stack: Stack, world: World) -> None:
    current = version(world.mentee, "/api/user")
    day = {"from": "2027-01-04T00:00:00Z", "to": "2027-01-05T00:00:00Z", "coachId": world.coach.user_id}
    with nothing_stored(stack):
        for zone in NO_ZONES:
            answer = clean(world.mentee.patch("/api/user", {"timezone": zone, "version": current}), 422)
            assert places(answer) == {"#/timezone"}, zone
            answer = clean(world.coach.post("/api/coaching/availability", {**SCHEDULE, "timezone": zone}), 422)
            assert places(answer) == {"#/timezone"}, zone
            answer = clean(world.mentee.get("/api/coaching/slots", params={**day, "timezone": zone}), 422)
            assert places(answer) == {"timezone"}, zone


def test_postgres_knows_every_zone_that_is_accepted(stack: Stack) -> None:
    accepted = set(resources.files("tzdata").joinpath("zones").read_text().split())
    with stack.database() as database:
        known = {row["name"] for row in database.execute("select name from pg_timezone_names")}
    assert accepted <= known


def test_what_is_no_instant_is_refused_wherever_one_is_named(stack: Stack, world: World) -> None:
    booking = writes(world)["POST", "/api/sessions"]
    with nothing_stored(stack):
        for instant in NO_INSTANTS:
            assert places(clean(booking.send_json(booking.body | {"start": instant}), 422)) == {"#/start"}, instant
            query = {"from": instant, "to": instant}
            assert places(clean(world.mentee.get("/api/sessions", params=query), 422)) == {"from", "to"}, instant
            slots = clean(world.mentee.get("/api/coaching/slots", params={**query, "coachId": uuid4().hex}), 422)
            assert places(slots) == {"from", "to"}, instant


@pytest.mark.parametrize(
    "instant",
    [
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "1582-10-10T00:00:00Z",
        "2027-01-04T10:00:00+23:59",
        "2027-01-04T10:00:00.123456789-23:59",
        "2027-01-04t10:00:00z",
    ],
)
def test_an_instant_at_the_edge_of_time_is_an_instant(stack: Stack, world: World, instant: str) -> None:
    booking = writes(world)["POST", "/api/sessions"]
    with nothing_stored(stack, but={"private.idempotency_key"}):
        refused = booking.send(json.dumps(booking.body | {"start": instant}))
        assert clean(refused, 422).json()["code"] == "outside_availability"
    query = {"from": instant, "to": instant}
    clean(world.mentee.get("/api/sessions", params=query), 200)
    slots = world.mentee.get("/api/coaching/slots", params={**query, "coachId": world.coach.user_id})
    assert clean(slots, 200).json()["data"] == []


def taken_by(method: str, route: str) -> dict[str, Any]:
    """The schema of what a route takes."""
    reference = DOCUMENT["paths"][route][method.lower()]["requestBody"]["content"]["application/json"]["schema"]
    schema: dict[str, Any] = DOCUMENT["components"]["schemas"][reference["$ref"].rsplit("/", 1)[1]]
    return schema


def test_null_is_refused_in_its_place_unless_the_document_allows_it(stack: Stack, world: World) -> None:
    for (method, route), write in writes(world).items():
        if method not in {"PATCH", "PUT"}:
            continue
        fields = taken_by(method, route)["properties"]
        with nothing_stored(stack):
            for name, schema in fields.items():
                if {"type": "null"} not in schema.get("anyOf", ()):
                    assert places(clean(write.send_json(write.body | {name: None}), 422)) == {f"#/{name}"}, name
        if method == "PATCH":
            for name, schema in fields.items():
                if {"type": "null"} in schema.get("anyOf", ()) and name not in NOT_EMPTIED:
                    current = version(write.who, write.path)
                    answered = clean(write.send_json({name: None, "version": current}), 200).json()["data"]
                    assert answered.get(name) is None  # a reason is not answered


def test_an_empty_patch_changes_nothing_but_needs_its_version(stack: Stack, world: World) -> None:
    for (method, route), write in writes(world).items():
        if method != "PATCH":
            continue
        needed = set(taken_by(method, route)["required"])
        assert "version" in needed
        with nothing_stored(stack):
            assert places(clean(write.send_json({}), 422)) == {f"#/{name}" for name in needed}
        if needed != {"version"}:  # a decision, which has no empty form
            continue
        before = clean(write.who.get(write.path), 200).json()["data"]
        clean(write.send_json({"version": before["version"]}), 200)
        after = clean(write.who.get(write.path), 200).json()["data"]
        changing = {"version", "updatedAt"}
        assert {k: v for k, v in before.items() if k not in changing} == {
            k: v for k, v in after.items() if k not in changing
        }


def test_a_rate_of_null_is_none_which_a_published_profile_cannot_have(world: World) -> None:
    path = "/api/coach/profile"

    def patched(expected: int, **changes: Any) -> Any:
        answer = clean(world.coach.patch(path, {**changes, "version": version(world.coach, path)}), expected)
        return answer.json()["data"] if expected == 200 else places(answer)

    rate = clean(world.coach.get(path), 200).json()["data"]["hourlyRate"]
    assert patched(422, hourlyRate=None) == {"#/hourlyRate"}
    assert patched(200, hourlyRate=None, status="DRAFT")["hourlyRate"] is None
    assert patched(200, hourlyRate=None)["hourlyRate"] is None
    assert patched(422, status="PUBLISHED") == {"#/hourlyRate"}
    assert patched(200, hourlyRate=rate, status="PUBLISHED")["hourlyRate"] == rate


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"5",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"type":"user.created","data":' + b"[" * 100 + b"]" * 100 + b"}",
        *(b'{"type":"user.created","data":' + value + b"}" for value in (b"NaN", b"1e999", b'"\\ud800"', b'"\\u0000"')),
        b'{"type":"user.created","data":1' + b"0" * 5000 + b"}",
        b'{"\\udfff":1,"type":"user.created"}',
    ],
)
def test_a_signed_delivery_that_is_no_event_is_refused(stack: Stack, raw: bytes) -> None:
    headers = CLERK.sign(raw, CLERK.secret(stack), int(time.time()))
    with nothing_stored(stack):
        unstamped = {**headers, "svix-timestamp": "x"}
        sent = [(raw, headers, 400), (raw, None, 401), (raw, unstamped, 401), (b"x" * 300_000, headers, 413)]
        for content, signed, status in sent:
            answer = stack.http.post("/webhooks/clerk", content=content, headers=signed)
            assert clean(answer, status).status_code == status
