"""POST /api/members/import, …/uploads, GET …/{id}, …/{id}/findings: member data in from CSV files."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, created, doc, entrypoint, requires
from coachline.members import imports
from coachline.members.imports import Finding, FindingQuery, ImportRequest, MemberImport, Upload
from coachline.models import Data, Page, many, one

app = create_app()


@app.post(
    "/api/members/import",
    middlewares=[requires("member:import")],
    **doc(
        "Import member data from CSV",
        tag="Member data",
        status=201,
        problems=[409],
        description="Up to 1,000 rows of `csv` are answered with the finished import. More, and a file that was "
        "uploaded, are worked off in the background: ask `Location` until `finishedAt` is set.",
    ),
)
def start_import(body: ImportRequest) -> Response[Data[MemberImport]]:
    made = imports.start(caller(app, body), body)
    return created(made, f"/api/members/import/{made['id']}")


@app.post(
    "/api/members/import/uploads",
    middlewares=[requires("member:import")],
    **doc("A place to upload a file to", tag="Member data", status=201, problems=[409]),
)
def prepare_upload() -> Response[Data[Upload]]:
    upload = imports.prepare_upload(caller(app))
    return created(upload, "/api/members/import")


@app.get(
    "/api/members/import/<id>",
    middlewares=[requires("member:import")],
    **doc("How far an import is", tag="Member data", problems=[404]),
)
def get_import(import_id: Annotated[UUID, Path(alias="id")]) -> Data[MemberImport]:
    return one(imports.get(caller(app), import_id))


@app.get(
    "/api/members/import/<id>/findings",
    middlewares=[requires("member:import")],
    **doc("What was found in an import's rows, in the order of the file", tag="Member data", problems=[404]),
)
def list_findings(
    import_id: Annotated[UUID, Path(alias="id")], query: Annotated[FindingQuery, Query()]
) -> Page[Finding]:
    return many(imports.findings(caller(app), import_id, query))


# JSON writes a line break or a quote of the CSV as two characters; Lambda takes 6 MB in all.
lambda_handler = entrypoint(app, largest_body=imports.MOST_BODY_BYTES)
