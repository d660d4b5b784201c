"""What is wrong with a request is said all at once, each thing with its place as the caller knows it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachline.problems import pointer
from tests.unit.api import shop
from tests.unit.api.conftest import GOOD
from tests.unit.api.events import ask, http_event
from tests.unit.api.test_entrypoint import NEW


def refusals(ask_shop: Any, **changed: Any) -> dict[str, str]:
    answer = ask_shop("POST", "/api/items", json_body={**NEW, **changed})
    assert answer.status == 422, answer.text
    return {error["pointer"]: error["detail"] for error in answer.json["errors"]}


def test_all_faults_are_reported_at_once(ask_shop: Any) -> None:
    body = {
        "name": "",
        "opensAt": "tomorrow",
        "stock": 1001,
        "price": {"amount": -1, "currency": "usd", "tax": 1},
        "weekly": [{"day": "MONDAY", "intervals": [{"from": "09:00", "to": "10:00"}, {"from": "25:00"}]}],
        "a/b~c": 1,
    }

    answer = ask_shop("POST", "/api/items", json_body=body, query={"x": "1", "y": "2"})

    assert answer.status == 422
    assert set(answer.places) == {
        "x",
        "y",
        "#/name",
        "#/ownerId",
        "#/opensAt",
        "#/stock",
        "#/price/amount",
        "#/price/currency",
        "#/price/tax",
        "#/weekly/0/intervals/1/from",
        "#/weekly/0/intervals/1/to",
        "#/a~1b~0c",
    }
    assert all(error["detail"] for error in answer.json["errors"])


@pytest.mark.parametrize("name", ["owner_id", "opens_at", "Name", "constructor", "__class__"])
def test_only_the_documented_names_of_fields_are_known(ask_shop: Any, name: str) -> None:
    assert f"#/{name}" in refusals(ask_shop, **{name: "x"})


@pytest.mark.parametrize("number", [1.5, 1.0, "1", True, None, [], 10**30, -1, 1e300])
def test_an_integer_is_nothing_else(ask_shop: Any, number: Any) -> None:
    assert list(refusals(ask_shop, stock=number)) == ["#/stock"]


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "\udfff\ud800", 5, None, [], True])
def test_text_is_unicode_that_postgres_can_store(ask_shop: Any, text: Any) -> None:
    assert list(refusals(ask_shop, name=text)) == ["#/name"]


def test_a_surrogate_pair_is_a_character_like_any_other(ask_shop: Any) -> None:
    answer = ask_shop("POST", "/api/items", json_body={**NEW, "name": "\ud83d\ude00"})

    assert answer.json["data"]["name"] == "😀"


def test_text_is_checked_however_deep_it_lies(ask_shop: Any) -> None:
    assert refusals(ask_shop, labels=["ok", "\0"], extra={"a": [{"b": "\ud800"}], "c": 2**64, "\0": 1}).keys() == {
        "#/labels/1",
        "#/extra/a/0/b",
        "#/extra/c",
        "#/extra/\0",
    }


def test_an_unknown_field_with_an_impossible_name_is_refused(ask_shop: Any) -> None:
    assert refusals(ask_shop, **{"\ud800": 1})


@pytest.mark.parametrize(
    "instant",
    [
        "2027-03-08",
        "2027-03-08T14:00:00",
        "2027-03-08 14:00:00Z",
        "2027-03-08T14:00Z",
        "2027-02-30T14:00:00Z",
        "2027-03-08T24:00:00Z",
        "2027-03-08T14:00:60Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-01:00",
        "0000-01-01T00:00:00Z",
        "\u0662027-03-08T14:00:00Z",
        "2027-03-08T14:00:00+25:00",
        "1780000000",
        1780000000,
        True,
        "",
        None,
    ],
)
def test_an_instant_is_rfc_3339_with_an_offset(ask_shop: Any, instant: Any) -> None:
    assert list(refusals(ask_shop, opensAt=instant)) == ["#/opensAt"]


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ("2027-03-08T14:00:00Z", "2027-03-08T14:00:00Z"),
        ("2027-03-08t14:00:00z", "2027-03-08T14:00:00Z"),
        ("2027-03-08T14:00:00-05:00", "2027-03-08T19:00:00Z"),
        ("2027-03-08T14:00:00.120+00:00", "2027-03-08T14:00:00.120000Z"),
        ("2027-03-08T14:00:00.123456789Z", "2027-03-08T14:00:00.123456Z"),
    ],
)
def test_an_instant_is_answered_in_utc(ask_shop: Any, sent: str, answered: str) -> None:
    assert ask_shop("POST", "/api/items", json_body={**NEW, "opensAt": sent}).json["data"]["opensAt"] == answered


@pytest.mark.parametrize(
    "zone",
    [
        "Mars/Olympus",
        "../../etc/passwd",
        "/etc/localtime",
        "America",
        "america/new_york",
        "America/New_York\0",
        "America/New_York\n",
        "",
        ".",
        "A" * 65,
        "Europe/Zürich",
        "UTC+2",
        "Etc/",
        "./UTC",
        "__init__.py",
        "zone.tab",
        5,
        None,
    ],
)
def test_a_time_zone_exists(ask_shop: Any, zone: Any) -> None:
    assert list(refusals(ask_shop, zone=zone)) == ["#/zone"]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_time_zones_of_every_form_are_known(ask_shop: Any, zone: str) -> None:
    assert ask_shop("POST", "/api/items", json_body={**NEW, "zone": zone}).status == 201


@pytest.mark.parametrize("price", [{"amount": 1}, {"currency": "USD"}, {"amount": 1, "currency": "XXX"}, 5, []])
def test_a_price_is_an_amount_and_a_currency(ask_shop: Any, price: Any) -> None:
    assert refusals(ask_shop, price=price)


@pytest.mark.parametrize("item_id", ["1", "not-a-uuid", "%00", "null", "a%2Fb", "..", "6b1f4a52"])
def test_an_id_that_is_none_names_nothing(ask_shop: Any, item_id: str) -> None:
    answer = ask_shop("GET", f"/api/items/{item_id}")

    assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ({"limit": "0"}, ["limit"]),
        ({"limit": "101"}, ["limit"]),
        ({"limit": "ten"}, ["limit"]),
        ({"limit": "1,2"}, ["limit"]),
        ({"limit": ""}, ["limit"]),
        ({"limit": "9" * 5000}, ["limit"]),
        ({"since": "2027-03-08T14:00:00 02:00"}, ["since"]),
        ({"cursor": "x" * 1025}, ["cursor"]),
        ({"cursor": "\0"}, ["cursor"]),
        ({"colour": "red"}, ["colour"]),
        ({"Limit": "5", "next_cursor": "x", "limit": "-1"}, ["Limit", "next_cursor", "limit"]),
        ({"": ""}, [""]),
        ({"\ud800": "1"}, ["?"]),
    ],
)
def test_faults_of_the_query_name_their_parameter(query: dict[str, str], places: list[str]) -> None:
    event = http_event("GET", "/api/items", headers=GOOD)
    answer = ask(shop.lambda_handler, {**event, "queryStringParameters": query})

    assert (answer.status, [error["parameter"] for error in answer.json["errors"]]) == (422, places)


def test_a_repeated_parameter_is_refused_where_one_is_wanted() -> None:
    event = http_event("GET", f"/api/items/{shop.ITEM}", headers=GOOD)
    repeated = {**event, "rawQueryString": "q=a&q=b", "queryStringParameters": {"q": "a,b"}}

    assert (ask(shop.lambda_handler, repeated).places) == ["q"]


@pytest.mark.parametrize("query", [{"limit": "2"}, {"since": "2027-03-08T14:00:00+02:00"}, {"colour-of": "a,b"}])
def test_declared_parameters_are_taken(ask_shop: Any, query: dict[str, str]) -> None:
    assert ask_shop("GET", "/api/items", query=query).status == 200


def test_a_page_is_answered_with_its_cursor(ask_shop: Any) -> None:
    first, last = ask_shop("GET", "/api/items", query={"limit": "2"}).json, ask_shop("GET", "/api/items").json

    assert (len(first["data"]), first["data"][0]["opensAt"]) == (2, "2026-12-31T22:00:00.500000Z")
    assert first["nextCursor"]
    assert last["nextCursor"] is None
    assert "secret" not in first["data"][0]


def resolved(path: str, document: Any) -> Any:
    """RFC 6901, section 4, as plainly as it can be said."""
    for token in path[1:].split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        document = document[int(name)] if isinstance(document, list) else document[name]
    return document


documents = st.recursive(
    st.integers(), lambda part: st.lists(part) | st.dictionaries(st.text("ab/~01 %é", max_size=5), part), max_leaves=15
)


@given(documents, st.data())
def test_a_pointer_leads_to_where_it_was_made(document: Any, data: st.DataObject) -> None:
    location: list[int | str] = []
    part = document
    while part and isinstance(part, list | dict) and data.draw(st.booleans()):
        choices = list(range(len(part))) if isinstance(part, list) else sorted(part)
        step = data.draw(st.sampled_from(choices))
        location.append(step)
        part = part[step]

    assert resolved(pointer(location), document) is part
