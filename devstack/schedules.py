"""EventBridge's schedule expressions: rate(5 minutes), cron(0 12 ? * MON-FRI *)."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, _MONTHS),
    (1, 7, _DAYS),
    (1970, 2199, ()),
)


class Expression:
    """When a schedule runs; ValueError for what this does not know (L, W and # of cron)."""

    def __init__(self, text: str, timezone: str = "UTC") -> None:
        self._zone = ZoneInfo(timezone)
        self.period: int | None = None  # seconds, of a rate
        if match := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", text):
            self.period = int(match[1]) * _UNITS[match[2]]
        elif match := re.fullmatch(r"cron\((.+)\)", text):
            fields = match[1].upper().split()
            self._fields = [_values(part, *limits) for part, limits in zip(fields, _FIELDS, strict=True)]
        else:
            raise ValueError(f"not a schedule: {text}")

    def matches(self, at: datetime) -> bool:
        """Whether a cron runs in the minute of this aware instant."""
        local = at.astimezone(self._zone)
        moment = (local.minute, local.hour, local.day, local.month, local.isoweekday() % 7 + 1, local.year)
        return all(value in allowed for value, allowed in zip(moment, self._fields, strict=True))


def _values(text: str, low: int, high: int, names: tuple[str, ...]) -> frozenset[int]:
    def number(name: str) -> int:
        return names.index(name) + low if name in names else int(name)

    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = low if first in ("*", "?") else number(first)
        end = number(last) if last else high if first in ("*", "?") or step else start
        found.update(range(start, end + 1, int(step or 1)))
    return frozenset(found)
