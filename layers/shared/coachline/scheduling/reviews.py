"""What mentees say of completed sessions."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Input, Instant, Output, Reason, Version, example
from coachline.pagination import Keyset, PageQuery

_ORDER = Keyset(before_created_at=("created_at", datetime), before_id=("id", UUID))
_REVIEW = {"id": "c4b3c1de-5d4c-4f35-9f0a-6f4f6e3a0b52", "rating": 5, "text": "I left with a plan for the quarter."}


class ReviewStatus(StrEnum):
    """A HIDDEN review is not shown and counts in no figure."""

    PUBLISHED = "PUBLISHED"
    HIDDEN = "HIDDEN"


class PublicReview(Output):
    """A review as anyone sees it; `author` is a first name, and null when its owner has left."""

    model_config = example(**_REVIEW, author="Jordan", createdAt="2027-03-09T10:00:00Z")

    id: UUID
    rating: int
    text: str | None
    author: str | None
    created_at: Instant


class Review(Output):
    """A review as the two people of its session and ADMINs see it."""

    model_config = example(
        **_REVIEW,
        sessionId="36f3a6f7-6b06-4742-97cb-55ba40744261",
        coachId="0f08551d-9a54-47e4-b942-7a387eda5385",
        menteeId="3e2ec15d-3d13-4e0d-a65c-377bd7400497",
        status="PUBLISHED",
        version=1,
        createdAt="2027-03-09T10:00:00Z",
        updatedAt="2027-03-09T10:00:00Z",
    )

    id: UUID
    session_id: UUID
    coach_id: UUID
    mentee_id: UUID
    rating: int
    text: str | None
    status: ReviewStatus
    version: int
    created_at: Instant
    updated_at: Instant


class ReviewInput(Input):
    """One to five stars, and why. It cannot be changed afterwards."""

    model_config = example(rating=5, text="I left with a plan for the quarter.")

    rating: Annotated[int, Field(ge=1, le=5)]
    text: Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")] | None = None


class Moderation(Input):
    """Hide a review or show it again. The reason is kept in the audit log."""

    model_config = example(status="HIDDEN", reason="Names a client", version=1)

    status: ReviewStatus
    reason: Reason
    version: Version


def list_reviews(caller: Caller, coach_id: UUID, query: PageQuery) -> tuple[list[Any], str | None]:
    """A page of a coach's `PublicReview`s, latest first, and the next cursor; 404 for nobody who can be booked."""
    rows = as_caller(caller).read(
        "list_reviews",
        coach_id=str(coach_id),
        **_ORDER.arguments(query),
    )
    return _ORDER.page(rows, query)


def get_review(caller: Caller, session_id: UUID) -> Any:
    """The `Review` of a session; 404 to everyone but its two participants and ADMINs, and when there is none."""
    return as_caller(caller).read("get_review", session_id=str(session_id))


def post_review(caller: Caller, session_id: UUID, body: ReviewInput) -> Any:
    """The new `Review`; 409 session_not_completed or already_reviewed, 403 to the session's coach."""
    return as_caller(caller).write("post_review", session_id=str(session_id), rating=body.rating, text=body.text)


def moderate_review(caller: Caller, coach_id: UUID, review_id: UUID, body: Moderation) -> Any:
    """The `Review` with its new status; 409 version_conflict when someone else was there first."""
    return as_caller(caller).write(
        "moderate_review",
        coach_id=str(coach_id),
        review_id=str(review_id),
        status=body.status,
        reason=body.reason,
        expected_version=body.version,
    )
