"""What a coach offers: his profile, durations and rate."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, ValidationInfo, field_validator

from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Input, Instant, Money, Output, Price, Version, example
from coachline.patches import columns, partial
from coachline.scheduling.schedule_input import SessionMinutes

_OFFER = {
    "bio": "Twenty years of listings in New York: pricing, staging and the talk that wins the mandate.",
    "specialties": ["Listings", "Negotiation"],
    "yearsCoaching": 8,
    "certifications": ["CRS"],
    "hourlyRate": {"amount": 15000, "currency": "USD"},
    "minimumDuration": 30,
    "maximumDuration": 120,
    "defaultDuration": 60,
    "allowCustomDuration": False,
}
_COACH = {"coachId": "0f08551d-9a54-47e4-b942-7a387eda5385", "name": "Casey Morgan", **_OFFER}

Label = Annotated[str, Field(min_length=1, max_length=80, pattern=r"\S")]


class ProfileStatus(StrEnum):
    """Only PUBLISHED coaches are listed and bookable."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    ARCHIVED = "ARCHIVED"


class Coach(Output):
    """What anyone may see of a coach. `coachId` is a user id; durations are minutes, the rate is for an hour."""

    model_config = example(**_COACH)

    coach_id: UUID
    name: str | None
    bio: str
    specialties: list[str]
    years_coaching: int | None
    certifications: list[str]
    hourly_rate: Money | None
    default_duration: int
    minimum_duration: int
    maximum_duration: int
    allow_custom_duration: bool


class CoachProfile(Coach):
    """A coach's own profile. `completeness` is a percentage."""

    model_config = example(
        **_COACH,
        status="PUBLISHED",
        completeness=100,
        version=2,
        createdAt="2027-01-04T09:00:00Z",
        updatedAt="2027-01-04T09:05:00Z",
    )

    status: ProfileStatus
    completeness: int
    version: int
    created_at: Instant
    updated_at: Instant


class CoachProfileInput(Input):
    """A new profile, which starts as a DRAFT. The default duration lies between the other two."""

    model_config = example(**_OFFER)

    bio: Annotated[str, Field(max_length=2000)] = ""
    specialties: Annotated[list[Label], Field(max_length=20, default_factory=list)]
    years_coaching: Annotated[int, Field(ge=0, le=80)] | None = None
    certifications: Annotated[list[Label], Field(max_length=20, default_factory=list)]
    hourly_rate: Price | None = None
    minimum_duration: SessionMinutes = 30
    maximum_duration: SessionMinutes = 120
    default_duration: SessionMinutes = 60
    allow_custom_duration: bool = False

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


class _Editable(CoachProfileInput):
    status: ProfileStatus


@partial
class CoachProfilePatch(_Editable):
    """What changes, and the version it was read at. PUBLISHED needs a bio of 50 characters, a specialty and a rate.

    A rate of null withdraws it.
    """

    model_config = example(status="PUBLISHED", version=1)

    version: Version


def get_profile(caller: Caller) -> Any:
    """The caller's `CoachProfile`; 404 until he has made one."""
    return as_caller(caller).read("get_coach_profile")


def create_profile(caller: Caller, body: CoachProfileInput) -> Any:
    """The caller's new `CoachProfile`; 409 profile_exists when he has one."""
    return as_caller(caller).write("create_coach_profile", input=columns(body, all_fields=True))


def update_profile(caller: Caller, patch: CoachProfilePatch) -> Any:
    """The caller's `CoachProfile` with the patch applied; 422 profile_incomplete when it cannot be published."""
    return as_caller(caller).write(
        "update_coach_profile", patch=columns(patch, but=("version",)), expected_version=patch.version
    )
