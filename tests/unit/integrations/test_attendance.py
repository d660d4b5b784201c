"""Who attended how long: times are merged, whatever is missing, repeated or late."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachline.integrations.attendance import Presence, attendance, intersection, union

START = datetime(2027, 3, 8, 14, 0, tzinfo=UTC)
END = START + timedelta(hours=1)


def at(minutes: float | None) -> datetime | None:
    return None if minutes is None else START + timedelta(minutes=minutes)


def host(joined: float | None, left: float | None) -> Presence:
    return Presence(True, at(joined), at(left))


def guest(joined: float | None, left: float | None) -> Presence:
    return Presence(False, at(joined), at(left))


def attended(*presences: Presence, **more: Any) -> Any:
    given = {"meetings": [(at(0), at(60))], "now": END + timedelta(hours=1), "reconciled": False, **more}
    return attendance(START, END, presences=presences, **given)


def test_both_were_there() -> None:
    found = attended(host(0, 60), guest(4, 58))
    assert (found.actual_start, found.actual_end, found.actual_minutes) == (START, END, 60)
    assert (found.coach_minutes, found.mentee_minutes, found.together_minutes) == (60, 54, 54)
    assert (found.coach_late_minutes, found.mentee_late_minutes, found.no_show) == (0, 4, None)


def test_who_leaves_and_comes_back_is_counted_once_for_each_minute() -> None:
    found = attended(host(0, 60), guest(0, 20), guest(10, 30), guest(40, 50), guest(40, 50))
    assert (found.mentee_minutes, found.together_minutes) == (40, 40)


@pytest.mark.parametrize(
    ("presences", "expected"),
    [
        ([host(0, 60)], "MENTEE"),
        ([guest(0, 60)], "COACH"),
        ([], "BOTH"),
        ([host(0, 60), guest(59, 60)], None),
    ],
)
def test_who_never_came_is_suggested(presences: list[Presence], expected: str | None) -> None:
    assert attended(*presences).no_show == expected


def test_hearing_nothing_is_not_a_no_show_until_the_report_was_read() -> None:
    assert attended(meetings=[]).no_show is None
    assert attended(meetings=[], reconciled=True).no_show == "BOTH"
    assert attended(host(0, None), now=at(30)).no_show is None


def test_what_nobody_told_is_the_meeting_s() -> None:
    found = attended(host(0, None), guest(None, 30))
    assert (found.coach_minutes, found.mentee_minutes) == (60, 30)
    running = attended(host(0, None), guest(10, None), meetings=[(at(0), None)], now=at(20))
    assert (running.coach_minutes, running.mentee_minutes, running.actual_minutes) == (20, 10, None)


def test_a_meeting_that_was_opened_twice_is_one() -> None:
    found = attended(meetings=[(at(30), at(60)), (at(-5), at(20))])
    assert (found.actual_start, found.actual_end) == (at(-5), at(60))


def test_a_leaving_that_is_told_before_its_joining_is_nothing() -> None:
    assert attended(guest(50, 10)).mentee_minutes == 0


minutes = st.one_of(st.none(), st.integers(-60, 180))


@given(
    st.lists(st.builds(Presence, st.booleans(), minutes.map(at), minutes.map(at))),
    st.lists(st.tuples(minutes, minutes)),
)
def test_whatever_is_known_the_figures_make_sense(presences: list[Presence], meetings: list[Any]) -> None:
    found = attended(*presences, meetings=[(at(a), at(b)) for a, b in meetings])
    assert 0 <= found.together_minutes <= min(found.coach_minutes, found.mentee_minutes)
    assert all(late is None or late >= 0 for late in (found.coach_late_minutes, found.mentee_late_minutes))


spans = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)))


@given(spans, spans)
def test_unions_and_intersections_are_those_of_sets(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    def points(intervals: Any) -> set[Any]:
        return {a + timedelta(minutes=n) for a, b in intervals for n in range(int((b - a).total_seconds() // 60))}

    a, b = ([(START + timedelta(minutes=x), START + timedelta(minutes=y)) for x, y in each] for each in (one, other))
    assert points(union(a)) == points(a)
    assert points(intersection(union(a), union(b))) == points(a) & points(b)
