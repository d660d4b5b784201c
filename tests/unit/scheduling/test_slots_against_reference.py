"""The engine and the reference, written in different styles, agree on random coaches."""

from hypothesis import event, given

from coachline.scheduling import open_slots
from tests.unit.scheduling.reference import reference_slots
from tests.unit.scheduling.strategies import Case, cases, examples


@examples(80)
@given(cases())
def test_same_slots_as_the_reference_in_one_zone(case: Case) -> None:
    found = open_slots(case.parsed(), **case.question)
    event("some slots" if found else "no slot")
    assert found == reference_slots(case.schedules, **case.question)


@examples(40)
@given(cases(several_zones=True))
def test_same_slots_as_the_reference_across_zones(case: Case) -> None:
    found = open_slots(case.parsed(), **case.question)
    event("some slots" if found else "no slot")
    assert found == reference_slots(case.schedules, **case.question)
