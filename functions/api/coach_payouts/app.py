"""GET /api/coach/payouts, POST /api/coach/payouts/onboarding: how I am paid."""

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.models import Data, one
from coachline.payments import payouts
from coachline.payments.payouts import CoachAccount, Onboarding, OnboardingInput

app = create_app()


@app.get(
    "/api/coach/payouts",
    middlewares=[requires("payout:manage")],
    **doc("My account at Stripe and what it paid out", tag="Payments"),
)
def get_account() -> Data[CoachAccount]:
    return one(payouts.get_account(caller(app)))


@app.post(
    "/api/coach/payouts/onboarding",
    middlewares=[requires("payout:manage")],
    **doc("Begin or go on with the set-up of payouts", tag="Payments", problems=[409]),
)
def onboard(body: OnboardingInput) -> Data[Onboarding]:
    return one(payouts.onboard(caller(app, body), body))


lambda_handler = entrypoint(app)
