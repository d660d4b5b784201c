"""GET /api/notifications, POST …/{id}/read, POST …/read-all, GET PUT …/preferences: what I was told, and want to be."""

from typing import Annotated, cast
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.models import Data, one
from coachline.notifications import inbox
from coachline.notifications.inbox import (
    AllRead,
    Nothing,
    Notification,
    NotificationPage,
    NotificationQuery,
    Preferences,
    PreferencesChoice,
)

app = create_app()


@app.get(
    "/api/notifications",
    middlewares=[requires("notification:read")],
    **doc("What I was told, newest first, and how much of it is unread", tag="Notifications"),
)
def list_mine(query: Annotated[NotificationQuery, Query()]) -> NotificationPage:
    return cast("NotificationPage", inbox.list_mine(caller(app), query))


@app.post(
    "/api/notifications/<id>/read",
    middlewares=[requires("notification:update")],
    **doc("Mark one as read; it stays so", tag="Notifications", problems=[404]),
)
def read(notification_id: Annotated[UUID, Path(alias="id")]) -> Data[Notification]:
    return one(inbox.read(caller(app, Nothing()), notification_id))


@app.post(
    "/api/notifications/read-all",
    middlewares=[requires("notification:update")],
    **doc("Mark everything as read", tag="Notifications"),
)
def read_all() -> Data[AllRead]:
    return one(inbox.read_all(caller(app, Nothing())))


@app.get(
    "/api/notifications/preferences",
    middlewares=[requires("notification:read")],
    **doc("What I am told in the app and by e-mail", tag="Notifications"),
)
def preferences() -> Data[Preferences]:
    return one(inbox.preferences(caller(app)))


@app.put(
    "/api/notifications/preferences",
    middlewares=[requires("notification:update")],
    **doc(
        "Choose what I am told; a type that is left out is at its defaults again", tag="Notifications", problems=[409]
    ),
)
def choose(body: PreferencesChoice) -> Data[Preferences]:
    return one(inbox.choose(caller(app), body))


lambda_handler = entrypoint(app)
