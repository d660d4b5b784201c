"""GET /api/admin/audit: who changed what, when and why."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.models import Page, many
from coachline.operations import audit
from coachline.operations.audit import AuditEntry, AuditQuery

app = create_app()


@app.get(
    "/api/admin/audit",
    middlewares=[requires("audit:read")],
    **doc("The audit log, newest first", tag="Administration"),
)
def list_entries(query: Annotated[AuditQuery, Query()]) -> Page[AuditEntry]:
    return many(audit.list_entries(caller(app), query))


lambda_handler = entrypoint(app)
