"""POST /api/achievements/grants, DELETE …/{id}: grants by an ADMIN's hand."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, created, doc, entrypoint, no_content, requires
from coachline.growth import achievements
from coachline.growth.achievement_input import GrantInput, Revocation
from coachline.growth.achievements import Grant
from coachline.models import Data

app = create_app()


@app.post(
    "/api/achievements/grants",
    middlewares=[requires("achievement:manage")],
    **doc("Grant an achievement by hand", tag="Achievements", status=201, problems=[404, 409]),
)
def grant(body: GrantInput) -> Response[Data[Grant]]:
    made = achievements.grant(caller(app, body), body)
    return created(made, f"/api/achievements?userId={made['user_id']}")


@app.delete(
    "/api/achievements/grants/<id>",
    middlewares=[requires("achievement:manage")],
    **doc("Revoke a grant, for good unless an ADMIN gives it back", tag="Achievements", status=204, problems=[404]),
)
def revoke(grant_id: Annotated[UUID, Path(alias="id")], why: Annotated[Revocation, Query()]) -> Response[None]:
    achievements.revoke(caller(app), grant_id, why.reason)
    return no_content()


lambda_handler = entrypoint(app)
