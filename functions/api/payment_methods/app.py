"""GET /api/payment-methods, POST …/setup, POST …/{id}/default, DELETE …/{id}, POST /api/billing/portal."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path

from coachline.api import caller, create_app, doc, entrypoint, no_content, requires
from coachline.models import Data, one
from coachline.payments import payment_methods
from coachline.payments.payment_methods import PaymentMethod, PaymentMethods, Portal, PortalInput, Setup

app = create_app()
Id = Annotated[UUID, Path(alias="id")]


@app.get(
    "/api/payment-methods",
    middlewares=[requires("payment_method:manage")],
    **doc("My payment methods, the default first", tag="Payments"),
)
def list_methods() -> PaymentMethods:
    return payment_methods.list_methods(caller(app))  # type: ignore[no-any-return]  # a row: the route's model is applied to it


@app.post(
    "/api/payment-methods/setup",
    middlewares=[requires("payment_method:manage")],
    **doc("Begin to add a payment method, with Stripe.js", tag="Payments", problems=[409]),
)
def set_up() -> Data[Setup]:
    return one(payment_methods.set_up(caller(app)))


@app.post(
    "/api/payment-methods/<id>/default",
    middlewares=[requires("payment_method:manage")],
    **doc("Pay with this from now on", tag="Payments", problems=[404, 409]),
)
def make_default(method_id: Id) -> Data[PaymentMethod]:
    return one(payment_methods.make_default(caller(app), method_id))


@app.delete(
    "/api/payment-methods/<id>",
    middlewares=[requires("payment_method:manage")],
    **doc("Forget a payment method", tag="Payments", status=204, problems=[404, 409]),
)
def detach(method_id: Id) -> Response[None]:
    payment_methods.detach(caller(app), method_id)
    return no_content()


@app.post(
    "/api/billing/portal",
    middlewares=[requires("subscription:manage")],
    **doc("Stripe's own page for methods and invoices", tag="Payments", problems=[404]),
)
def open_portal(body: PortalInput) -> Data[Portal]:
    return one(payment_methods.open_portal(caller(app, body), body))


lambda_handler = entrypoint(app)
