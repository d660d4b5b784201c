"""Whether times lie within a coach's hours: what is open, whatever is booked, and whatever step, notice or cap say.

Pure, like the engine whose windows it reads.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime

from coachline.scheduling.local_time import to_micros
from coachline.scheduling.precedence import windows
from coachline.scheduling.schedule import Schedule

Span = tuple[datetime, datetime]


def first_closed(schedules: Sequence[Schedule], spans: Sequence[Span]) -> list[int | None]:
    """For each span its first instant (see `local_time`) that is not open; None for one that is open throughout."""
    asked = [(to_micros(start, "start"), to_micros(end, "end")) for start, end in spans]
    if not asked:
        return []
    opened: list[int] = []
    closed: list[int] = []
    for window in windows(schedules, min(start for start, _ in asked), max(end for _, end in asked)):
        if closed and closed[-1] == window.start:
            closed[-1] = window.end
        else:
            opened.append(window.start)
            closed.append(window.end)

    def first(start: int, end: int) -> int | None:
        index = bisect_right(opened, start) - 1
        open_until = max(start, closed[index]) if index >= 0 else start
        return open_until if open_until < end else None

    return [first(start, end) for start, end in asked]


def stranded(before: Sequence[Schedule], after: Sequence[Schedule], spans: Sequence[Span]) -> list[int]:
    """The positions of the spans that were open throughout before a change of the schedules, and are not after it."""
    pairs = zip(first_closed(before, spans), first_closed(after, spans), strict=True)
    return [position for position, (was, became) in enumerate(pairs) if was is None and became is not None]
