"""GET POST /api/payments/{id}/refunds: what was given back of a payment; an ADMIN gives more."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, created, doc, entrypoint, requires
from coachline.models import Data, Page, many
from coachline.pagination import PageQuery
from coachline.payments import refunds
from coachline.payments.refunds import PaymentRefund, RefundInput

app = create_app()


@app.get(
    "/api/payments/<id>/refunds",
    middlewares=[requires("payment:read")],
    **doc("What was given back of a payment, newest first", tag="Payments", problems=[404]),
)
def list_refunds(
    payment_id: Annotated[UUID, Path(alias="id")], query: Annotated[PageQuery, Query()]
) -> Page[PaymentRefund]:
    return many(refunds.list_refunds(caller(app), payment_id, query))


@app.post(
    "/api/payments/<id>/refunds",
    middlewares=[requires("refund:create", idempotency_key="required")],
    **doc("Give back a payment, wholly or in part", tag="Payments", status=201, problems=[404, 409]),
)
def refund(payment_id: Annotated[UUID, Path(alias="id")], body: RefundInput) -> Response[Data[PaymentRefund]]:
    made = refunds.refund(caller(app, body), payment_id, body)
    return created(made, f"/api/payments/{payment_id}/refunds")


lambda_handler = entrypoint(app)
