"""Dates as they will be: who rules, what is open, and what a schedule would open on its own."""

from datetime import date, timedelta

from hypothesis import given

from coachline.scheduling import Schedule, open_slots
from coachline.scheduling.preview import preview
from tests.unit.scheduling.build import every_day, on_date, schedule, utc
from tests.unit.scheduling.strategies import Case, cases, examples

IDS = [f"00000000-0000-4000-8000-{number:012}" for number in range(4)]
DEFAULT = schedule(
    id=IDS[0], name="Office", weekly=every_day("09:00-17:00"), overrides=[on_date("2027-03-14", "02:30-04:00")]
)
AWAY = schedule(id=IDS[1], name="Away", type="VACATION", validFrom="2027-03-16", validTo="2027-03-16")
TOKYO = schedule(
    id=IDS[2],
    name="Fair",
    type="OVERRIDE",
    timezone="Asia/Tokyo",
    weekly=every_day("00:00-24:00"),
    validFrom="2027-03-20",
    validTo="2027-03-20",
)


def shown(wanted: Schedule, *others: Schedule, day: str) -> tuple[list[str], list[str], list[str]]:
    [found] = preview([wanted, *others], wanted, date.fromisoformat(day), date.fromisoformat(day))
    rulers = [f"{each.name} {each.source} {'closed' if each.closed else 'open'}" for each in found.rulers]
    opened, own = ([f"{each.local_start} {each.local_end}" for each in part] for part in (found.open, found.own))
    return rulers, opened, own


def test_an_everyday_date_and_an_override_across_the_spring_gap() -> None:
    hours = ["2027-03-08T09:00:00-05:00 2027-03-08T17:00:00-05:00"]
    assert shown(DEFAULT, AWAY, day="2027-03-08") == (["Office WEEKLY open"], hours, hours)
    gap = ["2027-03-14T03:00:00-04:00 2027-03-14T04:00:00-04:00"]
    assert shown(DEFAULT, AWAY, day="2027-03-14") == (["Office OVERRIDE open"], gap, gap)


def test_a_vacation_closes_the_date_and_the_schedule_still_shows_what_it_would_open() -> None:
    hours = ["2027-03-16T09:00:00-04:00 2027-03-16T17:00:00-04:00"]
    assert shown(DEFAULT, AWAY, day="2027-03-16") == (["Away VACATION closed"], [], hours)
    assert shown(AWAY, DEFAULT, day="2027-03-16") == (["Away VACATION closed"], [], [])
    open_again = ["2027-03-17T09:00:00-04:00 2027-03-17T17:00:00-04:00"]
    assert shown(AWAY, DEFAULT, day="2027-03-17") == (["Office WEEKLY open"], open_again, [])


def test_a_schedule_of_another_zone_rules_its_own_date() -> None:
    rulers, opened, own = shown(DEFAULT, TOKYO, day="2027-03-19")
    assert rulers == ["Office WEEKLY open", "Fair WEEKLY open"]  # Tokyo's 20th begins at 11:00 in New York
    assert opened == [
        "2027-03-19T09:00:00-04:00 2027-03-19T11:00:00-04:00",
        "2027-03-19T11:00:00-04:00 2027-03-20T00:00:00-04:00",
    ]
    assert own == ["2027-03-19T09:00:00-04:00 2027-03-19T17:00:00-04:00"]


def test_an_interval_over_the_repeated_hour_is_one_of_five_hours() -> None:
    coach = schedule(id=IDS[0], overrides=[on_date("2027-11-07", "00:00-04:00")])
    _, [hours], _ = shown(coach, day="2027-11-07")
    assert hours == "2027-11-07T00:00:00-04:00 2027-11-07T04:00:00-05:00"


def test_a_date_that_never_was_is_ruled_by_nobody() -> None:
    coach = schedule(id=IDS[0], timezone="Pacific/Apia", weekly=every_day("09:00-10:00"))
    assert shown(coach, day="2011-12-30") == ([], [], [])
    assert len(shown(coach, day="2011-12-31")[1]) == 1


def test_a_schedule_that_is_not_the_default_rules_nothing() -> None:
    spare = schedule(id=IDS[3], name="Spare", isDefault=False, weekly=every_day("06:00-07:00"))
    rulers, opened, own = shown(spare, DEFAULT, day="2027-03-08")
    assert rulers == ["Office WEEKLY open"]
    assert opened == ["2027-03-08T09:00:00-05:00 2027-03-08T17:00:00-05:00"]
    assert own == ["2027-03-08T06:00:00-05:00 2027-03-08T07:00:00-05:00"]


@examples(40)
@given(cases(several_zones=True))
def test_every_slot_lies_in_what_the_preview_shows_open(case: Case) -> None:
    schedules, start = case.parsed(), case.question["start"]
    first = start.date() - timedelta(days=1)
    opened = [hours for day in preview(schedules, schedules[0], first, first + timedelta(days=4)) for hours in day.open]
    asked = {"start": start, "end": start + timedelta(days=1), "duration": case.question["duration"]}
    for at in open_slots(schedules, now=utc("2000-01-01"), **asked):
        assert any(hours.start <= at < hours.end for hours in opened)
