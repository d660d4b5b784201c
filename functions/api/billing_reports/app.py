"""GET /api/reports/subscriptions|revenue: recurring revenue and how it moved; what came in and went back."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.models import Data
from coachline.payments import reports, revenue
from coachline.payments.reports import ReportQuery, SubscriptionReport
from coachline.payments.revenue import RevenueQuery, RevenueReport

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


@app.get(
    "/api/reports/revenue",
    middlewares=[requires("revenue:read")],
    **doc("What was charged, kept, refunded, disputed", tag="Reports", content=revenue.CONTENT, problems=[404]),
)
def revenue_report(query: Annotated[RevenueQuery, Query()]) -> Response[Any]:
    report = revenue.revenue_report(caller(app), query)
    if query.format == "csv":
        return Response(200, reports.CSV, revenue.as_csv(report))
    return Response(200, "application/json", Data[RevenueReport](data=RevenueReport.model_validate(report)))


lambda_handler = entrypoint(app)
