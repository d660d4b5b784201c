"""GET /api/reports/subscriptions: recurring revenue and how it moved."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.models import Data
from coachline.payments import reports
from coachline.payments.reports import ReportQuery, SubscriptionReport

app = create_app()


@app.get(
    "/api/reports/subscriptions",
    middlewares=[requires("report:read")],
    **doc("Recurring revenue, its movements, trials and failed payments", tag="Reports", content=reports.CONTENT),
)
def subscription_report(query: Annotated[ReportQuery, Query()]) -> Response[Any]:
    report = reports.subscription_report(caller(app), query)
    if query.format == "csv":
        return Response(200, reports.CSV, reports.as_csv(report))
    return Response(200, "application/json", Data[SubscriptionReport](data=SubscriptionReport.model_validate(report)))


lambda_handler = entrypoint(app)
