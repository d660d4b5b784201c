"""GET /api/achievements: what can be achieved, and how far I am."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.growth import achievements
from coachline.growth.achievements import Achievement, AchievementQuery
from coachline.models import Page, many

app = create_app()


@app.get(
    "/api/achievements",
    middlewares=[requires("achievement:read")],
    **doc("My achievements, with progress, by code", tag="Achievements", problems=[404]),
)
def list_achievements(query: Annotated[AchievementQuery, Query()]) -> Page[Achievement]:
    return many(achievements.list_achievements(caller(app), query))


lambda_handler = entrypoint(app)
