"""A refusal always has a reason, an offer never, and the reason is the first rule that refuses."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from coachline.scheduling import open_slots
from coachline.scheduling.slots import refusal_reason
from tests.unit.scheduling.build import every_day, on_date, schedule, utc
from tests.unit.scheduling.strategies import Case, cases, examples

COACH = schedule(
    weekly=every_day("09:00-12:00"),
    overrides=[on_date("2027-03-14", "02:00-03:00")],
    slotInterval=30,
    minimumNotice=120,
    bookingWindowDays=2,
    maxSessionsPerDay=1,
    bufferBefore=10,
    bufferAfter=10,
)
HOLIDAY = schedule(type="VACATION", validFrom="2027-03-09", validTo="2027-03-09")
NOW = utc("2027-03-08 12:00")


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        ("2027-03-08 14:00", None),
        ("2027-03-08 16:00", None),
        ("2027-03-08 13:30", "outside_hours"),
        ("2027-03-08 16:30", "outside_hours"),
        ("2027-03-08 17:00", "outside_hours"),
        ("2027-03-08 14:10", "off_grid"),
        ("2027-03-08 14:00:00.000001", "off_grid"),
        ("2027-03-09 14:00", "outside_hours"),
        ("2027-03-10 14:00", None),
        ("2027-03-11 14:00", "window"),
        ("2027-03-11 14:10", "off_grid"),
        ("2027-03-07 14:00", "notice"),
        ("2027-03-14 07:00", "outside_hours"),
    ],
)
def test_reason(start: str, reason: str | None) -> None:
    assert refusal_reason([COACH, HOLIDAY], start=utc(start), duration=60, now=NOW) == reason


@pytest.mark.parametrize(
    ("taken", "reason"),
    [
        ({"busy": [(utc("2027-03-08 13:00"), utc("2027-03-08 13:50"))]}, None),
        ({"busy": [(utc("2027-03-08 13:00"), utc("2027-03-08 13:51"))]}, "busy"),
        ({"blocked": [(utc("2027-03-08 15:09"), utc("2027-03-08 16:00"))]}, "busy"),
        ({"session_starts": [utc("2027-03-08 20:00")]}, "daily_cap"),
        ({"session_starts": [utc("2027-03-09 14:00")]}, None),
        ({"now": utc("2027-03-08 12:00:01")}, "notice"),
    ],
)
def test_reason_when_something_is_taken(taken: dict[str, Any], reason: str | None) -> None:
    assert refusal_reason([COACH], **{"start": utc("2027-03-08 14:00"), "duration": 60, "now": NOW, **taken}) == reason


def test_without_a_schedule_everything_is_outside_hours() -> None:
    assert refusal_reason([], start=NOW, duration=60, now=NOW) == "outside_hours"


@examples(90)
@given(cases(several_zones=True), st.data())
def test_there_is_a_reason_exactly_when_there_is_no_slot(case: Case, data: st.DataObject) -> None:
    several, question = case.parsed(), case.question
    offered = open_slots(several, **question)
    # Half of them starts that some limit or someone else may have taken, or else any time at all.
    lenient = [each.model_copy(update={"minimum_notice": 0, "booking_window_days": 36_500}) for each in several]
    asked = {name: question[name] for name in ("duration", "start", "end")}
    possible = open_slots(lenient, **asked, now=question["now"] - timedelta(days=9))
    minutes = (question["end"] - question["start"]) // timedelta(minutes=5)
    anywhere = st.integers(0, minutes).map(lambda number: question["start"] + number * timedelta(minutes=5))
    start = data.draw(st.sampled_from(possible) | anywhere if possible else anywhere)
    rest = {name: value for name, value in question.items() if name not in {"start", "end"}}
    reason = refusal_reason(several, start=start, **rest)
    event(str(reason))
    single = open_slots(several, start=start, end=start + timedelta(microseconds=1), **rest)
    assert (reason is None) == bool(single)
    if start < question["end"]:
        assert (start in offered) == bool(single)


@examples(40)
@given(cases(), st.data())
def test_the_answer_depends_neither_on_the_range_nor_on_any_order(case: Case, data: st.DataObject) -> None:
    question = case.question
    offered = open_slots(case.parsed(), **question)
    minutes = (question["end"] - question["start"]) // timedelta(minutes=1)
    middle = question["start"] + timedelta(minutes=data.draw(st.integers(0, minutes)))
    halves = [{**question, "end": middle}, {**question, "start": middle}]
    assert [at for half in halves for at in open_slots(case.parsed(), **half)] == offered
    shuffled = {name: data.draw(st.permutations(question[name])) for name in ("busy", "blocked", "session_starts")}
    assert open_slots(data.draw(st.permutations(case.parsed())), **{**question, **shuffled}) == offered
