"""GET /api/calendly/event-types, PUT /api/calendly/event-types/{id}/mapping: what my event types are here."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.integrations import calendly
from coachline.integrations.calendly import CalendlyEventType, MappingChange
from coachline.models import Data, Page, many, one
from coachline.pagination import PageQuery

app = create_app()


@app.get(
    "/api/calendly/event-types",
    middlewares=[requires("calendly:read")],
    **doc("My event types at Calendly, by name", tag="Calendly"),
)
def list_event_types(query: Annotated[PageQuery, Query()]) -> Page[CalendlyEventType]:
    return many(calendly.list_event_types(caller(app), query))


@app.put(
    "/api/calendly/event-types/<id>/mapping",
    middlewares=[requires("calendly:manage")],
    **doc("Make sessions of an event type's bookings, or stop it", tag="Calendly", problems=[404, 409]),
)
def map_event_type(event_type_id: Annotated[UUID, Path(alias="id")], body: MappingChange) -> Data[CalendlyEventType]:
    return one(calendly.map_event_type(caller(app, body), event_type_id, body))


lambda_handler = entrypoint(app)
