"""What a coach offers: his profile, durations and rate."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, ValidationInfo, field_validator

from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Input, Instant, Money, Output, Price, Version, example
from coachline.pagination import Keyset, PageQuery
from coachline.patches import columns, partial
from coachline.scheduling.completeness import assess
from coachline.scheduling.languages import Language
from coachline.scheduling.schedule_input import SessionMinutes

_ORDER = Keyset(before_valid_from=("valid_from", datetime), before_id=("id", UUID))
_OFFER = {
    "bio": "Twenty years of listings in New York: pricing, staging and the talk that wins the mandate.",
    "specialties": ["Listings", "Negotiation"],
    "languages": ["en", "es"],
    "yearsCoaching": 8,
    "certifications": ["CRS"],
    "hourlyRate": {"amount": 15000, "currency": "USD"},
    "durationPrices": [{"duration": 30, "price": {"amount": 9000, "currency": "USD"}}],
    "minimumDuration": 30,
    "maximumDuration": 120,
    "defaultDuration": 60,
    "allowCustomDuration": False,
}
COACH_EXAMPLE = {
    "coachId": "0f08551d-9a54-47e4-b942-7a387eda5385",
    "name": "Casey Morgan",
    **_OFFER,
    "averageRating": 4.75,
    "reviewCount": 12,
    "completedSessions": 48,
}

Label = Annotated[str, Field(min_length=1, max_length=80, pattern=r"\S")]


class ProfileStatus(StrEnum):
    """Only PUBLISHED coaches are listed and bookable."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    ARCHIVED = "ARCHIVED"


class DurationPrice(Input):
    """The price of one session of that many minutes, as a whole, in place of the hourly rate's share."""

    duration: SessionMinutes
    price: Price


class Coach(Output):
    """What anyone may see of a coach. `coachId` is a user id; durations are minutes, the rate is for an hour.

    `averageRating` is of the published reviews, null without any.
    """

    model_config = example(**COACH_EXAMPLE)

    coach_id: UUID
    name: str | None
    bio: str
    specialties: list[str]
    languages: list[str]
    years_coaching: int | None
    certifications: list[str]
    hourly_rate: Money | None
    duration_prices: list[DurationPrice]
    default_duration: int
    minimum_duration: int
    maximum_duration: int
    allow_custom_duration: bool
    average_rating: float | None
    review_count: int
    completed_sessions: int


class Missing(Output):
    """What a profile lacks. Without what is `required` nobody can be listed and booked."""

    field: str
    required: bool
    advice: str


class CoachProfile(Coach):
    """A coach's own profile. `completeness` is a percentage, and `missing` what it takes to be 100."""

    model_config = example(
        **COACH_EXAMPLE,
        status="PUBLISHED",
        completeness=80,
        missing=[{"field": "schedule", "required": True, "advice": "Add your hours: POST /api/coaching/availability."}],
        version=2,
        createdAt="2027-01-04T09:00:00Z",
        updatedAt="2027-01-04T09:05:00Z",
    )

    status: ProfileStatus
    completeness: int
    missing: list[Missing]
    version: int
    created_at: Instant
    updated_at: Instant


class CoachProfileInput(Input):
    """A new profile, which starts as a DRAFT. The default duration lies between the other two."""

    model_config = example(**_OFFER)

    bio: Annotated[str, Field(max_length=2000)] = ""
    specialties: Annotated[list[Label], Field(max_length=20, default_factory=list)]
    languages: Annotated[list[Language], Field(max_length=20, default_factory=list)]
    years_coaching: Annotated[int, Field(ge=0, le=80)] | None = None
    certifications: Annotated[list[Label], Field(max_length=20, default_factory=list)]
    hourly_rate: Price | None = None
    minimum_duration: SessionMinutes = 30
    maximum_duration: SessionMinutes = 120
    default_duration: SessionMinutes = 60
    allow_custom_duration: bool = False
    duration_prices: Annotated[list[DurationPrice], Field(max_length=46, default_factory=list)]

    @field_validator("maximum_duration")
    @classmethod
    def _not_below_minimum(cls, maximum: int, info: ValidationInfo) -> int:
        minimum = info.data.get("minimum_duration")
        if minimum is not None and maximum < minimum:
            raise ValueError("must not be less than `minimumDuration`")
        return maximum

    @field_validator("default_duration")
    @classmethod
    def _between(cls, default: int, info: ValidationInfo) -> int:
        lowest, highest = info.data.get("minimum_duration"), info.data.get("maximum_duration")
        if (lowest is not None and default < lowest) or (highest is not None and default > highest):
            raise ValueError("must lie between `minimumDuration` and `maximumDuration`")
        return default

    @field_validator("duration_prices")
    @classmethod
    def _one_each(cls, prices: list[DurationPrice]) -> list[DurationPrice]:
        if len({each.duration for each in prices}) < len(prices):
            raise ValueError("a duration has one price")
        return prices


class _Editable(CoachProfileInput):
    status: ProfileStatus


@partial
class CoachProfilePatch(_Editable):
    """What changes, and the version it was read at. PUBLISHED needs a bio of 50 characters, a specialty and a rate.

    Lists are replaced as a whole; a rate of null withdraws it. A new rate counts from now on, for what is booked from
    now on. Any status may follow any other.
    """

    model_config = example(status="PUBLISHED", version=1)

    version: Version


class Rate(Output):
    """A price and when it counted: of an hour, or with a `duration` of a session of so many minutes."""

    model_config = example(
        id="5f1f8a0e-6a42-4a43-bd0d-0d8b1f6f5a3e",
        duration=None,
        price={"amount": 15000, "currency": "USD"},
        validFrom="2027-01-04T09:00:00Z",
        validTo=None,
    )

    id: UUID
    duration: int | None
    price: Money
    valid_from: Instant
    valid_to: Instant | None


def get_profile(caller: Caller) -> Any:
    """The caller's `CoachProfile`; 404 until he has made one."""
    return _assessed(as_caller(caller).read("get_coach_profile"))


def create_profile(caller: Caller, body: CoachProfileInput) -> Any:
    """The caller's new `CoachProfile`; 409 profile_exists when he has one."""
    return _assessed(as_caller(caller).write("create_coach_profile", input=columns(body, all_fields=True)))


def update_profile(caller: Caller, patch: CoachProfilePatch) -> Any:
    """The caller's `CoachProfile` with the patch applied; 422 profile_incomplete when it cannot be published."""
    return _assessed(
        as_caller(caller).write(
            "update_coach_profile", patch=columns(patch, but=("version",)), expected_version=patch.version
        )
    )


def list_rates(caller: Caller, query: PageQuery) -> tuple[list[Any], str | None]:
    """A page of every `Rate` that the caller has had, latest first; and the next cursor."""
    rows = as_caller(caller).read(
        "list_coach_rates",
        **_ORDER.arguments(query),
    )
    return _ORDER.page(rows, query)


def _assessed(profile: dict[str, Any]) -> dict[str, Any]:
    return profile | assess(profile)
