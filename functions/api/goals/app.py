"""GET POST /api/goals, GET PATCH DELETE /api/goals/{id}: what I want to reach until when."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, created, doc, entrypoint, no_content, requires
from coachline.growth import goals
from coachline.growth.goal_input import GoalInput, GoalPatch
from coachline.growth.goals import Goal, GoalHistory, GoalQuery
from coachline.models import Data, Page, many, one

GoalId = Annotated[UUID, Path(alias="id")]

app = create_app()


@app.get(
    "/api/goals",
    middlewares=[requires("goal:read")],
    **doc("My goals, newest first, or those shared with me by a mentee", tag="Goals", problems=[404]),
)
def list_goals(query: Annotated[GoalQuery, Query()]) -> Page[Goal]:
    return many(goals.list_goals(caller(app), query))


@app.post(
    "/api/goals",
    middlewares=[requires("goal:manage")],
    **doc("Set a goal", tag="Goals", status=201, problems=[409]),
)
def create_goal(body: GoalInput) -> Response[Data[GoalHistory]]:
    goal = goals.create_goal(caller(app, body), body)
    return created(goal, f"/api/goals/{goal['id']}")


@app.get(
    "/api/goals/<id>",
    middlewares=[requires("goal:read")],
    **doc("One goal, with what happened to it", tag="Goals", problems=[404]),
)
def get_goal(goal_id: GoalId) -> Data[GoalHistory]:
    return one(goals.get_goal(caller(app), goal_id))


@app.patch(
    "/api/goals/<id>",
    middlewares=[requires("goal:manage")],
    **doc("Change or extend a goal", tag="Goals", problems=[404, 409]),
)
def update_goal(goal_id: GoalId, body: GoalPatch) -> Data[GoalHistory]:
    return one(goals.update_goal(caller(app), goal_id, body))


@app.delete(
    "/api/goals/<id>",
    middlewares=[requires("goal:manage")],
    **doc("Delete a goal", tag="Goals", status=204, problems=[404]),
)
def delete_goal(goal_id: GoalId) -> Response[None]:
    goals.delete_goal(caller(app), goal_id)
    return no_content()


lambda_handler = entrypoint(app)
