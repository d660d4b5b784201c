"""GET /api/coaching/slots: when a coach can be booked."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.scheduling import booking
from coachline.scheduling.booking import SlotQuery, Slots

app = create_app()


@app.get(
    "/api/coaching/slots",
    middlewares=[requires("slot:read")],
    **doc("A coach's open slots, and the price of one", tag="Availability", problems=[404]),
)
def list_slots(query: Annotated[SlotQuery, Query()]) -> Slots:
    return booking.list_slots(caller(app), query)


lambda_handler = entrypoint(app)
