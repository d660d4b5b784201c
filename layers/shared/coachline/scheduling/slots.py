"""The starts that a coach offers: one computation for listing, for booking and for explaining a refusal.

1. `precedence` gives the windows. Where they touch, also at midnight, a session may run from one into the next.
2. Starts lie on a grid that counts from each interval's own beginning, in steps of `slot_interval`, else of the
   session's length. Nothing moves it: not the range asked for, nor now, notice or bookings.
3. A start is offered when the whole session is open; it is no sooner than now and the notice, and on no later date
   than today and the booking window; its date is below the daily cap; and the session with its buffers overlaps
   nothing that is taken. Buffers need not lie within the hours. Dates are those of the ruling schedule's zone.

Everything is an integer: instants are microseconds (see `local_time`), so durations, buffers, notice and steps are
elapsed time and no change of the clocks can bend them. Only dates and hours are read on the schedule's wall clock.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from coachline.scheduling.local_time import MINUTE, instant, local_date, to_datetimes, to_micros
from coachline.scheduling.precedence import Window, windows
from coachline.scheduling.schedule import Schedule

Busy = Iterable[tuple[datetime, datetime]]
Reason = Literal["outside_hours", "off_grid", "notice", "window", "daily_cap", "busy"]


def open_slots(
    schedules: Sequence[Schedule],
    *,
    duration: int,
    start: datetime,
    end: datetime,
    now: datetime,
    busy: Busy = (),
    blocked: Busy = (),
    session_starts: Iterable[datetime] = (),
) -> list[datetime]:
    """The UTC starts in `[start, end)` at which a session of `duration` minutes can be booked, ascending.

    `busy` are raw intervals, `blocked` ones that already carry their own buffers, `session_starts` what the daily cap
    counts. Intervals are half-open: touching is free. Raises ValueError for a naive datetime, a reversed range or a
    duration that is not positive.
    """
    diary = _Diary(schedules, duration=duration, now=now, busy=busy, blocked=blocked, session_starts=session_starts)
    first, last = _range(start, end, "start", "end")
    return [start for run in diary.runs(first, last) for start in to_datetimes(run)]


def refusal_reason(
    schedules: Sequence[Schedule],
    *,
    start: datetime,
    duration: int,
    now: datetime,
    busy: Busy = (),
    blocked: Busy = (),
    session_starts: Iterable[datetime] = (),
) -> Reason | None:
    """None exactly when `open_slots` offers `start`; else the first rule that refuses it, what is taken coming last.

    Arguments and errors are those of `open_slots`.
    """
    diary = _Diary(schedules, duration=duration, now=now, busy=busy, blocked=blocked, session_starts=session_starts)
    return diary.refusal(to_micros(start, "start"))


class _Terms(NamedTuple):
    """What one schedule asks of a start: within [first, last), on its step, clear on both sides, on a date not full."""

    first: int
    last: int
    step: int
    before: int
    length_after: int
    cap: int | None
    booked: Counter[int]

    def full(self, date: int) -> bool:
        return self.cap is not None and self.booked[date] >= self.cap


class _Diary:
    """All that decides a start, but not the range that is asked for: so that cannot change the answer."""

    def __init__(
        self,
        schedules: Sequence[Schedule],
        *,
        duration: int,
        now: datetime,
        busy: Busy,
        blocked: Busy,
        session_starts: Iterable[datetime],
    ) -> None:
        if duration <= 0:
            raise ValueError("duration must be a positive number of minutes")
        self._length = duration * MINUTE
        self._now = to_micros(now, "now")
        taken = [_range(*each, "the start of a busy interval", "its end") for each in busy]
        taken += [_range(*each, "the start of a blocked interval", "its end") for each in blocked]
        self._taken = _union(taken)
        self._taken_ends = [end for _, end in self._taken]
        self._booked = [to_micros(each, "a session start") for each in session_starts]
        self._schedules = tuple(schedules)
        self._terms = {id(each): self._terms_of(each) for each in self._schedules}

    def _terms_of(self, schedule: Schedule) -> _Terms:
        zone, cap = schedule.timezone, schedule.max_sessions_per_day
        last_date = local_date(zone, self._now) + schedule.booking_window_days
        return _Terms(
            first=self._now + schedule.minimum_notice * MINUTE,
            last=instant(zone, last_date + 1),
            step=(schedule.slot_interval or 0) * MINUTE or self._length,
            before=schedule.buffer_before * MINUTE,
            length_after=self._length + schedule.buffer_after * MINUTE,
            cap=cap,
            booked=Counter(local_date(zone, at) for at in self._booked) if cap else Counter(),
        )

    def runs(self, first: int, last: int) -> list[range]:
        """Every start in [first, last) that can be booked, ascending, as unbroken runs along the grid."""
        first = max(first, min((terms.first for terms in self._terms.values()), default=last))
        last = min(last, max((terms.last for terms in self._terms.values()), default=first))
        found: list[range] = []
        if first >= last:
            return found
        for window, open_until in self._openings(first, last + self._length):
            terms = self._terms[id(window.schedule)]
            since = max(window.start, first, terms.first)
            until = min(window.end, last, terms.last, open_until - self._length + 1)
            runs = self._clear_runs(window.anchor, since, until, terms)
            # Where clocks go back across midnight, a date's window also shows readings of the date beside it.
            if any(map(terms.full, range(window.ordinal - 1, window.ordinal + 2))):
                zone = window.schedule.timezone
                runs = (range(at, at + 1) for run in runs for at in run if not terms.full(local_date(zone, at)))
            found.extend(runs)
        return found

    def refusal(self, at: int) -> Reason | None:
        """Why a session cannot start at the instant, or None if it can."""
        if self.runs(at, at + 1):
            return None
        window, open_until = next(self._openings(at, at + self._length), (None, at))
        if window is None or window.start > at or open_until < at + self._length:
            return "outside_hours"
        terms = self._terms[id(window.schedule)]
        refusals: tuple[tuple[Reason, bool], ...] = (
            ("off_grid", (at - window.anchor) % terms.step != 0),
            ("notice", at < terms.first),
            ("window", at >= terms.last),
            ("daily_cap", terms.full(local_date(window.schedule.timezone, at))),
        )
        return next((reason for reason, refused in refusals if refused), "busy")

    def _openings(self, first: int, last: int) -> Iterator[tuple[Window, int]]:
        """The windows between the instants, in order, each with the end of the unbroken opening that it is part of."""
        found = windows(self._schedules, first, last)
        ends = [window.end for window in found]
        for index in range(len(found) - 2, -1, -1):
            if found[index].end == found[index + 1].start:
                ends[index] = ends[index + 1]
        return zip(found, ends, strict=True)

    def _clear_runs(self, anchor: int, since: int, until: int, terms: _Terms) -> Iterator[range]:
        """The instants of the grid in [since, until) whose session, with its buffers, meets nothing that is taken."""
        index = bisect_right(self._taken_ends, since - terms.before)
        while since < until:
            clear_until, resume = until, until
            if index < len(self._taken):
                taken_from, taken_to = self._taken[index]
                clear_until = min(until, taken_from - terms.length_after + 1)
                resume = taken_to + terms.before
                index += 1
            run = range(since + (anchor - since) % terms.step, clear_until, terms.step)
            if run:
                yield run
            since = max(since, resume)


def _range(start: datetime, end: datetime, start_name: str, end_name: str) -> tuple[int, int]:
    first, last = to_micros(start, start_name), to_micros(end, end_name)
    if last < first:
        raise ValueError(f"{start_name} must not be later than {end_name}")
    return first, last


def _union(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same instants as disjoint spans in order. An empty span holds no instant."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
