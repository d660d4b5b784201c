"""POST GET PATCH /api/coach/profile: what I offer as a coach."""

from aws_lambda_powertools.event_handler import Response

from coachline.api import caller, create_app, created, doc, entrypoint, requires
from coachline.models import Data, one
from coachline.scheduling import profiles
from coachline.scheduling.profiles import CoachProfile, CoachProfileInput, CoachProfilePatch

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


lambda_handler = entrypoint(app)
