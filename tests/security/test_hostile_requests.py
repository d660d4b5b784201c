"""Hostile headers, methods, paths and queries: answered as meant or refused clearly, never with a 5xx."""

import socket
from uuid import uuid4

import httpx
import pytest

from tests.support.hostile import World, clean, places, writes
from tests.support.stack import Stack
from tests.support.unharmed import nothing_stored

COACHES = "/api/coach"
OPERATORS = (
    "eq.x",
    "eq.",
    "gt. Gatsby",
    "not.null",
    "not.eq.x",
    "is.null",
    "in.(a,b)",
    "like.*",
    "cs.{a}",
    "fts(english).x",
    "or=(a.eq.1,b.eq.2)",
    "(or(a.eq.1))",
    ")",
    "select=*",
    "*",
    "%",
    "x' or '1'='1",
    "'; drop table session; --",
    "\\",
    '"',
    "a,b",
    "a&select=*",
    "😀",
)


def over_the_wire(stack: Stack, request: bytes) -> tuple[int, bytes]:
    """Send bytes that no client would; the status and the rest of the answer."""
    address = httpx.URL(stack.base_url)
    with socket.create_connection((address.host, address.port or 80), timeout=10) as connection:
        connection.sendall(request.replace(b"\n", b"\r\n"))
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    return int(answer.split(b" ", 2)[1]), answer


def test_headers_of_any_kind_are_taken_or_refused(stack: Stack, world: World) -> None:
    http = world.mentee.http
    for length, statuses in ((5000, {200}), (9000, {200}), (10_000, {200, 431}), (60_000, {431})):
        answer = http.get("/api/user", headers={"X-Long": "x" * length})
        assert answer.status_code in statuses, (length, answer.text)
    clean(http.get("/api/user", headers={f"X-{number}": "1" for number in range(100)}), 200)
    clean(http.get("/api/user", headers=[(b"X-Two", b"1"), (b"X-Two", b"2"), (b"X-Odd", b"\xff\xfe\xc3\xa9")]), 200)
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-Method"):
        answer = clean(http.post("/api/user", headers={name: "PATCH"}, json={"firstName": "X", "version": 1}), 405)
        assert answer.headers["Allow"] == "GET, PATCH"
    for name in ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix"):
        assert "firstName" in clean(http.get("/api/user", headers={name: "/_dev/info"}), 200).text
    odd = '<script>"\\%0d%0aX-Evil: 1'
    assert clean(http.get("/api/user", headers={"X-Request-Id": odd}), 200).headers["X-Request-Id"] != odd


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "bearer a.b.c",
        "Basic dXNlcjpwYXNz",
        "Bearer {token}, Bearer {token}",
        "Bearer {token} {token}",
        "Bearer {token}.x",
        "Bearer {token}%00",
        "Token {token}",
        "{token}",
        "Bearer null",
        "Bearer ..",
        "Bearer a.b.c\té",
        "Bearer e30.e30.e30",
        "Bearer " + "x" * 4000 + ".y.z",
        "Bearer W10.W10.W10",
    ],
)
def test_an_odd_authorization_is_no_authorization(stack: Stack, world: World, value: str) -> None:
    given = value.replace("{token}", world.mentee.token).strip().encode()
    answer = clean(stack.http.get("/api/user", headers=[(b"Authorization", given)]), 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    clean(stack.http.get(COACHES, headers=[(b"Authorization", given)]), 200)


def test_two_authorizations_are_none(stack: Stack, world: World) -> None:
    good = f"Bearer {world.mentee.token}"
    for pair in ((good, "Bearer x"), ("Bearer x", good), (good, good)):
        answer = clean(stack.http.get("/api/user", headers=[("Authorization", value) for value in pair]), 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /api/coach HTTP/1.1\nHost: x\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n",
        b"POST /api/user HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\nzz\n\n",
        b"GET /api/coach HTTP/1.1\nHost: x\nX-Bad\0: 1\n\n",
        b"GET /api/coach HTTP/1.1\nHost: x\nX-Bad: \x01\n\n",
        b"GET /api/coach HTTP/1.1\nHost: x\n" + b"X-A: 1\n" * 2000 + b"\n",
        b"GET /api/coach?" + b"x" * 70_000 + b" HTTP/1.1\nHost: x\n\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\nHost: x\n\n",
        b"GET api/coach HTTP/1.1\nHost: x\n\n",
        b"GET * HTTP/1.1\nHost: x\n\n",
        b"GET /api/coach HTTP/1.1\n\n",
        b"GET /api/coach HTTP/9.9\nHost: x\n\n",
        b"G\0T /api/coach HTTP/1.1\nHost: x\n\n",
        b"\x16\x03\x01\x02\x00\x01\x00\n\n",
    ],
)
def test_what_is_no_http_is_the_gateways_to_refuse(stack: Stack, request_: bytes) -> None:
    status, answer = over_the_wire(stack, request_)
    assert 400 <= status < 500
    assert b"Traceback" not in answer


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "QUERY", "HEAD", "PUT", "DELETE"])
def test_a_method_that_a_path_does_not_answer_is_refused(stack: Stack, world: World, method: str) -> None:
    request = f"{method} /api/user HTTP/1.1\nHost: x\nConnection: close\nAuthorization: Bearer {world.mentee.token}\n\n"
    assert over_the_wire(stack, request.encode())[0] in {404, 405}


def test_paths_lead_where_they_say_or_nowhere(stack: Stack, world: World) -> None:
    coach = world.coach.user_id

    def status(path: str) -> int:
        url = httpx.URL(stack.base_url).copy_with(raw_path=path.encode())
        return clean(stack.http.get(url), 200, 401, 404).status_code

    for same in (coach, coach.upper(), coach.replace("-", ""), f"%7B{coach}%7D", f"urn:uuid:{coach}", f"{coach}?"):
        assert status(f"{COACHES}/{same}") == 200, same
    for other in (
        *(f"{coach}{tail}" for tail in ("/", "%2F", "//", "%00", "%20", ";a=b", "%0d%0aX-Evil:1", "..", "/../..")),
        *("%2e%2e", "..%2f..%2fetc%2fpasswd", "%252e%252e", "%2525", "%ff%fe", "%ED%A0%80", "0", "null", "x" * 9000),
        *(coach.replace("-", "%252d"), coach[:-1], coach + "0", f"'{coach}'", f"eq.{coach}", "%", "%zz", "{coachId}"),
    ):
        assert status(f"{COACHES}/{other}") == 404, other
    for other in ("/api//coach", "//api/coach", "/API/coach", "/api/coach%3Flimit=1", "/api/..%2f_dev/info", "/%00"):
        assert status(other) == 404, other
    assert status("/api/coach/%70rofile") == 401
    for path in ("/api/sessions/", "/api/coaching/availability/"):
        for form in (str(uuid4()), f"{{{uuid4()}}}", "x", "../user", "%00", "1' or '1'='1"):
            clean(world.mentee.get(path + form.replace("/", "%2F")), 403, 404)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=", "limit"),
        ("limit", "limit"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=1e1", "limit"),
        ("limit=0x10", "limit"),
        ("limit=٣", "limit"),
        ("limit=NaN", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("limit=2;limit=1", "limit"),
        ("LIMIT=1", "LIMIT"),
        ("limit[]=1", "limit[]"),
        ("unknown=1", "unknown"),
        ("select=*", "select"),
        ("or=(limit.eq.1)", "or"),
        ("=1", ""),
        ("specialty=", "specialty"),
        ("specialty=%00", "specialty"),
        ("specialty=" + "x" * 81, "specialty"),
        ("cursor=%00", "cursor"),
        ("cursor=%ff", "cursor"),
        ("cursor=" + "a" * 1025, "cursor"),
    ],
)
def test_a_query_is_refused_by_the_name_of_what_is_wrong(stack: Stack, query: str, parameter: str) -> None:
    assert places(clean(stack.http.get(f"{COACHES}?{query}"), 422)) == {parameter}


def test_of_a_repeated_parameter_the_first_counts(stack: Stack, world: World) -> None:
    assert len(clean(stack.http.get(f"{COACHES}?limit=1&limit=100"), 200).json()["data"]) == 1
    assert places(clean(stack.http.get(f"{COACHES}?limit=0&limit=1"), 422)) == {"limit"}
    nobody = clean(stack.http.get(f"{COACHES}?specialty=nobody&specialty=Listings"), 200)
    assert nobody.json()["data"] == []


@pytest.mark.parametrize("text", OPERATORS)
def test_what_looks_like_a_filter_is_text(stack: Stack, world: World, text: str) -> None:
    assert clean(stack.http.get(COACHES, params={"specialty": text}), 200).json()["data"] == []
    for path, name in (
        (COACHES, "cursor"),
        ("/api/sessions", "status"),
        ("/api/sessions", "role"),
        ("/api/sessions", "from"),
        ("/api/user/role", "userId"),
        ("/api/health", "deep"),
    ):
        assert places(clean(world.coach.get(path, params={name: text}), 422)) == {name}
    with nothing_stored(stack):
        booking = writes(world)["POST", "/api/sessions"]
        assert places(clean(booking.send_json(booking.body | {"coachId": text}), 422)) == {"#/coachId"}


def test_a_specialty_that_looks_like_a_filter_is_found(stack: Stack, world: World) -> None:
    version = world.coach.get("/api/coach/profile").json()["data"]["version"]
    labels = [text for text in OPERATORS if len(text) <= 80][:20]
    changed = clean(world.coach.patch("/api/coach/profile", {"specialties": labels, "version": version}), 200)
    assert changed.json()["data"]["specialties"] == labels
    for text in labels:
        found = clean(stack.http.get(COACHES, params={"specialty": text, "limit": 100}), 200).json()["data"]
        assert world.coach.user_id in {coach["coachId"] for coach in found}, text


@pytest.mark.parametrize(
    "key", ["", '""', '" "', '" a"', '"a "', 'a"b', "a\\b", '"a', "é", "x" * 256, '"a";p=1', '"a", "b"', '"\\x"']
)
def test_an_odd_idempotency_key_is_refused(stack: Stack, world: World, key: str) -> None:
    with nothing_stored(stack):
        for route, write in writes(world).items():
            if route[0] == "POST":
                answer = clean(write.send_json_with_key(key), 400)
                assert answer.json()["code"] == "idempotency_key_invalid"


@pytest.mark.parametrize(
    "key", ["null", "{}", "?1", "a b", "a,b", "%00", "'; drop table session; --", '"a\\"b"', "~" * 255]
)
def test_a_key_may_be_any_printable_text(stack: Stack, world: World, key: str) -> None:
    cancel = writes(world)["POST", "/api/sessions/{id}/cancel"].having(version=2**31 - 1)
    assert clean(cancel.send_json_with_key(key), 409).json()["code"] == "version_conflict"
