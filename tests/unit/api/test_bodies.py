"""Bodies: their size, their type and their form, before anything is made of them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.api import shop
from tests.unit.api.events import ask, http_event
from tests.unit.api.test_entrypoint import JSON, NEW


def ask_with(ask_shop: Any, body: str | bytes, media_type: str | None = "application/json") -> Any:
    return ask_shop("POST", "/api/items", body=body, headers={"content-type": media_type} if media_type else {})


@pytest.mark.parametrize(
    "media_type", ["application/json", "application/json; charset=utf-8", "Application/JSON;x=y", " application/json "]
)
def test_json_is_accepted_with_any_parameters_and_in_any_case(ask_shop: Any, media_type: str) -> None:
    assert ask_with(ask_shop, json.dumps(NEW), media_type).status == 201


@pytest.mark.parametrize(
    "media_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "application/merge-patch+json", "json", "*/*"],
)
def test_another_media_type_or_none_is_refused(ask_shop: Any, media_type: str | None) -> None:
    answer = ask_with(ask_shop, json.dumps(NEW), media_type)

    assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert answer.headers["Accept"] == "application/json"


@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP", "identity, gzip", "x"])
def test_a_compressed_body_is_refused_and_told_what_is_not(ask_shop: Any, coding: str) -> None:
    headers = {**JSON, "content-encoding": coding}
    answer = ask_shop("POST", "/api/items", body=json.dumps(NEW), headers=headers)

    assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert answer.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_a_body_that_is_said_to_be_as_it_is_is_taken(ask_shop: Any, coding: str) -> None:
    headers = {**JSON, "content-encoding": coding}
    assert ask_shop("POST", "/api/items", body=json.dumps(NEW), headers=headers).status == 201


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "nul",
        "{'name': 1}",
        '{"name": NaN}',
        '{"stock": Infinity}',
        '{"stock": -Infinity}',
        '{"stock": 1e999}',
        '{"stock": ' + "9" * 5000 + "}",
        '{"name": "\x01"}',
        "\ufeff{}",
        '{"extra": ' + "[" * 65 + "]" * 65 + "}",
        "[" * 20_000,
        '{"a":' * 4_000,
        b"\xff\xfe{\x00}\x00",
        b'{"name": "\xc3"}',
        b"\x00",
        "\ud800",
    ],
)
def test_what_is_not_json_in_utf8_is_refused(ask_shop: Any, body: str | bytes) -> None:
    answer = ask_with(ask_shop, body)

    assert answer.status == 400
    assert answer.code in {"malformed_json", "malformed_request"}


def test_base64_that_is_none_is_refused(ask_shop: Any) -> None:
    event = http_event("POST", "/api/items", body=b"{}", headers={**JSON, "authorization": "Bearer a.b.c"})

    assert ask(shop.lambda_handler, {**event, "body": "%%%"}).status == 400


def test_nesting_of_64_levels_is_taken(ask_shop: Any) -> None:
    deep: Any = []
    for _ in range(62):
        deep = [deep]

    assert ask_with(ask_shop, json.dumps({**NEW, "extra": {"deep": deep[0]}})).status == 201
    assert ask_with(ask_shop, json.dumps({**NEW, "extra": {"deep": deep}})).status == 400


@pytest.mark.parametrize("body", ["", "  \n", "null", None])
def test_a_missing_body_is_said_to_be_required(ask_shop: Any, body: str | None) -> None:
    answer = ask_shop("POST", "/api/items", body=body, headers=JSON)

    assert (answer.status, answer.json["errors"]) == (422, [{"pointer": "#", "detail": "Field required"}])


@pytest.mark.parametrize("body", ["[]", "[{}]", f"[{json.dumps(NEW)}]", '"x"', "5", "true"])
def test_a_body_that_is_no_object_is_refused_as_a_whole(ask_shop: Any, body: str) -> None:
    answer = ask_with(ask_shop, body)

    assert (answer.status, answer.places) == (422, ["#"])


def test_a_base64_body_is_the_same_body(ask_shop: Any) -> None:
    body = json.dumps({**NEW, "name": "Tää"}, ensure_ascii=False).encode()

    assert ask_with(ask_shop, body).json["data"]["name"] == "Tää"


def test_the_last_of_two_equal_keys_counts(ask_shop: Any) -> None:
    assert ask_with(ask_shop, json.dumps(NEW)[:-1] + ', "name": "Last"}').json["data"]["name"] == "Last"


@pytest.mark.parametrize("body", [None, "{}"])
def test_a_route_without_a_body_takes_none_or_an_empty_one(ask_shop: Any, body: str | None) -> None:
    assert ask_shop("POST", f"/api/items/{shop.ITEM}/archive", body=body, headers=JSON).code == "not_found"


def test_a_route_without_a_body_refuses_the_fields_of_one(ask_shop: Any) -> None:
    answer = ask_shop("POST", f"/api/items/{shop.ITEM}/archive", json_body={"a/b": 1, "c~": 2})

    assert (answer.status, answer.places) == (422, ["#/a~1b", "#/c~0"])


def test_the_body_of_a_get_is_nobodys_business(ask_shop: Any) -> None:
    assert ask_shop("GET", f"/api/items/{shop.ITEM}", body="{").status == 200


@pytest.mark.parametrize(
    "faults",
    [
        {"labels": [1] * 700},
        {f"unknown{number}": 1 for number in range(700)},
        {"weekly": [{}] * 350},
    ],
)
def test_a_body_of_nothing_but_faults_is_answered_shortly_and_soon(
    ask_shop: Any, stopwatch: Callable[[], float], faults: dict[str, Any]
) -> None:
    answer = ask_with(ask_shop, json.dumps({**NEW, **faults}))

    assert answer.status == 422
    assert len(answer.places) == 200
    assert stopwatch() < 1


@pytest.mark.parametrize("faults", [{"labels": [1] * 900}, {str(number): 1 for number in range(900)}])
def test_a_body_of_more_values_than_its_size_promises_is_too_large(ask_shop: Any, faults: dict[str, Any]) -> None:
    answer = ask_with(ask_shop, json.dumps({**NEW, **faults}))

    assert (answer.status, answer.code) == (413, "content_too_large")
