"""GET PATCH /api/user: me."""

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.identity import users
from coachline.identity.users import User, UserPatch
from coachline.models import Data, one

app = create_app()


@app.get("/api/user", middlewares=[requires("user:read")], **doc("My account, roles and permissions", tag="Identity"))
def get_me() -> Data[User]:
    return one(users.get_me(caller(app)))


@app.patch(
    "/api/user", middlewares=[requires("user:update")], **doc("Change my account", tag="Identity", problems=[409])
)
def update_me(body: UserPatch) -> Data[User]:
    return one(users.update_me(caller(app), body))


lambda_handler = entrypoint(app)
