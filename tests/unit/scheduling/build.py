"""Short forms for the example tests."""

from datetime import UTC, datetime
from typing import Any

from coachline.scheduling import Schedule, open_slots
from tests.unit.scheduling.reference import DAYS, Json

NEW_YORK = "America/New_York"


def utc(text: str) -> datetime:
    """The instant of "2027-03-08 14:00", in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hours(*spans: str) -> list[Json]:
    """The intervals of "09:00-12:00", …"""
    return [dict(zip(("from", "to"), span.split("-"), strict=True)) for span in spans]


def every_day(*spans: str) -> list[Json]:
    """The same intervals on each weekday."""
    return [{"day": day, "intervals": hours(*spans)} for day in DAYS]


def on_date(date: str, *spans: str) -> Json:
    """An override."""
    return {"date": date, "intervals": hours(*spans)}


def schedule(**fields: Any) -> Schedule:
    """The default schedule of a coach in New York, without hours, buffers or limits unless given, by JSON name."""
    plain = {
        "type": "DEFAULT",
        "timezone": NEW_YORK,
        "isDefault": True,
        "bufferBefore": 0,
        "bufferAfter": 0,
        "slotInterval": 60,
        "bookingWindowDays": 36_500,
    }
    return Schedule.model_validate({**plain, **fields})


def slots(
    *schedules: Schedule, start: str, end: str, duration: int = 60, now: str = "2000-01-01", **taken: Any
) -> list[str]:
    """The starts offered, as "2027-03-08 14:00" in UTC."""
    found = open_slots(schedules, duration=duration, start=utc(start), end=utc(end), now=utc(now), **taken)
    return [f"{at:%Y-%m-%d %H:%M}" for at in found]


def times(*schedules: Schedule, day: str, duration: int = 60, now: str = "2000-01-01", **taken: Any) -> str:
    """The starts offered on one UTC date, as "14:00 15:00"."""
    found = slots(*schedules, start=f"{day} 00:00", end=f"{day} 23:59:59", duration=duration, now=now, **taken)
    return " ".join(each.split()[1] for each in found)
