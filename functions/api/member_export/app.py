"""GET /api/members/export: members as a CSV file, or a link to one."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.members import export
from coachline.members.export import CSV, ExportLink, ExportQuery
from coachline.models import Data

app = create_app()


@app.get(
    "/api/members/export",
    middlewares=[requires("member:export")],
    **doc("Members as CSV", tag="Member data", description=export.DESCRIPTION, content=export.CONTENT),
)
def export_members(query: Annotated[ExportQuery, Query()]) -> Response[Any]:
    made: Any = export.export(caller(app), query)
    if isinstance(made, str):
        saved_as = {"Content-Disposition": f'attachment; filename="{export.file_name()}"'}
        return Response(200, CSV, made, saved_as)
    return Response(200, "application/json", Data[ExportLink](data=made))


lambda_handler = entrypoint(app)
