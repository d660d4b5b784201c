"""Wall clocks and instants as integers: an instant is microseconds since 1970 in UTC, a date its proleptic ordinal."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate, repeat
from operator import add
from zoneinfo import ZoneInfo

MINUTE = 60_000_000
MINUTES_PER_DAY = 1440

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)

# Within these every reading of every zone has an instant that datetime can hold, and the other way round.
_FIRST_DATE = date(1, 1, 5).toordinal()
_LAST_DATE = date(9999, 12, 27).toordinal()
EARLIEST = (_FIRST_DATE - _EPOCH.toordinal()) * MINUTES_PER_DAY * MINUTE
LATEST = (_LAST_DATE - _EPOCH.toordinal()) * MINUTES_PER_DAY * MINUTE


def to_micros(at: datetime, name: str) -> int:
    """The instant of an aware datetime, exactly. Raises ValueError, with `name`, for a naive one."""
    if at.utcoffset() is None:
        raise ValueError(f"{name} must be an aware datetime")
    return (at - _EPOCH) // _MICROSECOND


def to_datetime(micros: int) -> datetime:
    """The instant as an aware UTC datetime."""
    return _EPOCH + timedelta(0, 0, micros)


def to_datetimes(run: range) -> Iterator[datetime]:
    """The instants of a run that is not empty, as aware UTC datetimes. Adding costs a tenth of converting each one."""
    return accumulate(repeat(timedelta(0, 0, run.step), len(run) - 1), add, initial=to_datetime(run.start))


def local_date(zone: str, micros: int) -> int:
    """The date that a clock in `zone` shows at the instant."""
    return to_datetime(min(max(micros, EARLIEST), LATEST)).astimezone(ZoneInfo(zone)).toordinal()


@lru_cache(maxsize=8192)
def instant(zone: str, ordinal: int, minute: int = 0) -> int:
    """The instant at which clocks in `zone` show `minute` minutes past midnight of the date (1440: the next midnight).

    A reading that a change of the clocks skips is the instant of the change; one that it repeats is the first of the
    two. The offset is always that date's own. Later readings never have earlier instants.
    """
    wall = datetime.fromordinal(min(max(ordinal, _FIRST_DATE), _LAST_DATE)) + timedelta(minutes=minute)
    clock = ZoneInfo(zone)
    at = wall.replace(tzinfo=clock).astimezone(UTC)
    if at.astimezone(clock).replace(tzinfo=None) != wall:
        at = _change_between(clock, wall.replace(tzinfo=clock, fold=1).astimezone(UTC), at)
    return (at - _EPOCH) // _MICROSECOND


def _change_between(clock: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first second, later than `before` and not than `after` (both UTC), that has another offset than `before`."""
    offset = before.astimezone(clock).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(clock).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
