"""GET PUT /api/user/member: my member data."""

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.members import profiles
from coachline.members.profiles import Member, MemberInput
from coachline.models import Data, one

app = create_app()


@app.get("/api/user/member", middlewares=[requires("member:read")], **doc("My member data", tag="Member data"))
def get_member() -> Data[Member]:
    return one(profiles.get_member(caller(app)))


@app.put(
    "/api/user/member",
    middlewares=[requires("member:update")],
    **doc("Replace my member data", tag="Member data", problems=[409]),
)
def put_member(body: MemberInput) -> Data[Member]:
    return one(profiles.put_member(caller(app), body))


lambda_handler = entrypoint(app)
