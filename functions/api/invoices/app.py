"""GET /api/invoices, GET /api/invoices/{id}, GET /api/invoices/{id}/pdf: what was charged."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.models import Data, Page, many, one
from coachline.payments import invoices
from coachline.payments.invoices import Invoice, InvoiceDetail, InvoiceQuery

app = create_app()


@app.get("/api/invoices", middlewares=[requires("invoice:read")], **doc("My invoices, newest first", tag="Payments"))
def list_invoices(query: Annotated[InvoiceQuery, Query()]) -> Page[Invoice]:
    return many(invoices.list_invoices(caller(app), query))


@app.get(
    "/api/invoices/<id>",
    middlewares=[requires("invoice:read")],
    **doc("An invoice with its lines", tag="Payments", problems=[404]),
)
def get_invoice(invoice_id: Annotated[UUID, Path(alias="id")]) -> Data[InvoiceDetail]:
    return one(invoices.get_invoice(caller(app), invoice_id))


@app.get(
    "/api/invoices/<id>/pdf",
    middlewares=[requires("invoice:read")],
    **doc("Where Stripe's PDF of it is", tag="Payments", status=303, problems=[404, 409]),
)
def get_pdf(invoice_id: Annotated[UUID, Path(alias="id")]) -> Response[None]:
    return Response(303, headers={"Location": invoices.pdf_of(caller(app), invoice_id)})


lambda_handler = entrypoint(app)
