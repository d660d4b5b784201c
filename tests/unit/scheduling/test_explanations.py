"""Why a slot is missing: the rule, and the schedule whose rule it is."""

from typing import Any

import pytest
from hypothesis import event, given

from coachline.scheduling import Schedule, open_slots
from coachline.scheduling.explanations import explain
from tests.unit.scheduling.build import every_day, on_date, schedule, utc
from tests.unit.scheduling.strategies import Case, cases, examples

DEFAULT = schedule(
    id="default",
    weekly=every_day("09:00-12:00"),
    overrides=[on_date("2027-03-16", "10:00-11:00")],
    slotInterval=30,
    minimumNotice=120,
    bookingWindowDays=20,
    maxSessionsPerDay=1,
)
COACH = [
    DEFAULT,
    schedule(id="away", type="VACATION", validFrom="2027-03-09", validTo="2027-03-09"),
    schedule(id="easter", type="HOLIDAY", validFrom="2027-03-10", validTo="2027-03-10"),
    schedule(id="fair", type="OVERRIDE", weekly=every_day("13:00-14:00"), validFrom="2027-03-11", validTo="2027-03-11"),
    schedule(
        id="short",
        type="TEMPORARY",
        weekly=every_day("09:00-12:00"),
        validFrom="2027-03-12",
        validTo="2027-03-12",
        maximumDuration=30,
    ),
]
NOW = utc("2027-03-08 12:00")


@pytest.mark.parametrize(
    ("start", "reason", "ruling"),
    [
        ("2027-03-08 14:00", None, "default"),
        ("2027-03-08 13:00", "outside_hours", "default"),
        ("2027-03-08 14:10", "off_grid", "default"),
        ("2027-03-08 13:59", "outside_hours", "default"),
        ("2027-03-29 13:00", "window", "default"),
        ("2027-03-08 03:30", "outside_hours", "default"),
        ("2027-03-09 14:00", "vacation", "away"),
        ("2027-03-10 14:00", "holiday", "easter"),
        ("2027-03-11 14:00", "override", "fair"),
        ("2027-03-11 18:00", None, "fair"),
        ("2027-03-12 14:00", "duration", "short"),
        ("2027-03-12 20:00", "outside_hours", "short"),
        ("2027-03-16 13:00", "override", "default"),
        ("2027-03-16 14:00", None, "default"),
    ],
)
def test_names_the_rule_and_the_schedule(start: str, reason: str | None, ruling: str) -> None:
    found, schedule = explain(COACH, start=utc(start), duration=60, now=NOW)
    assert (found, schedule and schedule.id) == (reason, ruling)


@pytest.mark.parametrize(
    ("taken", "reason"),
    [
        ({"now": utc("2027-03-08 12:01")}, "notice"),
        ({"session_starts": [utc("2027-03-08 20:00")]}, "daily_cap"),
        ({"busy": [(utc("2027-03-08 14:30"), utc("2027-03-08 14:31"))]}, "busy"),
        ({"blocked": [(utc("2027-03-08 14:30"), utc("2027-03-08 14:31"))]}, "busy"),
    ],
)
def test_what_is_taken_too_late_or_too_much(taken: dict[str, Any], reason: str) -> None:
    found = explain(COACH, **{"start": utc("2027-03-08 14:00"), "duration": 60, "now": NOW, **taken})
    assert found == (reason, DEFAULT)


def test_a_session_that_runs_into_a_vacation_is_refused_by_the_vacation() -> None:
    late = schedule(id="late", weekly=every_day("20:00-24:00"))
    found, ruling = explain([late, COACH[1]], start=utc("2027-03-09 04:30"), duration=60, now=NOW)
    assert (found, ruling and ruling.id) == ("vacation", "away")


def test_without_a_schedule_nobody_rules() -> None:
    assert explain([], start=NOW, duration=60, now=NOW) == ("outside_hours", None)


@examples(60)
@given(cases(several_zones=True))
def test_there_is_a_reason_exactly_when_there_is_no_slot(case: Case) -> None:
    schedules: list[Schedule] = case.parsed()
    rest = {name: value for name, value in case.question.items() if name not in {"start", "end"}}
    offered = open_slots(schedules, **case.question)
    for start in {case.question["start"], *offered[:3]}:
        reason, ruling = explain(schedules, start=start, **rest)
        event(str(reason))
        assert (reason is None) == (start in offered)
        assert ruling is None or ruling in schedules
