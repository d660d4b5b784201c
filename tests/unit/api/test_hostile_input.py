"""Whatever arrives, the entrypoint neither raises nor blames itself."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.api import shop
from tests.unit.api.events import ask, http_event
from tests.unit.api.test_entrypoint import NEW

PATHS = ["/api/items", f"/api/items/{shop.ITEM}", f"/api/items/{shop.ITEM}/archive", "/api/open", "/api/items/"]
FIELDS = ["name", "ownerId", "opensAt", "stock", "price", "zone", "labels", "weekly", "extra", "from", "amount"]

anything = st.text(max_size=40)
any_unicode = st.text(st.characters(), max_size=20)  # lone surrogates included
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_unicode,
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | any_unicode, part, max_size=4),
    max_leaves=20,
)
near_misses = st.dictionaries(st.sampled_from(FIELDS), json_values).map(lambda changed: json.dumps({**NEW, **changed}))
bodies = st.none() | st.binary(max_size=200) | any_unicode | json_values.map(json.dumps) | near_misses
header_values = anything | st.sampled_from(["application/json", "application/json;", "Bearer a.b.c", '"k"', "gzip"])
headers = st.dictionaries(
    st.sampled_from(
        ["authorization", "content-type", "idempotency-key", "x-request-id", "cookie", "accept-encoding", "origin"]
    )
    | anything,
    header_values,
)
queries = st.dictionaries(st.sampled_from(["limit", "cursor", "since", "q", "deep"]) | any_unicode, any_unicode)

relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_answered(event: dict[str, Any]) -> None:
    answer = ask(shop.lambda_handler, event)
    assert answer.status < 500, answer.text
    if answer.status >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json["status"] == answer.status
    assert answer.headers["X-Request-Id"]


@relaxed
@given(st.sampled_from(["GET", "POST", "DELETE", "PUT", "OPTIONS"]), st.sampled_from(PATHS) | anything, bodies, headers)
def test_any_request_is_answered(method: str, path: str, body: str | bytes | None, given: Mapping[str, str]) -> None:
    assert_answered(http_event(method, path, body=body, headers=given))


@relaxed
@given(bodies)
def test_any_body_of_a_known_caller_is_answered(body: str | bytes | None) -> None:
    good = {"authorization": "Bearer a.b.c", "content-type": "application/json", "idempotency-key": "k"}
    assert_answered(http_event("POST", "/api/items", body=body, headers=good))


@relaxed
@given(st.sampled_from(PATHS), queries)
def test_any_query_is_answered(path: str, query: dict[str, str]) -> None:
    event = http_event("GET", path, headers={"authorization": "Bearer a.b.c"})
    raw = "&".join(f"{name}={value}" for name, value in query.items())
    assert_answered({**event, "rawQueryString": raw, "queryStringParameters": query})


@pytest.mark.parametrize("missing", ["headers", "queryStringParameters", "body"])
def test_parts_that_api_gateway_leaves_out_are_not_missed(missing: str) -> None:
    event = http_event("POST", "/api/items")
    assert_answered({**event, missing: None})
    assert_answered({name: value for name, value in event.items() if name != missing})
