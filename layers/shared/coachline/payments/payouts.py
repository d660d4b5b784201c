"""How coaches are paid: by Stripe, from accounts of their own (Connect, Express). We never pay anything out."""

from typing import Any, Literal

from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Input, Instant, Money, Output, example
from coachline.payments import commands, mirror
from coachline.payments.payment_methods import WebAddress
from coachline.payments.stripe_api import asking, client, plain

MOST_PAYOUTS = 100


class Payout(Output):
    """A transfer to the coach's bank, as Stripe makes them by itself."""

    id: str
    amount: Money
    status: str
    arrival_date: str
    failure_code: str | None
    created_at: Instant


class CoachAccount(Output):
    """Whether the coach can be paid. ONBOARDING and RESTRICTED: Stripe still wants `requirements` of him."""

    model_config = example(
        status="READY",
        transfersActive=True,
        payoutsEnabled=True,
        requirements=[],
        disabledReason=None,
        payouts=[
            {
                "id": "po_1QxYz",
                "amount": {"amount": 13725, "currency": "USD"},
                "status": "PAID",
                "arrivalDate": "2027-03-12",
                "failureCode": None,
                "createdAt": "2027-03-10T00:00:00Z",
            }
        ],
    )

    status: Literal["NOT_STARTED", "ONBOARDING", "RESTRICTED", "READY"]
    transfers_active: bool
    payouts_enabled: bool
    requirements: list[str]
    disabled_reason: str | None
    payouts: list[Payout]


class OnboardingInput(Input):
    """Where Stripe's pages lead back to, and where they lead when a link has expired."""

    model_config = example(
        returnUrl="https://app.example.com/payouts", refreshUrl="https://app.example.com/payouts/again"
    )

    return_url: WebAddress
    refresh_url: WebAddress


class Onboarding(Output):
    """Stripe's page for the coach; the link is good once and for a few minutes."""

    model_config = example(url="https://connect.stripe.com/setup/e/…", expiresAt="2027-03-01T09:05:00Z")

    url: str
    expires_at: Instant


def get_account(caller: Caller) -> Any:
    """The caller's `CoachAccount`; its payouts as Stripe lists them now, newest first."""
    found = as_caller(caller).read("get_coach_account")
    payouts: list[Any] = []
    if name := found["stripe_account_id"]:
        with asking():
            listed = client().v1.payouts.list({"limit": MOST_PAYOUTS}, {"stripe_account": name})
        payouts = [mirror.payout_row(plain(payout)) for payout in listed.data]
    return found["account"] | {"payouts": payouts}


def onboard(caller: Caller, body: OnboardingInput) -> Any:
    """`Onboarding`, for an account that is made on the first call."""
    database = as_caller(caller)
    begun = database.write("begin_payout_onboarding")
    name = begun["stripe_account_id"] or plain(commands.run(database, begun["command"]))["id"]
    asked: Any = {"account": name, "type": "account_onboarding"}
    asked |= {"return_url": body.return_url, "refresh_url": body.refresh_url}
    with asking():
        link = client().v1.account_links.create(asked)
    return {"url": link.url, "expires_at": mirror.instant(link.expires_at)}
