"""POST GET /api/sessions/{id}/review: what the mentee says of a completed session."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path

from coachline.api import caller, create_app, created, doc, entrypoint, requires
from coachline.models import Data, one
from coachline.scheduling import reviews
from coachline.scheduling.reviews import Review, ReviewInput

app = create_app()


@app.post(
    "/api/sessions/<id>/review",
    middlewares=[requires("review:write")],
    **doc("Review a session that I completed as a mentee, once", tag="Sessions", status=201, problems=[404, 409]),
)
def post_review(session_id: Annotated[UUID, Path(alias="id")], body: ReviewInput) -> Response[Data[Review]]:
    review = reviews.post_review(caller(app, body), session_id, body)
    return created(review, f"/api/sessions/{session_id}/review")


@app.get(
    "/api/sessions/<id>/review",
    middlewares=[requires("session:read")],
    **doc("The review of one of my sessions", tag="Sessions", problems=[404]),
)
def get_review(session_id: Annotated[UUID, Path(alias="id")]) -> Data[Review]:
    return one(reviews.get_review(caller(app), session_id))


lambda_handler = entrypoint(app)
