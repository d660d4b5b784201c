"""GET POST /api/payments, GET /api/payments/{id}: what was paid for sessions; pay one that waits for it."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, created, doc, entrypoint, requires
from coachline.models import Data, Page, many, one
from coachline.payments import session_payments
from coachline.payments.session_payments import Payment, PaymentInput, PaymentQuery, RequestedPayment

app = create_app()


@app.get(
    "/api/payments",
    middlewares=[requires("payment:read")],
    **doc("Payments of my sessions, newest first", tag="Payments"),
)
def list_payments(query: Annotated[PaymentQuery, Query()]) -> Page[Payment]:
    return many(session_payments.list_payments(caller(app), query))


@app.post(
    "/api/payments",
    middlewares=[requires("payment:make", idempotency_key="required")],
    **doc("Pay a session that waits for its payment", tag="Payments", status=201, problems=[402, 404, 409]),
)
def pay(body: PaymentInput) -> Response[Data[RequestedPayment]]:
    payment = session_payments.pay(caller(app, body), body)
    return created(payment, f"/api/payments/{payment['id']}")


@app.get(
    "/api/payments/<id>",
    middlewares=[requires("payment:read")],
    **doc("One payment", tag="Payments", problems=[404]),
)
def get_payment(payment_id: Annotated[UUID, Path(alias="id")]) -> Data[Payment]:
    return one(session_payments.get_payment(caller(app), payment_id))


lambda_handler = entrypoint(app)
