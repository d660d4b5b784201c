"""What slots are computed from: the database's reading as the arguments of `open_slots`."""

from datetime import UTC, datetime, timedelta
from typing import Any

from coachline.scheduling.explanations import for_length
from coachline.scheduling.schedule import Schedule

_MOMENT = timedelta(microseconds=1)
LAST_MOMENT = datetime.max.replace(tzinfo=UTC) - _MOMENT


def moment_after(start: datetime) -> datetime:
    """The end of the shortest range that `start` is in."""
    return min(start, LAST_MOMENT) + _MOMENT


def diary_of(context: dict[str, Any], minutes: int) -> dict[str, Any]:
    """The arguments of `open_slots` that the database knows."""
    instant = datetime.fromisoformat
    return {
        "schedules": [for_length(Schedule.model_validate(row), minutes) for row in context["schedules"]],
        "busy": [(instant(start), instant(end)) for start, end in context["busy"]],
        "blocked": [(instant(start), instant(end)) for start, end in context["blocked"]],
        "session_starts": [instant(start) for start in context["session_starts"]],
    }
