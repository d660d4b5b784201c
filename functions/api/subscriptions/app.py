"""GET POST /api/subscriptions, GET /api/subscriptions/{id}: subscribe to a plan, look at it."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, created, doc, entrypoint, requires
from coachline.models import Data, Page, many, one
from coachline.pagination import PageQuery
from coachline.payments import subscriptions
from coachline.payments.subscriptions import RequestedSubscription, Subscription, SubscriptionInput

app = create_app()


@app.get(
    "/api/subscriptions",
    middlewares=[requires("subscription:read")],
    **doc("My subscriptions, newest first", tag="Payments"),
)
def list_subscriptions(query: Annotated[PageQuery, Query()]) -> Page[Subscription]:
    return many(subscriptions.list_subscriptions(caller(app), query))


@app.post(
    "/api/subscriptions",
    middlewares=[requires("subscription:manage", idempotency_key="required")],
    **doc("Subscribe to a plan", tag="Payments", status=201, problems=[402, 404, 409]),
)
def subscribe(body: SubscriptionInput) -> Response[Data[RequestedSubscription]]:
    subscription = subscriptions.subscribe(caller(app, body), body)
    return created(subscription, f"/api/subscriptions/{subscription['id']}")


@app.get(
    "/api/subscriptions/<id>",
    middlewares=[requires("subscription:read")],
    **doc("One of my subscriptions", tag="Payments", problems=[404]),
)
def get_subscription(subscription_id: Annotated[UUID, Path(alias="id")]) -> Data[Subscription]:
    return one(subscriptions.get_subscription(caller(app), subscription_id))


lambda_handler = entrypoint(app)
