"""GET /api/members/schema, POST /api/members/validate: what a form shows, and tries before it sends."""

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.members import forms
from coachline.members.forms import MemberDraft, MemberSchema, Verdict
from coachline.models import Data, one

app = create_app()


@app.get(
    "/api/members/schema",
    middlewares=[requires("member:read")],
    **doc("Fields, labels, values, limits and rules of member data", tag="Member data"),
)
def schema() -> Data[MemberSchema]:
    return one(forms.schema(caller(app)))


@app.post(
    "/api/members/validate",
    middlewares=[requires("member:read")],
    **doc("Try member data without storing them", tag="Member data"),
)
def validate(body: MemberDraft) -> Data[Verdict]:
    return one(forms.validate(caller(app, body), body))


lambda_handler = entrypoint(app)
