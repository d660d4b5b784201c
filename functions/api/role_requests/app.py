"""GET POST /api/user/role/requests, POST …/{id}/approve|reject|withdraw: applications for a role."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, created, doc, entrypoint, requires
from coachline.identity import role_requests
from coachline.identity.role_requests import (
    RoleApplication,
    RoleApproval,
    RoleRejection,
    RoleRequest,
    RoleRequestQuery,
    RoleWithdrawal,
)
from coachline.models import Data, Page, many, one

app = create_app()


@app.get(
    "/api/user/role/requests",
    middlewares=[requires("role:request")],
    **doc("My requests for roles, newest first; for an ADMIN everyone's", tag="Identity", problems=[404]),
)
def list_requests(query: Annotated[RoleRequestQuery, Query()]) -> Page[RoleRequest]:
    return many(role_requests.list_requests(caller(app), query))


@app.post(
    "/api/user/role/requests",
    middlewares=[requires("role:request")],
    **doc("Ask for a role", tag="Identity", status=201, problems=[409]),
)
def apply_for(body: RoleApplication) -> Response[Data[RoleRequest]]:
    made = role_requests.apply_for(caller(app, body), body)
    return created(made, f"/api/user/role/requests?userId={made['user_id']}")


@app.post(
    "/api/user/role/requests/<id>/approve",
    middlewares=[requires("role:decide")],
    **doc("Approve a request: gives the role, and to a coach a draft profile", tag="Identity", problems=[404, 409]),
)
def approve(request_id: Annotated[UUID, Path(alias="id")], body: RoleApproval) -> Data[RoleRequest]:
    return one(role_requests.decide(caller(app, body), request_id, "APPROVED", body))


@app.post(
    "/api/user/role/requests/<id>/reject",
    middlewares=[requires("role:decide")],
    **doc("Reject a request, with the reason", tag="Identity", problems=[404, 409]),
)
def reject(request_id: Annotated[UUID, Path(alias="id")], body: RoleRejection) -> Data[RoleRequest]:
    return one(role_requests.decide(caller(app, body), request_id, "REJECTED", body))


@app.post(
    "/api/user/role/requests/<id>/withdraw",
    middlewares=[requires("role:request")],
    **doc("Withdraw my request", tag="Identity", problems=[404, 409]),
)
def withdraw(request_id: Annotated[UUID, Path(alias="id")], body: RoleWithdrawal) -> Data[RoleRequest]:
    return one(role_requests.withdraw(caller(app, body), request_id, body))


lambda_handler = entrypoint(app)
