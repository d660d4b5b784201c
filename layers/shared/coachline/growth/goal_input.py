"""What somebody sends to set or change a goal. What depends on several fields or on time, the database checks."""

import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from coachline.models import Input, Instant, Reason, TimeZoneName, Version, example
from coachline.money import CURRENCIES
from coachline.patches import partial

LARGEST = 10**12
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class GoalType(StrEnum):
    """What is counted."""

    SALES = "SALES"
    LISTINGS = "LISTINGS"
    CLIENTS = "CLIENTS"
    SESSIONS = "SESSIONS"
    HOURS = "HOURS"
    REVENUE = "REVENUE"
    REVIEWS = "REVIEWS"
    CUSTOM = "CUSTOM"


class GoalDirection(StrEnum):
    """UP: the goal is reached at or above its target; DOWN: at or below it, lower being better."""

    UP = "UP"
    DOWN = "DOWN"


class GoalCounting(StrEnum):
    """TOTAL: entries add up from the start value; LATEST: the entry dated last is the value."""

    TOTAL = "TOTAL"
    LATEST = "LATEST"


class GoalSource(StrEnum):
    """MANUAL: its owner makes the entries; AUTOMATIC: completed sessions and received reviews do."""

    MANUAL = "MANUAL"
    AUTOMATIC = "AUTOMATIC"


def _two_places(value: float) -> float:
    if round(value, 2) != value:
        raise ValueError("Must have at most two decimal places")
    return value


def _parse_date(value: Any) -> Any:
    if isinstance(value, str) and not _DATE.fullmatch(value):
        raise ValueError("Must be a date such as 2027-03-14")
    return value


Amount = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False), AfterValidator(_two_places)]
"""A number of the goal's unit, with at most two decimal places."""

GoalDate = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2100, 1, 1)), BeforeValidator(_parse_date)]
"""A calendar date in the goal's zone: YYYY-MM-DD."""

Title = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
Milestones = Annotated[list[Amount], Field(max_length=10)]

EXAMPLE: dict[str, Any] = {
    "type": "LISTINGS",
    "title": "Ten listings in Hudson Valley",
    "description": "Two a month, and a reserve.",
    "unit": "listings",
    "direction": "UP",
    "counting": "TOTAL",
    "source": "MANUAL",
    "startValue": 0,
    "targetValue": 10,
    "startsOn": "2027-01-01",
    "deadline": "2027-06-30",
    "timezone": "America/New_York",
    "shared": True,
}


class GoalInput(Input):
    """A goal from `startsOn` (today, if left out) until the end of `deadline`, dates in `timezone` (by default the
    owner's).

    `unit` follows from the type, but REVENUE wants a currency, whose minor units are counted, and CUSTOM a word.
    """

    model_config = example(**(EXAMPLE | {"unit": None, "milestones": [5, 8]}))

    type: GoalType
    title: Title
    description: Annotated[str, Field(max_length=2000)] | None = None
    unit: Annotated[str, Field(min_length=1, max_length=32, pattern=r"\S")] | None = None
    direction: GoalDirection = GoalDirection.UP
    counting: GoalCounting = GoalCounting.TOTAL
    source: GoalSource = GoalSource.MANUAL
    start_value: Amount = 0
    target_value: Amount
    milestones: Milestones = Field(default_factory=list)
    starts_on: GoalDate | None = None
    deadline: GoalDate
    timezone: TimeZoneName | None = None
    shared: bool = False

    @model_validator(mode="after")
    def _unit_of_type(self) -> "GoalInput":
        match self.type:
            case GoalType.CUSTOM:
                fault = None if self.unit else "A CUSTOM goal needs a unit, such as calls"
            case GoalType.REVENUE:
                known = self.unit in CURRENCIES
                fault = None if known else "A REVENUE goal needs a currency as its unit, such as USD"
            case kind:
                fault = None if self.unit in (None, kind.lower()) else f"The unit of a {kind} goal is {kind.lower()}"
        if fault:
            raise PydanticCustomError("unit_of_type", "{detail}", {"detail": fault})
        return self


class _Editable(Input):
    title: Title
    description: Annotated[str, Field(max_length=2000)] | None = None
    target_value: Amount
    milestones: Milestones
    deadline: GoalDate
    shared: bool


@partial
class GoalPatch(_Editable):
    """What changes, and the version it was read at. A later `deadline` extends the goal; an earlier one is refused."""

    model_config = example(deadline="2027-09-30", reason="The spring market began late", version=1)

    reason: Reason | None = None
    version: Version


class ProgressInput(Input):
    """An entry: `amount` more (or less) of a TOTAL, or the value itself of a LATEST; now, unless dated before."""

    model_config = example(amount=1, occurredAt="2027-02-03T15:00:00Z", note="12 Elm Street")

    amount: Amount
    occurred_at: Instant | None = None
    note: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S")] | None = None
