"""Keyset paging: a page starts after the last row of the page before, so rows that come and go shift nothing."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import Field

from coachline.models import Query, unstorable
from coachline.problems import Unprocessable

Row = TypeVar("Row")
CursorValue = str | int | datetime | date | UUID | None


class PageQuery(Query):
    """The two query parameters of every list."""

    limit: Annotated[int, Field(ge=1, le=100, description="How many to answer with.")] = 25
    cursor: Annotated[str | None, Field(max_length=1024, description="`nextCursor` of the page before.")] = None


def encode_cursor(values: Sequence[CursorValue]) -> str:
    """The sort key of a page's last row, opaque and safe in a URL."""
    tagged = [_tagged(value) for value in values]
    return base64.urlsafe_b64encode(json.dumps(tagged, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *types: type) -> list[Any]:
    """The values that `encode_cursor` was given; with `types` they must be of these, in number and kind.

    Anything else, including a cursor of another list, is a 422 that names the parameter.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        tagged = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        values = [_DECODERS[tag](value) for tag, value in tagged]
        if any(unstorable(values)) or (types and [type(value) for value in values] != list(types)):
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        detail = "Not a cursor of this list; start again without one"
        raise Unprocessable(errors=[{"parameter": "cursor", "detail": detail}]) from None
    return values


def page(rows: Sequence[Row], limit: int, key: Callable[[Row], Sequence[CursorValue]]) -> tuple[list[Row], str | None]:
    """Cut what was fetched with `limit + 1` into a page and the cursor of the next; `key` gives a row's sort key."""
    items = list(rows[:limit])
    return items, encode_cursor(key(items[-1])) if len(rows) > limit else None


class Keyset:
    """The order of a list: for each part, the argument by which its function takes the last row's, and whence it is.

    `Keyset(before_at=("created_at", datetime), before_id=("id", UUID))` is a list by time and id; the function is
    asked with `**keyset.arguments(query)` and its rows are cut with `keyset.page(rows, query)`.
    """

    def __init__(self, **parts: tuple[str, type]) -> None:
        self._parts = parts

    def arguments(self, query: PageQuery) -> dict[str, Any]:
        """Where the page starts (nulls for the first one), and `page_size`: one more row than it shows."""
        types = [kind for _, kind in self._parts.values()]
        last: Sequence[Any] = decode_cursor(query.cursor, *types) if query.cursor else [None] * len(types)
        return {
            "page_size": query.limit + 1,
            **{name: _plain(value) for name, value in zip(self._parts, last, strict=True)},
        }

    def page(self, rows: Sequence[Any], query: PageQuery) -> tuple[list[Any], str | None]:
        """A page of what was fetched with `arguments`, and the cursor of the next."""
        return page(rows, query.limit, lambda row: [_READ[kind](row[name]) for name, kind in self._parts.values()])


def _plain(value: CursorValue) -> str | int | None:
    return value.isoformat() if isinstance(value, date) else str(value) if isinstance(value, UUID) else value


_READ: dict[type, Callable[[Any], CursorValue]] = {datetime: datetime.fromisoformat, UUID: UUID, int: int, str: str}


def _tagged(value: CursorValue) -> tuple[str, str | int | None]:
    match value:
        case datetime():
            return "t", value.astimezone(UTC).isoformat()
        case date():
            return "d", value.isoformat()
        case UUID():
            return "u", str(value)
        case int():
            return "i", value
        case str():
            return "s", value
        case None:
            return "n", None


def _only(kind: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(value)
        return value

    return check


def _instant(value: str) -> datetime:
    parsed = datetime.fromisoformat(value)
    if parsed.tzinfo is None:
        raise ValueError(value)
    return parsed.astimezone(UTC)


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "t": _instant,
    "d": date.fromisoformat,
    "u": UUID,
    "i": _only(int),
    "s": _only(str),
    "n": _only(type(None)),
}
