"""GET POST /api/plans, GET PATCH DELETE /api/plans/{id}: what can be subscribed to."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, created, doc, entrypoint, no_content, requires
from coachline.models import Data, Page, many, one
from coachline.pagination import PageQuery
from coachline.payments import plans
from coachline.payments.plans import Plan, PlanInput, PlanPatch

app = create_app()


@app.get("/api/plans", **doc("Plans for sale", tag="Payments"))
def list_plans(query: Annotated[PageQuery, Query()]) -> Page[Plan]:
    return many(plans.list_plans(caller(app), query))


@app.post(
    "/api/plans",
    middlewares=[requires("plan:manage")],
    **doc("Make a plan", tag="Payments", status=201, problems=[409]),
)
def create_plan(body: PlanInput) -> Response[Data[Plan]]:
    plan = plans.create_plan(caller(app, body), body)
    return created(plan, f"/api/plans/{plan['id']}")


@app.get("/api/plans/<id>", middlewares=[requires("plan:read")], **doc("A plan", tag="Payments", problems=[404]))
def get_plan(plan_id: Annotated[UUID, Path(alias="id")]) -> Data[Plan]:
    return one(plans.get_plan(caller(app), plan_id))


@app.patch(
    "/api/plans/<id>",
    middlewares=[requires("plan:manage")],
    **doc("Change a plan; a new price is for new subscribers", tag="Payments", problems=[404, 409]),
)
def update_plan(plan_id: Annotated[UUID, Path(alias="id")], body: PlanPatch) -> Data[Plan]:
    return one(plans.update_plan(caller(app), plan_id, body))


@app.delete(
    "/api/plans/<id>",
    middlewares=[requires("plan:manage")],
    **doc("Take a plan off sale", tag="Payments", status=204, problems=[404]),
)
def delete_plan(plan_id: Annotated[UUID, Path(alias="id")]) -> Response[None]:
    plans.delete_plan(caller(app), plan_id)
    return no_content()


lambda_handler = entrypoint(app, public=True)
