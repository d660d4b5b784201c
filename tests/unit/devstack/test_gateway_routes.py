"""Which route serves a request, and how many of them a second."""

import pytest

from devstack.gateway import Bucket, Router
from devstack.template import Route

ROUTES = [
    ("ANY", "$default"),
    ("ANY", "/files/{path+}"),
    ("GET", "/api/coach/{coachId}"),
    ("ANY", "/api/coach/profile"),
    ("GET", "/api/coach/profile"),
    ("GET", "/api/{kind}/profile"),
    ("POST", "/api/coach/{coachId}/reviews/{id}"),
    ("GET", "/"),
]


@pytest.mark.parametrize(
    ("method", "path", "expected", "parameters"),
    [
        ("GET", "/api/coach/profile", "GET /api/coach/profile", {}),
        ("PUT", "/api/coach/profile", "ANY /api/coach/profile", {}),
        ("GET", "/api/coach/7", "GET /api/coach/{coachId}", {"coachId": "7"}),
        ("GET", "/api/user/profile", "GET /api/{kind}/profile", {"kind": "user"}),
        ("POST", "/api/coach/a b/reviews/é", "POST /api/coach/{coachId}/reviews/{id}", {"coachId": "a b", "id": "é"}),
        ("GET", "/files/a/b/c", "ANY /files/{path+}", {"path": "a/b/c"}),
        ("GET", "/files/a/", "ANY /files/{path+}", {"path": "a/"}),
        ("GET", "/files/", "ANY $default", {}),
        ("GET", "/files", "ANY $default", {}),
        ("POST", "/api/coach/7", "ANY $default", {}),
        ("GET", "/api/coach/", "ANY $default", {}),
        ("GET", "/api/coach/7/", "ANY $default", {}),
        ("GET", "/API/coach/7", "ANY $default", {}),
        ("GET", "//api/coach/7", "ANY $default", {}),
        ("GET", "/", "GET /", {}),
    ],
)
def test_the_most_specific_route_serves(method: str, path: str, expected: str, parameters: dict[str, str]) -> None:
    router = Router([Route(*route, f"{route[0]} {route[1]}") for route in ROUTES])
    found = router.match(method, path)
    assert found is not None
    assert (found[0].function, found[1]) == (expected, parameters)


def test_without_a_default_route_nothing_serves_the_rest() -> None:
    assert Router([Route("GET", "/a", "f")]).match("POST", "/a") is None


def test_a_bucket_allows_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(rate=2, burst=3, tokens=3, filled=100.0)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(now) for now in (100.4, 100.5, 100.6, 101.0)] == [False, True, False, True]
    assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False]
