"""GET /api/coach/{coachId}/reviews, PATCH …/{reviewId}: what mentees say, for everyone; what ADMINs hide of it."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.models import Data, Page, many, one
from coachline.pagination import PageQuery
from coachline.scheduling import reviews
from coachline.scheduling.reviews import Moderation, PublicReview, Review

app = create_app()


@app.get("/api/coach/<coachId>/reviews", **doc("A coach's reviews, latest first", tag="Coaching", problems=[404]))
def list_reviews(
    coach_id: Annotated[UUID, Path(alias="coachId")], query: Annotated[PageQuery, Query()]
) -> Page[PublicReview]:
    return many(reviews.list_reviews(caller(app), coach_id, query))


@app.patch(
    "/api/coach/<coachId>/reviews/<reviewId>",
    middlewares=[requires("review:moderate")],
    **doc("Hide a review, or show it again", tag="Coaching", problems=[404, 409]),
)
def moderate_review(
    coach_id: Annotated[UUID, Path(alias="coachId")],
    review_id: Annotated[UUID, Path(alias="reviewId")],
    body: Moderation,
) -> Data[Review]:
    return one(reviews.moderate_review(caller(app), coach_id, review_id, body))


lambda_handler = entrypoint(app, public=True)
