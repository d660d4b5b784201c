"""Payment methods: kept by Stripe, entered on its own pages; we know what kind they are and the last four digits."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Input, Instant, Output, example
from coachline.payments import commands
from coachline.payments.stripe_api import asking, client, plain


class PaymentMethod(Output):
    """A saved method. `brand` is the card's brand or the bank's name."""

    model_config = example(
        id="9f0f0d5e-0f0d-4a35-9d8a-0a5f0a1f7a11",
        type="CARD",
        brand="visa",
        last4="4242",
        expiresMonth=12,
        expiresYear=2030,
        isDefault=True,
        createdAt="2027-03-01T09:00:00Z",
    )

    id: UUID
    type: str
    brand: str | None
    last4: str | None
    expires_month: int | None
    expires_year: int | None
    is_default: bool
    created_at: Instant


class PaymentMethods(Output):
    """All of them, the default first: nobody has so many that they need pages."""

    data: list[PaymentMethod]
    next_cursor: None


class Setup(Output):
    """What Stripe.js needs to let somebody enter a method. Listed here once Stripe's event has arrived."""

    model_config = example(clientSecret="seti_…_secret_…")

    client_secret: str


class Portal(Output):
    """Stripe's own page for methods and invoices; valid for a few minutes."""

    model_config = example(url="https://billing.stripe.com/p/session/…")

    url: str


WebAddress = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=2000)]
"""A page of the front end that Stripe leads back to."""


class PortalInput(Input):
    """Where Stripe's page leads back to."""

    model_config = example(returnUrl="https://app.example.com/billing")

    return_url: WebAddress


def list_methods(caller: Caller) -> Any:
    """The caller's `PaymentMethods`."""
    return {"data": as_caller(caller).read("list_payment_methods"), "next_cursor": None}


def set_up(caller: Caller) -> Any:
    """`Setup`: a setup intent at Stripe for the caller's customer."""
    database = as_caller(caller)
    begun = database.write("begin_payment_method_setup")
    return {"client_secret": plain(commands.run(database, begun["command"]))["client_secret"]}


def make_default(caller: Caller, method_id: UUID) -> Any:
    """The `PaymentMethod` that pays from now on."""
    database = as_caller(caller)
    begun = database.write("begin_payment_method_action", payment_method_id=str(method_id), action="default")
    commands.run(database, begun["command"])
    return begun["payment_method"] | {"is_default": True}


def detach(caller: Caller, method_id: UUID) -> None:
    """Forget a method for good; 409 last_payment_method when a live subscription has no other."""
    database = as_caller(caller)
    begun = database.write("begin_payment_method_action", payment_method_id=str(method_id), action="detach")
    commands.run(database, begun["command"])


def open_portal(caller: Caller, body: PortalInput) -> Any:
    """`Portal`; 404 for somebody who has never paid."""
    customer = as_caller(caller).read("get_billing_customer")["stripe_customer_id"]
    with asking():
        session = client().v1.billing_portal.sessions.create({"customer": customer, "return_url": body.return_url})
    return {"url": session.url}
