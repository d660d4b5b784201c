"""Idempotency-Key: bare or as a structured-field string, needed on some POSTs and taken on all."""

from typing import Any

import pytest

from tests.unit.api import shop
from tests.unit.api.test_entrypoint import NEW

ARCHIVE = f"/api/items/{shop.ITEM}/archive"


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ('"8e03978e"', "8e03978e"),
        (r'"a\"b\\c"', 'a"b\\c'),
        ("  padded\t", "padded"),
        ("a,b c", "a,b c"),
        ("k" * 255, "k" * 255),
        ('"' + "k" * 255 + '"', "k" * 255),
        ('"' + r"\"" * 255 + '"', '"' * 255),
    ],
)
def test_a_key_is_taken_bare_or_quoted(ask_shop: Any, sent: str, key: str) -> None:
    ask_shop("POST", ARCHIVE, headers={"idempotency-key": sent})

    assert shop.calls[0].idempotency_key == key


@pytest.mark.parametrize(
    "sent",
    [
        "",
        " ",
        '""',
        '"',
        '"a',
        'a"b"',
        '"a""b"',
        r'"a\b"',
        '"a","b"',
        "k" * 256,
        '"' + "k" * 256 + '"',
        "é",
        "a\0",
        "a\nb",
        '" a"',
        '"a "',
    ],
)
@pytest.mark.parametrize("path", [ARCHIVE, "/api/items"])
def test_a_malformed_key_is_refused_even_where_none_is_needed(ask_shop: Any, path: str, sent: str) -> None:
    answer = ask_shop("POST", path, headers={"idempotency-key": sent})

    assert (answer.status, answer.code) == (400, "idempotency_key_invalid")


def test_a_missing_key_is_refused_only_where_one_is_needed(anonymous: Any) -> None:
    headers = {"authorization": "Bearer a.b.c"}

    assert anonymous("POST", "/api/items", json_body=NEW, headers=headers).code == "idempotency_key_required"
    assert anonymous("POST", ARCHIVE, headers=headers).code == "not_found"
    assert shop.calls[0].idempotency_key is None


def test_a_key_on_anything_but_a_post_is_ignored(ask_shop: Any) -> None:
    assert ask_shop("GET", f"/api/items/{shop.ITEM}", headers={"idempotency-key": '"'}).status == 200
