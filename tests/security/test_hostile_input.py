"""Hostile bodies on every write route: a clear 4xx each time, and not one row changes."""

import gzip
import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from tests.support.hostile import SIGNED_ROUTES, TRIES, WRITE_ROUTES, Write, clean, has_fields, places
from tests.support.stack import Stack
from tests.support.unharmed import nothing_stored

# Where files come in, a body may be large, and one has to be larger.
LARGER = dict.fromkeys(["/api/members/import", "/api/members/import/uploads"], 5_900_000)
ROUTES = [route for route in WRITE_ROUTES if route not in SIGNED_ROUTES]
every_write = pytest.mark.parametrize("write", ROUTES, ids=" ".join, indirect=True)
with_fields = pytest.mark.parametrize(
    "write",
    [route for route in ROUTES if has_fields(*route) and route not in TRIES],
    ids=" ".join,
    indirect=True,
)

NOT_JSON = {
    "65 levels": b"[" * 64 + b"]" * 64,
    "100,000 levels": b"[" * 100_000 + b"]" * 100_000,
    "100,000 levels, never closed": b"[" * 100_000,
    "40,000 objects": b'{"a":' * 40_000,
    "invalid UTF-8": b'"\xff\xfe"',
    "overlong UTF-8": b'"\xc0\xaf"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "Latin-1": "é".encode("latin-1"),
    "a bare NUL": b'"\0"',
    "NaN": b"NaN",
    "-Infinity": b"-Infinity",
    "1e999": b"1e999",
    "10**5000": b"1" + b"0" * 5000,
    "a leading zero": b"01",
    "a trailing comma": b"1,",
    "nothing": b"",
    "a second document": b"1} {",
}
IN_DISGUISE: dict[type, list[Any]] = {
    str: ["\0", "a\0b", "\ud800", "\udfffx", "x" * 5000, 5, True, {}, []],
    int: [1.5, 1.0, -0.0, True, "1", 2**31, 2**63, -(2**63) - 1, 10**30, [], {}],
    float: [True, "1", 10**30, [], {}],
    bool: [0, 1, "true", "", [], 1.0],
}


def leaves(value: Any, at: tuple[int | str, ...] = ()) -> Iterator[tuple[tuple[int | str, ...], Any]]:
    """Every string, number and flag of a body, and where it is."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from leaves(part, (*at, key))
    if type(value) in IN_DISGUISE:
        yield at, value


def replaced(body: dict[str, Any], at: tuple[int | str, ...], value: Any) -> dict[str, Any]:
    changed: Any = deepcopy(body)
    holder = changed
    for part in at[:-1]:
        holder = holder[part]
    holder[at[-1]] = value
    result: dict[str, Any] = changed
    return result


def test_every_write_route_is_attacked(ready: dict[tuple[str, str], Write]) -> None:
    assert set(ready) | set(SIGNED_ROUTES) == set(WRITE_ROUTES)


@every_write
def test_what_is_not_json_is_refused_as_such(stack: Stack, write: Write) -> None:
    with nothing_stored(stack):
        for name, value in NOT_JSON.items():
            answer = clean(write.send(write.spliced(value)), 400)
            assert answer.json()["code"] == "malformed_json", name
        whole = json.dumps(write.body | {"x": "é"}, ensure_ascii=False)
        for content in (*map(whole.encode, ("utf-8-sig", "utf-16", "latin-1")), whole[:-1].encode()):
            clean(write.send(content), 400)
            clean(write.send(content, "application/json; charset=iso-8859-1"), 400)


@every_write
def test_a_body_that_is_too_large_packed_or_of_another_type_is_refused_as_such(stack: Stack, write: Write) -> None:
    fitting = json.dumps(write.body | {"x": 1}).encode()
    with nothing_stored(stack):
        gateways_own = write.send(write.spliced(b'"' + b"x" * 7_000_000 + b'"'))
        assert (gateways_own.status_code, gateways_own.json()) == (413, {"message": "Request Too Long"})
        assert (
            clean(write.send(write.spliced(b'"' + b"x" * LARGER.get(write.route, 300_000) + b'"')), 413).json()["code"]
            == "content_too_large"
        )
        clean(write.send(write.spliced(b"[" + b"1," * 60_000 + b"1]")), 413)
        for coding in ("gzip", "br", "deflate, gzip"):
            refused = clean(write.send(gzip.compress(fitting), **{"Content-Encoding": coding}), 415)
            assert refused.headers["Accept-Encoding"] == "identity"
        for media_type in (None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "a/b/c"):
            assert clean(write.send(fitting, media_type), 415).headers["Accept"] == "application/json"


@every_write
def test_a_body_in_chunks_is_read_as_a_whole(stack: Stack, write: Write) -> None:
    with nothing_stored(stack):
        whole = write.spliced(b"1")
        answer = clean(write.send(whole[at : at + 7] for at in range(0, len(whole), 7)), 422)
        assert "#/surplus" in places(answer)
        clean(write.send(whole[at : at + 7] for at in range(0, len(whole) - 1, 7)), 422, 400)


@with_fields
def test_what_a_field_cannot_hold_is_refused_in_its_place(stack: Stack, write: Write) -> None:
    with nothing_stored(stack):
        for at, value in leaves(write.body):
            pointer = "#/" + "/".join(map(str, at))
            for other in IN_DISGUISE[type(value)]:
                answer = clean(write.send_json(replaced(write.body, at, other)), 422)
                assert pointer in places(answer), (pointer, other, answer.text)


@with_fields
def test_of_two_equal_keys_the_last_counts_and_names_are_exact(stack: Stack, write: Write) -> None:
    first = next(iter(write.body))
    with nothing_stored(stack):
        refused = places(clean(write.send(write.spliced(b"[{}]", json.dumps(first).encode())), 422))
        assert any(f"{place}/".startswith(f"#/{first}/") for place in refused), refused
        for name in (first.upper(), f"{first}\0", f" {first}", f"{first}[]", "__proto__", "constructor", "\u202e"):
            clean(write.send_json(write.body | {name: 1}), 422)
        clean(write.send(write.spliced(b"1", rb'"\ud800"')), 422)
        for document in ([], [write.body], "x", 5, None, True):
            clean(write.send_json(document), 422)
        clean(write.send(b""), 422)
