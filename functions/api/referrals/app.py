"""GET /api/referrals, POST /api/referrals/code|redeem, GET /api/referrals/rewards: what bringing others earns."""

from typing import Annotated, cast

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from coachline.api import caller, create_app, created, doc, entrypoint, requires
from coachline.growth import referrals
from coachline.growth.referrals import CreditPage, Redemption, Referral, ReferralCode, ReferralPage
from coachline.models import Data
from coachline.pagination import PageQuery

app = create_app()


@app.get(
    "/api/referrals",
    middlewares=[requires("referral:read")],
    **doc("My code and whom it brought, latest first", tag="Referrals"),
)
def list_referrals(query: Annotated[PageQuery, Query()]) -> ReferralPage:
    return cast("ReferralPage", referrals.list_referrals(caller(app), query))


@app.post(
    "/api/referrals/code",
    middlewares=[requires("referral:manage")],
    **doc("Make my code, or a new one in its place", tag="Referrals", status=201, problems=[429]),
)
def create_code() -> Response[Data[ReferralCode]]:
    return created(referrals.create_code(caller(app)), "/api/referrals")


@app.post(
    "/api/referrals/redeem",
    middlewares=[requires("referral:manage")],
    **doc("Redeem a code, once", tag="Referrals", status=201, problems=[409, 429]),
)
def redeem(body: Redemption) -> Response[Data[Referral]]:
    return created(referrals.redeem(caller(app, body), body), "/api/referrals")


@app.get(
    "/api/referrals/rewards",
    middlewares=[requires("referral:read")],
    **doc("My credit and every change of it, latest first", tag="Referrals"),
)
def list_rewards(query: Annotated[PageQuery, Query()]) -> CreditPage:
    return cast("CreditPage", referrals.list_rewards(caller(app), query))


lambda_handler = entrypoint(app)
