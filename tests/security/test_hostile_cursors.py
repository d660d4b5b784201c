"""Tampered cursors at every list: refused by name, never a 5xx."""

import base64
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.hostile import DOCUMENT, OPERATIONS, World, clean, places


def cursor(document: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


WHEN, WHO = ["t", "2026-01-01T00:00:00+00:00"], ["u", str(uuid4())]
NUMBER, TEXT = ["i", 7], ["s", "x"]
LISTS: dict[str, list[Any]] = {
    "/api/achievements": [TEXT],
    "/api/achievements/definitions": [TEXT],
    "/api/admin/audit": [NUMBER],
    "/api/admin/referrals": [WHEN, WHO],
    "/api/admin/users": [WHEN, WHO],
    "/api/admin/webhook-events": [WHEN, WHO],
    "/api/calendly/event-types": [TEXT, WHO],
    "/api/coach": [["s", "newest"], WHEN, WHO],
    "/api/coach/profile/rates": [WHEN, WHO],
    "/api/coach/{coachId}/reviews": [WHEN, WHO],
    "/api/coaching/availability": [WHEN, WHO],
    "/api/disputes": [WHEN, WHO],
    "/api/goals": [WHEN, WHO],
    "/api/goals/{id}/progress": [WHEN, WHO],
    "/api/invoices": [WHEN, WHO],
    "/api/members": [WHEN, WHO],
    "/api/members/duplicates": [NUMBER, TEXT],
    "/api/members/import/{id}/findings": [NUMBER, NUMBER],
    "/api/members/{userId}/history": [NUMBER],
    "/api/notifications": [WHEN, WHO],
    "/api/payments": [WHEN, WHO],
    "/api/payments/{id}/refunds": [WHEN, WHO],
    "/api/plans": [WHEN, WHO],
    "/api/referrals": [WHEN, WHO],
    "/api/referrals/rewards": [NUMBER],
    "/api/sessions": [WHEN, WHO],
    "/api/sessions/{id}/history": [NUMBER],
    "/api/subscriptions": [WHEN, WHO],
    "/api/user/role/history": [NUMBER],
    "/api/user/role/requests": [WHEN, WHO],
}
"""Every list, and what its cursors hold."""
EDGES: dict[Any, list[Any]] = {
    "i": [2**63 - 1, -(2**63) + 1, 2**31, -(2**31) - 1, 0, -1],
    "s": ["", "x" * 400, "%", "'; drop table session; --", "😀"],
    "t": ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00"],
}


def test_every_list_is_attacked() -> None:
    paged = {path for method, path in OPERATIONS if method == "GET" and "cursor" in parameters(path)}
    assert set(LISTS) == paged


def parameters(path: str) -> set[str]:
    return {each["name"] for each in DOCUMENT["paths"][path]["get"].get("parameters", ())}


@pytest.mark.parametrize("route", LISTS)
def test_a_tampered_cursor_is_refused(world: World, route: str) -> None:
    reader = world.admin if route.startswith(("/api/admin", "/api/members")) else world.coach
    path, keys = world.path(route), LISTS[route]

    def answer(text: str, *statuses: int) -> httpx.Response:
        return clean(reader.get(path, params={"cursor": text}), *statuses)

    good = cursor(keys)
    there = answer(good, 200, 404).status_code  # 404: no import has that id
    tampered: list[Any] = [[], {}, None, "x", 5, keys[1:], [*keys, WHO], [["n", None]] * len(keys), {"t1": 1, "u1": 1}]
    wrong = [["t", None], ["t", 1], ["t", "2026-01-01"], ["t", "now"], ["t", "0001-01-01T00:00:00+23:59"]]
    wrong += [["t", "9999-12-31T23:59:59-01:00"], ["u", 1], ["u", "x"], ["u", WHO[1] + ")"], ["x", 1], [["t"], 1]]
    wrong += [["i", 10**400], ["i", 2**63], ["i", 1.0], ["i", True], ["s", 1], ["s", "\0"], ["s", "\ud800"], [], "t"]
    for place in range(len(keys)):
        tampered += [[*keys[:place], other, *keys[place + 1 :]] for other in wrong]
    for document in tampered:
        assert places(answer(cursor(document), 422)) == {"cursor"}, document
    for place, key in enumerate(keys):
        for other in EDGES.get(key[0], ()):  # as well made as any, if not by us
            answer(cursor([*keys[:place], [key[0], other], *keys[place + 1 :]]), there, 422)
    deep = base64.urlsafe_b64encode(b"[" * 700).decode()
    for text in (good[:-1], good + "A", " " + good, good + "\n", "x", "=", "====", "W10=", "../", "é", "\x7f", deep):
        assert places(answer(text, 422)) == {"cursor"}, text
