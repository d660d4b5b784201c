"""POST GET PATCH /api/coach/profile, GET …/rates: what I offer as a coach."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from coachline.api import caller, create_app, created, doc, entrypoint, requires
from coachline.models import Data, Page, many, one
from coachline.pagination import PageQuery
from coachline.scheduling import profiles
from coachline.scheduling.profiles import CoachProfile, CoachProfileInput, CoachProfilePatch, Rate

app = create_app()


@app.post(
    "/api/coach/profile",
    middlewares=[requires("coach_profile:manage")],
    **doc("Make my coach profile, as a draft", tag="Coaching", status=201, problems=[409]),
)
def create_profile(body: CoachProfileInput) -> Response[Data[CoachProfile]]:
    return created(profiles.create_profile(caller(app, body), body), "/api/coach/profile")


@app.get(
    "/api/coach/profile",
    middlewares=[requires("coach_profile:read")],
    **doc("My coach profile", tag="Coaching", problems=[404]),
)
def get_profile() -> Data[CoachProfile]:
    return one(profiles.get_profile(caller(app)))


@app.patch(
    "/api/coach/profile",
    middlewares=[requires("coach_profile:manage")],
    **doc("Change, publish or archive my coach profile", tag="Coaching", problems=[404, 409]),
)
def update_profile(body: CoachProfilePatch) -> Data[CoachProfile]:
    return one(profiles.update_profile(caller(app), body))


@app.get(
    "/api/coach/profile/rates",
    middlewares=[requires("coach_profile:read")],
    **doc("Every rate I have had, latest first", tag="Coaching"),
)
def list_rates(query: Annotated[PageQuery, Query()]) -> Page[Rate]:
    return many(profiles.list_rates(caller(app), query))


lambda_handler = entrypoint(app)
