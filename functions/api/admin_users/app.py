"""GET /api/admin/users, GET PATCH /api/admin/users/{userId}: find people, look at one, suspend, set terms."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.identity import accounts
from coachline.identity.accounts import Account, AccountDetail, AccountPatch, AccountQuery
from coachline.models import Data, Page, many, one

app = create_app()


@app.get(
    "/api/admin/users",
    middlewares=[requires("account:read")],
    **doc("All users, newest first", tag="Administration"),
)
def list_accounts(query: Annotated[AccountQuery, Query()]) -> Page[Account]:
    return many(accounts.list_accounts(caller(app), query))


@app.get(
    "/api/admin/users/<userId>",
    middlewares=[requires("account:read")],
    **doc("One user", tag="Administration", problems=[404]),
)
def get_account(user_id: Annotated[UUID, Path(alias="userId")]) -> Data[AccountDetail]:
    return one(accounts.get_account(caller(app), user_id))


@app.patch(
    "/api/admin/users/<userId>",
    middlewares=[requires("account:manage")],
    **doc("Suspend or reactivate a user, set how a mentee pays", tag="Administration", problems=[404, 409]),
)
def change_account(user_id: Annotated[UUID, Path(alias="userId")], body: AccountPatch) -> Data[AccountDetail]:
    return one(accounts.change_account(caller(app), user_id, body))


lambda_handler = entrypoint(app)
