"""GET /api/user/role/history|analytics: what became of roles."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.identity import role_reports
from coachline.identity.role_reports import PeriodQuery, RoleAnalytics, RoleChange, RoleChangeQuery
from coachline.models import Data, Page, many, one

app = create_app()


@app.get(
    "/api/user/role/history",
    middlewares=[requires("role:read")],
    **doc("Every change of my roles, newest first; for an ADMIN of everyone's", tag="Identity", problems=[404]),
)
def list_changes(query: Annotated[RoleChangeQuery, Query()]) -> Page[RoleChange]:
    return many(role_reports.list_changes(caller(app), query))


@app.get(
    "/api/user/role/analytics",
    middlewares=[requires("role:analyse")],
    **doc("Roles over a period: users, changes, requests, sessions and revenue", tag="Identity"),
)
def analyse(query: Annotated[PeriodQuery, Query()]) -> Data[RoleAnalytics]:
    return one(role_reports.analyse(caller(app), query))


lambda_handler = entrypoint(app)
