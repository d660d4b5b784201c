"""GET /api/admin/referrals, POST …/{id}/review: suspicious referrals, and what is decided about them."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.growth import referral_review
from coachline.growth.referral_review import ReferralCase, ReferralCaseQuery, ReferralDecision
from coachline.models import Data, Page, many, one

app = create_app()


@app.get(
    "/api/admin/referrals",
    middlewares=[requires("referral:review")],
    **doc("Everybody's referrals, latest first; with review=PENDING those to decide about", tag="Administration"),
)
def list_cases(query: Annotated[ReferralCaseQuery, Query()]) -> Page[ReferralCase]:
    return many(referral_review.list_cases(caller(app), query))


@app.post(
    "/api/admin/referrals/<id>/review",
    middlewares=[requires("referral:review")],
    **doc("Decide about a referral", tag="Administration", problems=[404, 409]),
)
def review(referral_id: Annotated[UUID, Path(alias="id")], body: ReferralDecision) -> Data[ReferralCase]:
    return one(referral_review.decide(caller(app, body), referral_id, body))


lambda_handler = entrypoint(app)
