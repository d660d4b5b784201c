"""GET /api/members/duplicates, GET /api/members/report: everyone's member data looked at together."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.members import duplicates, reports
from coachline.members.duplicates import DuplicateQuery, DuplicateReport
from coachline.members.reports import MemberReport, ReportQuery
from coachline.models import Data, one

app = create_app()


@app.get(
    "/api/members/duplicates",
    middlewares=[requires("member:manage")],
    **doc("Members who may be one person, with score and reasons", tag="Member data"),
)
def list_duplicates(query: Annotated[DuplicateQuery, Query()]) -> DuplicateReport:
    return duplicates.duplicates(caller(app), query)  # type: ignore[return-value]  # a row; see models.one


@app.get(
    "/api/members/report",
    middlewares=[requires("member:manage")],
    **doc("Completeness, counts, expiring licences, changes, open rules", tag="Member data"),
)
def report(query: Annotated[ReportQuery, Query()]) -> Data[MemberReport]:
    return one(reports.report(caller(app), query))


lambda_handler = entrypoint(app)
