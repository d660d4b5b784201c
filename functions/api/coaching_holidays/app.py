"""GET POST /api/coaching/availability/holidays: a country's public holidays, and closing my calendar on them."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.models import Output
from coachline.scheduling import holiday_schedules
from coachline.scheduling.availability import AvailabilitySchedule
from coachline.scheduling.changes import Change
from coachline.scheduling.holiday_schedules import HolidayChoice, HolidayQuery, Holidays

app = create_app()


class HolidaySchedules(Output):
    """One schedule of type HOLIDAY for each date."""

    data: list[AvailabilitySchedule]


@app.get(
    "/api/coaching/availability/holidays",
    middlewares=[requires()],  # a calendar on every wall: nothing of ours is read
    **doc("Public holidays of a country or a part of it", tag="Availability"),
)
def list_holidays(query: Annotated[HolidayQuery, Query()]) -> Holidays:
    return holiday_schedules.list_holidays(query)


@app.post(
    "/api/coaching/availability/holidays",
    middlewares=[requires("availability:manage")],
    **doc("Close my calendar on public holidays", tag="Availability", status=201, problems=[409]),
)
def close_holidays(body: HolidayChoice, change: Annotated[Change, Query()]) -> Response[HolidaySchedules]:
    made = holiday_schedules.close_holidays(caller(app, body, change), body, force=change.force)
    return Response(201, "application/json", {"data": made})  # type: ignore[arg-type]  # rows: the model is applied to them


lambda_handler = entrypoint(app)
