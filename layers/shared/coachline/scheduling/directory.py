"""The public directory of coaches."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from coachline import clock
from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Instant, example
from coachline.money import CURRENCIES
from coachline.pagination import PageQuery, decode_cursor, page
from coachline.problems import Unprocessable
from coachline.scheduling.languages import Language
from coachline.scheduling.next_free import next_free
from coachline.scheduling.profiles import COACH_EXAMPLE, Coach


class Sort(StrEnum):
    """Newest and best rated first; cheapest and soonest free first."""

    NEWEST = "newest"
    RATING = "rating"
    PRICE = "price"
    NEXT_FREE = "nextFree"


_KEYS: dict[Sort, type] = {Sort.NEWEST: datetime, Sort.RATING: int, Sort.PRICE: int, Sort.NEXT_FREE: datetime}
_LARGEST_AMOUNT = 99_999_999


class DirectoryCoach(Coach):
    """A coach who can be booked. `nextFreeSlot` is the first start of the default duration in the next 60 days."""

    model_config = example(**COACH_EXAMPLE, nextFreeSlot="2027-03-08T14:00:00Z")

    next_free_slot: Instant | None


def _known_currency(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError("Not a currency that prices can be in")
    return code


Currency = Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["USD"]), AfterValidator(_known_currency)]


class DirectoryQuery(PageQuery):
    """Which coaches, and in which order. Conditions hold together.

    Prices are hourly rates in minor units of `currency`, without which they cannot be compared. `search` finds coaches
    by the beginnings of words in name, specialties, certifications and bio. The order of `nextFree` and the choice of
    `freeBefore` follow changes within a minute.
    """

    specialty: Annotated[str, Field(min_length=1, max_length=80, description="In any case.")] | None = None
    language: Language | None = None
    currency: Currency | None = None
    min_price: Annotated[int, Field(ge=0, le=_LARGEST_AMOUNT)] | None = None
    max_price: Annotated[int, Field(ge=0, le=_LARGEST_AMOUNT)] | None = None
    min_rating: Annotated[float, Field(ge=1, le=5, allow_inf_nan=False)] | None = None
    search: Annotated[str, Field(min_length=1, max_length=200, pattern=r"\w")] | None = None
    free_before: Instant | None = None
    sort: Sort = Sort.NEWEST

    @field_validator("max_price")
    @classmethod
    def _not_below_minimum(cls, maximum: int | None, info: ValidationInfo) -> int | None:
        minimum = info.data.get("min_price")
        if maximum is not None and minimum is not None and maximum < minimum:
            raise ValueError("must not be less than `minPrice`")
        return maximum


def list_coaches(caller: Caller, query: DirectoryQuery) -> tuple[list[Any], str | None]:
    """A page of `DirectoryCoach`; and the next cursor. One trip: slots to be computed come with their diary."""
    if query.currency is None and (query.sort is Sort.PRICE or (query.min_price, query.max_price) != (None, None)):
        raise Unprocessable(
            errors=[{"parameter": "currency", "detail": "Prices are compared in one currency: name it"}]
        )
    after_key, after_id = _after(query)
    wanted = query.model_dump(mode="json", exclude_none=True, exclude={"limit", "cursor", "sort"})
    if query.min_rating is not None:
        wanted["min_rating"] = round(query.min_rating * 100)
    rows = as_caller(caller).read(
        "list_coaches",
        wanted=wanted,
        sort=query.sort,
        after_key=after_key,
        after_id=after_id,
        page_size=query.limit + 1,
    )
    kind, now = _KEYS[query.sort], clock.now()

    def key(row: dict[str, Any]) -> tuple[str, Any, UUID]:
        value = row["sort_key"]
        return query.sort.value, datetime.fromisoformat(value) if kind is datetime else value, UUID(row["coach_id"])

    shown, next_cursor = page(rows, query.limit, key)
    return [_with_next_slot(row, now) for row in shown], next_cursor


def get_coach(caller: Caller, coach_id: UUID) -> Any:
    """One `DirectoryCoach`; 404 when nobody who can be booked has that id."""
    return _with_next_slot(as_caller(caller).read("get_coach", coach_id=str(coach_id)), clock.now())


def _after(query: DirectoryQuery) -> tuple[str | None, str | None]:
    """The sort key and id of the page's predecessor; a cursor of another order is one of another list."""
    if not query.cursor:
        return None, None
    sort, key, coach_id = decode_cursor(query.cursor, str, _KEYS[query.sort], UUID)
    if sort != query.sort or (isinstance(key, int) and not 0 <= key <= _LARGEST_AMOUNT):
        detail = "Not a cursor of this order; start again without one"
        raise Unprocessable(errors=[{"parameter": "cursor", "detail": detail}])
    return key.isoformat() if isinstance(key, datetime) else str(key), str(coach_id)


def _with_next_slot(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    return row if "next_free_slot" in row else row | {"next_free_slot": next_free(row, now)}
