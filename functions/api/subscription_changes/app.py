"""POST /api/subscriptions/{id}/change|pause|resume|cancel|reactivate: what is asked of a subscription."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Path

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.models import Data, one
from coachline.payments import subscriptions
from coachline.payments.subscriptions import (
    ChangeResult,
    RequestedSubscription,
    SubscriptionAction,
    SubscriptionCancellation,
    SubscriptionChange,
)

app = create_app()
Id = Annotated[UUID, Path(alias="id")]


@app.post(
    "/api/subscriptions/<id>/change",
    middlewares=[requires("subscription:manage", idempotency_key="required")],
    **doc("Preview or make a change to another plan", tag="Payments", problems=[402, 404, 409]),
)
def change(subscription_id: Id, body: SubscriptionChange) -> Data[ChangeResult]:
    return one(subscriptions.change(caller(app, body), subscription_id, body))


@app.post(
    "/api/subscriptions/<id>/pause",
    middlewares=[requires("subscription:manage")],
    **doc("Pause; what is left of the period is credited", tag="Payments", problems=[404, 409]),
)
def pause(subscription_id: Id, body: SubscriptionAction) -> Data[RequestedSubscription]:
    return one(subscriptions.act(caller(app, body), subscription_id, "pause", body.version, {}))


@app.post(
    "/api/subscriptions/<id>/resume",
    middlewares=[requires("subscription:manage", idempotency_key="required")],
    **doc("Resume; a new period begins and is paid", tag="Payments", problems=[402, 404, 409]),
)
def resume(subscription_id: Id, body: SubscriptionAction) -> Data[RequestedSubscription]:
    return one(subscriptions.act(caller(app, body), subscription_id, "resume", body.version, {}))


@app.post(
    "/api/subscriptions/<id>/cancel",
    middlewares=[requires("subscription:manage")],
    **doc("Cancel at the end of what is paid, or now", tag="Payments", problems=[404, 409]),
)
def cancel(subscription_id: Id, body: SubscriptionCancellation) -> Data[RequestedSubscription]:
    return one(subscriptions.act(caller(app, body), subscription_id, "cancel", body.version, {"when": body.when}))


@app.post(
    "/api/subscriptions/<id>/reactivate",
    middlewares=[requires("subscription:manage")],
    **doc("Take back a cancellation that has not come yet", tag="Payments", problems=[404, 409]),
)
def reactivate(subscription_id: Id, body: SubscriptionAction) -> Data[RequestedSubscription]:
    return one(subscriptions.act(caller(app, body), subscription_id, "reactivate", body.version, {}))


lambda_handler = entrypoint(app)
