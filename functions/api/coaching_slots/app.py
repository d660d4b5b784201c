"""GET /api/coaching/slots: when a coach can be booked."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.scheduling import slot_listing
from coachline.scheduling.slot_listing import SlotQuery, Slots

app = create_app()


@app.get(
    "/api/coaching/slots",
    middlewares=[requires("slot:read")],
    **doc("A coach's open slots, and the price of one", tag="Availability", problems=[404]),
)
def list_slots(query: Annotated[SlotQuery, Query()]) -> Slots:
    return slot_listing.list_slots(caller(app), query)


lambda_handler = entrypoint(app)
