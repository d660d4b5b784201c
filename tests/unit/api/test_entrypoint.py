"""The order in which a request is refused, who calls, and what every response carries."""

import json
from typing import Any
from uuid import UUID

import pytest

from coachline.api import App, create_app, entrypoint
from coachline.incoming import allowed_methods
from coachline.problems import MethodNotAllowed, NotFound, Unavailable
from coachline.webhooks import raw_body
from tests.unit.api import shop
from tests.unit.api.events import ask, asking, http_event
from tests.unit.conftest import Logged

NEW = {"name": "Tea", "ownerId": str(shop.ITEM), "opensAt": "2027-03-08T14:00:00Z"}
JSON = {"content-type": "application/json"}


def test_a_created_resource_is_answered_with_its_place(ask_shop: Any) -> None:
    answer = ask_shop("POST", "/api/items", json_body=NEW)

    assert answer.status == 201
    assert answer.headers["Location"] == f"/api/items/{shop.ITEM}"
    assert answer.headers["Content-Type"] == "application/json"
    expected = {"id": str(shop.ITEM), "name": "Tea", "opensAt": "2027-03-08T14:00:00Z", "price": None}
    assert answer.json == {"data": expected}


def test_a_request_is_refused_for_the_first_of_its_faults(anonymous: Any) -> None:
    bad_everything = {"content-type": "text/plain", "authorization": "Bearer nonsense"}
    faults: list[tuple[dict[str, str], str, int, str]] = [
        (bad_everything, "{" * 20_001, 401, "unauthenticated"),
        ({"authorization": "Bearer a.b.c"}, "{" * 20_001, 413, "content_too_large"),
        ({"content-type": "text/plain"}, "{", 415, "unsupported_media_type"),
        (JSON, "{", 400, "malformed_json"),
        ({}, "{}", 400, "idempotency_key_required"),
        ({"idempotency-key": "k"}, "{}", 422, "validation_failed"),
        ({}, json.dumps(NEW), 201, ""),
    ]
    headers: dict[str, str] = {}
    for mended, body, status, code in faults:
        headers |= mended
        answer = anonymous("POST", "/api/items", body=body, headers=headers)
        assert answer.status == status
        if code:
            assert answer.code == code


def test_a_stranger_learns_nothing_of_a_body_before_he_signs_in(anonymous: Any) -> None:
    answer = anonymous("POST", "/api/items", json_body={"unknown": 1}, query={"unknown": "1"})

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_public_route_does_not_look_at_tokens(anonymous: Any) -> None:
    answer = anonymous("GET", "/api/open", headers={"authorization": "Bearer stale"})

    assert answer.status == 404
    assert shop.calls[0].principal is None


def test_the_caller_carries_what_the_database_needs_to_know(ask_shop: Any) -> None:
    ask_shop("POST", "/api/items", json_body=NEW, headers={"idempotency-key": '"a \\"key\\""', "x-request-id": "r-1"})

    (call,) = shop.calls
    assert call.principal is not None
    assert call.principal.clerk_id == "user_1"
    assert (call.permission, call.request_id, call.idempotency_key) == ("item:create", "r-1", 'a "key"')
    assert (call.method, call.route, call.path) == ("POST", "/api/items", "/api/items")


def test_the_route_is_the_template_and_the_path_what_was_asked_for(ask_shop: Any) -> None:
    ask_shop("POST", f"/api/items/{shop.ITEM}/archive")

    (call,) = shop.calls
    assert (call.route, call.path) == ("/api/items/{itemId}/archive", f"/api/items/{shop.ITEM}/archive")
    assert call.fingerprint is None


def test_a_fingerprint_is_of_what_the_body_means_and_not_of_how_it_is_written(ask_shop: Any) -> None:
    reordered = dict(reversed(NEW.items())) | {"opensAt": "2027-03-08T16:00:00+02:00", "stock": 0}
    for body in (NEW, reordered, {**NEW, "name": "Tee"}):
        ask_shop("POST", "/api/items", json_body=body)

    first, same, other = (call.fingerprint for call in shop.calls)
    assert first == same != other
    assert first is not None
    assert len(bytes.fromhex(first)) == 32


@pytest.mark.parametrize("sent", ["abc-1.2_3", "A" * 128])
def test_a_sane_request_id_is_kept(anonymous: Any, sent: str) -> None:
    answer = anonymous("GET", "/api/open", headers={"x-request-id": sent})

    assert answer.headers["X-Request-Id"] == answer.json["requestId"] == sent


@pytest.mark.parametrize("sent", ["", "A" * 129, "a b", "a\n", "é", "a,b", "<script>"])
def test_another_request_id_is_replaced(anonymous: Any, sent: str) -> None:
    answer = anonymous("GET", "/api/open", headers={"x-request-id": sent})

    assert UUID(answer.headers["X-Request-Id"])


@pytest.mark.parametrize("path", ["/api/open", f"/api/items/{shop.ITEM}", "/nowhere", "/api/crash"])
def test_every_response_is_kept_by_nobody_and_sniffed_by_nobody(ask_shop: Any, path: str) -> None:
    headers = ask_shop("GET", path).headers

    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_no_content_has_no_body(ask_shop: Any) -> None:
    answer = ask_shop("DELETE", f"/api/items/{shop.ITEM}")

    assert (answer.status, answer.text) == (204, "")
    assert "Content-Type" not in answer.headers


def test_json_is_compact_utf8_and_keeps_integers_and_nulls(ask_shop: Any) -> None:
    answer = ask_shop("GET", f"/api/items/{shop.ITEM}")

    item = f'{{"id":"{shop.ITEM}","name":"Täa","opensAt":"2027-03-08T12:00:00Z",'
    assert answer.text == f'{{"data":{item}"price":{{"amount":9007199254740991,"currency":"USD"}}}}}}'


def test_a_problem_has_all_its_members(ask_shop: Any) -> None:
    answer = ask_shop("POST", "/api/items", json_body={**NEW, "name": "taken"}, headers={"x-request-id": "r-2"})

    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json == {
        "type": "/problems/item_exists",
        "title": "Item exists",
        "status": 409,
        "detail": "There is such an item already.",
        "instance": "/api/items",
        "code": "item_exists",
        "requestId": "r-2",
        "reason": "name",
    }


def test_a_bug_is_logged_once_and_told_to_nobody(anonymous: Any, logged: Logged) -> None:
    answer = anonymous("GET", "/api/crash")

    assert (answer.status, answer.code) == (500, "internal_error")
    assert "bug" not in answer.text
    failures = [entry for entry in logged() if entry["level"] == "ERROR"]
    assert len(failures) == 1
    assert failures[0]["request_id"] == answer.headers["X-Request-Id"]
    assert "RuntimeError: a bug" in failures[0]["exception"]


def test_a_response_that_does_not_fit_is_our_fault_and_its_values_stay_out_of_the_log(
    anonymous: Any, logged: Logged
) -> None:
    answer = anonymous("GET", "/api/broken")

    assert (answer.status, answer.code) == (500, "internal_error")
    log = json.dumps(logged())
    assert "uuid_parsing" in log
    assert "jane@example.com" not in log + answer.text


def test_one_line_is_logged_for_a_request_and_nothing_personal(ask_shop: Any, logged: Logged) -> None:
    body = {**NEW, "name": "jane@example.com"}
    ask_shop("POST", "/api/items", json_body=body, query={"email": "jane@example.com"})
    ask_shop("POST", "/api/items", json_body=body)

    entries = logged()
    assert [(entry["message"], entry["status"]) for entry in entries] == [
        ("request.handled", 422),
        ("request.handled", 201),
    ]
    assert entries[1]["route"] == "/api/items"
    assert entries[1]["method"] == "POST"
    assert entries[1]["user"] == "user_1"
    assert entries[1]["ms"] >= 0
    assert "jane" not in json.dumps(entries)
    assert "a.b.c" not in json.dumps(entries)


def test_a_dependency_that_is_down_says_when_to_come_back() -> None:
    app = create_app()

    @app.get("/down")
    def down() -> dict[str, int]:
        raise Unavailable(retry_after=7)

    answer = ask(entrypoint(app, public=True), http_event("GET", "/down"))

    assert (answer.status, answer.headers["Retry-After"]) == (503, "7")


def test_a_function_that_is_not_public_marks_all_its_routes() -> None:
    app = create_app()
    app.get("/forgotten")(lambda: None)

    with pytest.raises(TypeError, match="/forgotten"):
        entrypoint(app)


def test_an_unknown_route_of_a_private_function_asks_for_a_token_first() -> None:
    handler = entrypoint(create_app())

    assert asking(handler)("GET", "/x").status == 401
    assert asking(handler)("GET", "/x", headers={"authorization": "Bearer a.b.c"}).status == 404


@pytest.mark.parametrize(
    "path",
    ["/api/items/", "/api//items", f"/api/items/{shop.ITEM}/", "/API/items", "/api/items/a%2Fb/archive/x", "/", ""],
)
def test_no_path_is_guessed(ask_shop: Any, path: str) -> None:
    assert (ask_shop("GET", path).status, ask_shop("GET", path).code) == (404, "not_found")


def test_a_signed_webhook_gets_its_bytes_as_they_came() -> None:
    app = create_app()
    seen = []

    @app.post("/hook")
    def hook() -> dict[str, bool]:
        seen.append(raw_body(app.current_event.raw_event))
        return {"ok": True}

    handler = entrypoint(app, public=True, raw=True, largest_body=10)

    for body in (b"{ not json", "{ not json"):
        assert ask(handler, http_event("POST", "/hook", body=body)).status == 200
    assert seen == [b"{ not json"] * 2
    assert ask(handler, http_event("POST", "/hook", body="x" * 11)).status == 413


ROUTES = [("GET", "/api/user"), ("PATCH", "/api/user"), ("GET", "/api/coach/{coachId}"), ("GET", "/api/coach/profile")]


def fallback() -> App:
    app = create_app()

    @app.not_found
    def unrouted(_: Exception) -> None:
        if methods := allowed_methods(app.current_event.path, ROUTES):
            raise MethodNotAllowed(methods)
        raise NotFound

    return app


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/api/user", "GET, PATCH"),
        ("/api/coach/profile", "GET"),
        ("/api/coach/anyone", "GET"),
        ("/api/coach/", None),
        ("/api/coach/a/b", None),
        ("/api/nowhere", None),
    ],
)
def test_the_fallback_tells_a_wrong_method_from_an_unknown_route(path: str, allow: str | None) -> None:
    answer = ask(entrypoint(fallback(), public=True), http_event("DELETE", path, body="{", headers={"x": "y"}))

    assert (answer.status, answer.code) == ((405, "method_not_allowed") if allow else (404, "not_found"))
    assert answer.headers.get("Allow") == allow
