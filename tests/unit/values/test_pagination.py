"""Cursors come back as what they were made of; whatever else comes is refused."""

import base64
import json
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachline.pagination import CursorValue, Keyset, PageQuery, decode_cursor, encode_cursor, page
from coachline.problems import Unprocessable

zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
values: st.SearchStrategy[CursorValue] = (
    st.none()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50)
    | st.uuids()
    | st.dates()
    | st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=zones)  # noqa: DTZ001 - hypothesis adds the zone
)


@given(st.lists(values, max_size=5))
def test_a_cursor_comes_back_as_it_was(key: list[CursorValue]) -> None:
    cursor = encode_cursor(key)

    assert decode_cursor(cursor) == key
    assert cursor.replace("-", "").replace("_", "").isalnum() or not key


def assert_refused(cursor: str, *types: type) -> None:
    with pytest.raises(Unprocessable) as refusal:
        decode_cursor(cursor, *types)
    assert [error["parameter"] for error in refusal.value.errors] == ["cursor"]


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_no_text_breaks_the_decoder(cursor: str) -> None:
    with suppress(Unprocessable):
        assert isinstance(decode_cursor(cursor), list)


@pytest.mark.parametrize(
    "document",
    [
        5,
        {"ab": 1},
        "text",
        None,
        [1],
        [["t"]],
        [["x", 1]],
        [[[], 1]],
        [["i", "1"]],
        [["i", True]],
        [["i", 1.5]],
        [["i", 2**63]],
        [["i", 10**30]],
        [["s", "\0"]],
        [["s", "\ud800"]],
        [["s", 5]],
        [["n", 0]],
        [["u", 5]],
        [["u", "x"]],
        [["d", "2027-02-30"]],
        [["t", "2027-03-08T14:00:00"]],
        [["t", "0001-01-01T00:00:00+14:00"]],
        [["t", 5]],
    ],
)
def test_a_made_up_cursor_is_refused(document: object) -> None:
    assert_refused(base64.urlsafe_b64encode(json.dumps(document).encode()).decode())


@pytest.mark.parametrize("cursor", ["", "a", "%%%%", "é", "AA==", "A" * 1000, "bnVsbA", "9" * 999, "\ud800"])
def test_garbage_is_refused(cursor: str) -> None:
    assert_refused(cursor)


def test_deep_nesting_is_refused() -> None:
    assert_refused(base64.urlsafe_b64encode(b"[" * 100_000).decode())


def test_a_cursor_of_another_list_is_refused() -> None:
    cursor = encode_cursor([datetime(2027, 1, 1, tzinfo=UTC), UUID(int=1)])

    assert decode_cursor(cursor, datetime, UUID) == [datetime(2027, 1, 1, tzinfo=UTC), UUID(int=1)]
    assert_refused(cursor, datetime)
    assert_refused(cursor, UUID, datetime)
    assert_refused(cursor, date, UUID)
    assert_refused(cursor, datetime, UUID, str)


@given(st.integers(0, 30), st.integers(1, 10))
def test_pages_hold_every_row_once(count: int, limit: int) -> None:
    rows = list(range(count))
    seen: list[int] = []
    cursor: str | None = encode_cursor([-1])
    while cursor:
        (after,) = decode_cursor(cursor, int)
        items, cursor = page([row for row in rows if row > after][: limit + 1], limit, lambda row: [row])
        assert len(items) <= limit
        seen += items

    assert seen == rows


instants = st.datetimes(datetime(2027, 1, 1), datetime(2027, 1, 2), timezones=st.just(UTC))  # noqa: DTZ001 - likewise


@given(st.sets(st.tuples(instants, st.uuids())), st.integers(1, 5))
def test_a_keyset_leads_through_a_list_as_its_function_orders_it(keys: set[tuple[datetime, UUID]], limit: int) -> None:
    order = Keyset(before_at=("created_at", datetime), before_id=("id", UUID))
    newest_first = [{"created_at": at.isoformat(), "id": str(id_)} for at, id_ in sorted(keys, reverse=True)]
    seen: list[Any] = []
    cursor: str | None = None
    while True:
        query = PageQuery(limit=limit, cursor=cursor)
        asked = json.loads(json.dumps(order.arguments(query)))  # as PostgREST is asked
        last = (asked["before_at"], asked["before_id"])
        assert (last == (None, None)) == (cursor is None)
        left = newest_first
        if cursor:
            at, id_ = datetime.fromisoformat(last[0]), UUID(last[1])
            left = [r for r in left if (datetime.fromisoformat(r["created_at"]), UUID(r["id"])) < (at, id_)]
        items, cursor = order.page(left[: asked["page_size"]], query)
        seen += items
        if cursor is None:
            break

    assert seen == newest_first
