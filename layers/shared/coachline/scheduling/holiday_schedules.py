"""A country's public holidays as schedules of type HOLIDAY: one for each date, so that each can be kept or dropped."""

from datetime import date
from typing import Annotated, Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from pydantic import Field

from coachline import clock
from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Input, Output, Query, TimeZoneName, example
from coachline.problems import Unprocessable, pointer
from coachline.scheduling.changes import Schedules, change_calendar
from coachline.scheduling.public_holidays import PublicHoliday, UnknownPlaceError, public_holidays
from coachline.scheduling.schedule import PlainDate, Schedule, ScheduleType

Country = Annotated[str, Field(pattern="^[A-Z]{2}$", examples=["US"])]
Subdivision = Annotated[str, Field(min_length=1, max_length=20, examples=["CA"])]
Year = Annotated[int, Field(ge=2000, le=2100, examples=[2027])]


class HolidayQuery(Query):
    """Whose holidays, of which year."""

    country: Country
    subdivision: Subdivision | None = None
    year: Year


class Holiday(Output):
    """A date and all that is celebrated on it."""

    model_config = example(date="2027-11-25", name="Thanksgiving Day")

    date: PlainDate
    name: str


class Holidays(Output):
    """Every holiday of the year, in order."""

    data: list[Holiday]


class HolidayChoice(Input):
    """Close the holidays to come of a year, `except` those dates, on the calendar of `timezone`."""

    model_config = example(
        country="US", subdivision="CA", year=2027, timezone="America/Los_Angeles", **{"except": ["2027-10-29"]}
    )

    country: Country
    subdivision: Subdivision | None = None
    year: Year
    timezone: TimeZoneName
    except_: Annotated[list[PlainDate], Field(alias="except", max_length=100, default_factory=list)]


def list_holidays(query: HolidayQuery) -> Holidays:
    """The holidays; 422 for a country or subdivision that is not known."""
    try:
        found = public_holidays(query.country, query.subdivision, query.year)
    except UnknownPlaceError as unknown:
        raise Unprocessable(errors=[{"parameter": unknown.field, "detail": str(unknown)}]) from None
    return Holidays(data=[Holiday(date=each.date, name=each.name) for each in found])


def close_holidays(caller: Caller, choice: HolidayChoice, *, force: bool) -> Any:
    """The new schedules; dates that have a HOLIDAY of their own already get no second. 409 sessions_stranded."""
    database = as_caller(caller)
    entries = [
        {"id": str(uuid4()), "name": each.name[:100], "timezone": choice.timezone, "date": each.date.isoformat()}
        for each in _chosen(choice)
    ]

    def after(schedules: Schedules) -> Schedules:
        closed = {each.valid_from for each in schedules if each.type is ScheduleType.HOLIDAY and _is_one_date(each)}
        return schedules + [
            Schedule(
                id=entry["id"],
                type=ScheduleType.HOLIDAY,
                timezone=entry["timezone"],
                is_default=False,
                valid_from=date.fromisoformat(entry["date"]),
                valid_to=date.fromisoformat(entry["date"]),
            )
            for entry in entries
            if date.fromisoformat(entry["date"]) not in closed
        ]

    def write(decided_on: str | None) -> Any:
        return database.write("create_holiday_schedules", entries=entries, decided_on=decided_on)

    return change_calendar(database, after, write, force=force)


def _is_one_date(schedule: Schedule) -> bool:
    return schedule.valid_from == schedule.valid_to


def _chosen(choice: HolidayChoice) -> list[PublicHoliday]:
    try:
        found = public_holidays(choice.country, choice.subdivision, choice.year)
    except UnknownPlaceError as unknown:
        raise Unprocessable(errors=[{"pointer": pointer([unknown.field]), "detail": str(unknown)}]) from None
    dates = {each.date for each in found}
    faults = [
        {"pointer": pointer(("except", index)), "detail": "is no holiday of that year there"}
        for index, day in enumerate(choice.except_)
        if day not in dates
    ]
    today = clock.now().astimezone(ZoneInfo(choice.timezone)).date()
    to_come = [each for each in found if each.date >= today and each.date not in choice.except_]
    if not faults and not to_come:
        faults = [{"pointer": "#/year", "detail": "has no holiday to come that is not excepted"}]
    if faults:
        raise Unprocessable(errors=faults)
    return to_come
