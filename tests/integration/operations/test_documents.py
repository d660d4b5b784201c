"""What the API says of itself, and what it says to requests that no route takes."""

import json

import pytest

from tests.support.stack import ROOT, Stack


def test_the_document_is_the_published_one(stack: Stack) -> None:
    answer = stack.http.get("/api/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == json.loads((ROOT / "docs" / "openapi.json").read_text())


def test_the_page_shows_the_document_and_fetches_nothing_else(stack: Stack) -> None:
    answer = stack.http.get("/api/docs")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert 'url: "/api/openapi.json"' in answer.text
    assert "<script src" not in answer.text
    assert "<link" not in answer.text


@pytest.mark.parametrize("path", ["/api/nothing", "/api/sessions/", "/somewhere/else"])
def test_an_unknown_route_is_not_found(stack: Stack, path: str) -> None:
    answer = stack.http.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/sessions", "GET, POST"),
        ("PUT", "/api/coaching/availability/0f08551d-9a54-47e4-b942-7a387eda5385", "DELETE, GET, PATCH"),
        ("PROPFIND", "/api/sessions", "GET, POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(stack: Stack, method: str, path: str, allowed: str) -> None:
    answer = stack.http.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == allowed


def test_the_fallback_answers_with_its_sample_event(stack: Stack) -> None:
    event = json.loads((ROOT / "events" / "fallback.json").read_text())
    answer = stack.http.post("/_dev/invoke/fallback", json=event).json()
    assert answer["result"]["statusCode"] in {404, 405}
