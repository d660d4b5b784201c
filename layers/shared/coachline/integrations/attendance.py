"""Who attended how long, as pure figures. Zoom names guests by nothing that lasts, so: the host, and everyone else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Interval = tuple[datetime, datetime]
NoShow = Literal["COACH", "MENTEE", "BOTH"]


@dataclass(frozen=True)
class Presence:
    """Once in a meeting. An end that nobody told is the meeting's; a start that nobody told is its, too."""

    is_host: bool
    joined_at: datetime | None
    left_at: datetime | None


@dataclass(frozen=True)
class Attendance:
    """Minutes are whole, rounded to the nearest; lateness counts from the booked start, never below zero."""

    actual_start: datetime | None
    actual_end: datetime | None
    actual_minutes: int | None
    coach_minutes: int
    mentee_minutes: int
    together_minutes: int
    coach_late_minutes: int | None
    mentee_late_minutes: int | None
    no_show: NoShow | None


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time, sorted and without overlaps; what ends before it starts is nothing."""
    merged: list[Interval] = []
    for start, end in sorted(interval for interval in intervals if interval[0] < interval[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged


def intersection(one: Sequence[Interval], other: Sequence[Interval]) -> list[Interval]:
    """The time that is in both; each is a union already."""
    found = ((max(a, c), min(b, d)) for a, b in one for c, d in other)
    return [(start, end) for start, end in found if start < end]


def attendance(
    start: datetime,
    end: datetime,
    *,
    meetings: Sequence[tuple[datetime | None, datetime | None]],
    presences: Sequence[Presence],
    now: datetime,
    reconciled: bool,
) -> Attendance:
    """What became of a session booked for `[start, end)`, from what is known `now`.

    `meetings` are the instances' starts and ends. A no-show is suggested only once the session is over and either the
    meeting took place or Zoom's own report was read (`reconciled`): hearing nothing is not the same as nobody coming.
    """
    begun = min((at for at, _ in meetings if at), default=None)
    ended = max((at for _, at in meetings if at), default=None)
    closed = ended or max(end, begun or end)
    opened = begun or min(start, *(p.joined_at for p in presences if p.joined_at), closed)
    limit = min(closed, now)
    host, guests = (_minutes_of(presences, opened, limit, is_host=side) for side in (True, False))
    came_host, came_guest = (_first(presences, opened, is_host=side) for side in (True, False))
    known = now >= end and (reconciled or bool(meetings))
    return Attendance(
        actual_start=begun,
        actual_end=ended,
        actual_minutes=_minutes([(begun, ended)]) if begun and ended else None,
        coach_minutes=_minutes(host),
        mentee_minutes=_minutes(guests),
        together_minutes=_minutes(intersection(host, guests)),
        coach_late_minutes=_late(came_host, start),
        mentee_late_minutes=_late(came_guest, start),
        no_show=_no_show(came_host, came_guest) if known else None,
    )


def _minutes_of(presences: Sequence[Presence], opened: datetime, limit: datetime, *, is_host: bool) -> list[Interval]:
    mine = [presence for presence in presences if presence.is_host == is_host]
    return union((max(p.joined_at or opened, opened), min(p.left_at or limit, limit)) for p in mine)


def _first(presences: Sequence[Presence], opened: datetime, *, is_host: bool) -> datetime | None:
    return min((p.joined_at or opened for p in presences if p.is_host == is_host), default=None)


def _minutes(intervals: Iterable[Interval]) -> int:
    return round(sum(((end - start) for start, end in intervals), timedelta()) / timedelta(minutes=1))


def _late(came: datetime | None, start: datetime) -> int | None:
    return None if came is None else max(0, int((came - start) / timedelta(minutes=1)))


def _no_show(host: datetime | None, guest: datetime | None) -> NoShow | None:
    match host, guest:
        case None, None:
            return "BOTH"
        case None, _:
            return "COACH"
        case _, None:
            return "MENTEE"
    return None
