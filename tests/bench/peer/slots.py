"""GET /api/coaching/slots as most would write it: FastAPI, Mangum, the stock Supabase client and Stripe's at hand.

It does what ours does: it checks the token, reads `booking_context` and answers the open slots, from the same engine.
"""

# mypy: disable-error-code="import-not-found, untyped-decorator"

import os
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import jwt
import stripe
from fastapi import Depends, FastAPI, Header, HTTPException, Query
from mangum import Mangum
from pydantic import BaseModel, Field
from supabase import ClientOptions, create_client

from coachline.scheduling import Schedule, open_slots

GATE = {"x-coachline-gate": os.environ["API_GATE_KEY"], "x-coachline-permission": "slot:read"}

app = FastAPI()
payments = stripe.StripeClient("sk_test_none")
supabase = create_client(
    os.environ["SUPABASE_URL"],
    os.environ["SUPABASE_PUBLISHABLE_KEY"],
    ClientOptions(headers=GATE, auto_refresh_token=False, persist_session=False),
)


class Price(BaseModel):
    amount: int
    currency: str


class Slot(BaseModel):
    start: datetime
    end: datetime
    local_start: str = Field(serialization_alias="localStart")


class Slots(BaseModel):
    data: list[Slot]
    timezone: str
    duration: int
    price: Price


def session_token(authorization: Annotated[str, Header()]) -> str:
    token = authorization.removeprefix("Bearer ")
    try:
        claims = jwt.decode(
            token,
            os.environ["CLERK_JWT_KEY"],
            algorithms=["RS256"],
            issuer=os.environ["CLERK_ISSUER"],
            leeway=5,
            options={"require": ["exp", "iat", "nbf", "iss", "sub"]},
        )
    except jwt.PyJWTError:
        raise HTTPException(401) from None
    if claims.get("azp") not in os.environ["CLERK_AUTHORIZED_PARTIES"].split(","):
        raise HTTPException(401)
    return token


@app.get("/api/coaching/slots")
def list_slots(  # noqa: PLR0917 - a query's parameters
    token: Annotated[str, Depends(session_token)],
    coach_id: Annotated[UUID, Query(alias="coachId")],
    start: Annotated[datetime, Query(alias="from")],
    end: Annotated[datetime, Query(alias="to")],
    duration: int | None = None,
    timezone: str | None = None,
) -> Slots:
    asked: Any = {
        "coach_id": str(coach_id),
        "from_at": start.isoformat(),
        "to_at": end.isoformat(),
        "duration": duration,
    }
    context: Any = supabase.postgrest.auth(token).rpc("booking_context", asked).execute().data
    minutes, zone = context["duration"], ZoneInfo(timezone or context["timezone"])
    instant = datetime.fromisoformat
    starts = open_slots(
        [Schedule.model_validate(row) for row in context["schedules"]],
        duration=minutes,
        start=start,
        end=end,
        now=datetime.now(UTC),
        blocked=[(instant(first), instant(last)) for first, last in context["blocked"]],
        session_starts=[instant(text) for text in context["session_starts"]],
    )
    length = timedelta(minutes=minutes)
    slots = [Slot(start=at, end=at + length, local_start=at.astimezone(zone).isoformat()) for at in starts]
    return Slots(data=slots, timezone=zone.key, duration=minutes, price=context["price"])


lambda_handler = Mangum(app, lifespan="off")
