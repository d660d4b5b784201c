"""Random coaches: schedules as JSON, in awkward zones around the days when the clocks change, and what is taken."""

import os
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from coachline.scheduling import Schedule
from tests.unit.scheduling.reference import DAYS, STRENGTH, Json, Range

# Dates on or next to which the zone's clocks change; Kathmandu and Sao Paulo (since 2019) have none.
CLOCK_CHANGES: dict[str, list[str]] = {
    "America/New_York": ["2027-03-14", "2027-11-07"],
    "Australia/Lord_Howe": ["2027-04-04", "2027-10-03"],
    "Pacific/Chatham": ["2027-04-04", "2027-09-26"],
    "Asia/Beirut": ["2027-03-28", "2027-10-30"],
    "Africa/Cairo": ["2027-04-30", "2027-10-28"],
    "America/Santiago": ["2027-04-03", "2027-09-05"],
    "America/Sao_Paulo": ["2027-06-15", "2018-11-04", "2018-02-17"],
    "Asia/Kathmandu": ["2027-06-15"],
    "Pacific/Apia": ["2011-12-30", "2011-04-02"],
    "Africa/Casablanca": ["2026-02-15", "2026-03-22", "2026-09-20"],
    "Antarctica/Troll": ["2027-03-28", "2027-10-31"],
    "America/St_Johns": ["2011-03-13", "2010-11-07"],
    "Europe/London": ["2027-03-28", "2027-10-31"],
    "UTC": ["2027-06-15"],
}


def examples(count: int) -> settings:
    """`count` random examples, twenty-five times as many with HYPOTHESIS_PROFILE=thorough."""
    factor = 25 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 1
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=count * factor, deadline=None, suppress_health_check=checks)


class Case(NamedTuple):
    """A question to the engine, with the schedules still as JSON."""

    schedules: list[Json]
    question: dict[str, Any]

    def parsed(self) -> list[Schedule]:
        return [Schedule.model_validate(each) for each in self.schedules]


def wall_time(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


# Half hours most of the time, as people write them; any minute now and then.
_minute_of_day = st.one_of(st.integers(0, 48).map(lambda half: half * 30), st.integers(0, 1440))


def _as_json(bounds: list[int]) -> list[Json]:
    pairs = [sorted(bounds[at : at + 2]) for at in range(0, len(bounds) - 1, 2)]
    return [{"from": wall_time(opens), "to": wall_time(closes)} for opens, closes in pairs if opens < closes]


# In any order, touching and overlapping allowed: a whole day, two long intervals, or whatever comes.
intervals = st.one_of(
    st.just(_as_json([0, 1440])),
    st.lists(_minute_of_day, min_size=2, max_size=2).map(lambda cuts: _as_json([0, max(cuts), min(cuts), 1440])),
    st.lists(_minute_of_day, min_size=2, max_size=2).map(lambda cuts: _as_json([max(cuts), 1440, 0, min(cuts)])),
    st.lists(_minute_of_day, max_size=6).map(_as_json),
)


@st.composite
def schedules(draw: st.DrawFn, zone: str, day: date, kind: str, number: int) -> Json:
    """One schedule that matters on or around `day`."""
    near = st.integers(-2, 2).map(lambda days: (day + timedelta(days=days)).isoformat())
    bound = st.one_of(st.none(), near) if kind == "DEFAULT" else near
    common, special = draw(intervals), draw(intervals)
    special_days = draw(st.sets(st.sampled_from(DAYS), max_size=3))
    return {
        "id": f"00000000-0000-4000-8000-{number:012}",
        "name": kind,
        "type": kind,
        "timezone": zone,
        "isDefault": kind != "DEFAULT" or draw(st.integers(0, 9)) < 9,
        "weekly": [{"day": name, "intervals": special if name in special_days else common} for name in DAYS],
        "overrides": [{"date": each, "intervals": draw(intervals)} for each in sorted(draw(st.sets(near, max_size=2)))],
        "bufferBefore": draw(st.sampled_from([0, 0, 15, 20, 180])),
        "bufferAfter": draw(st.sampled_from([0, 0, 5, 15, 120])),
        "slotInterval": draw(st.sampled_from([None, 5, 15, 30, 45, 60, 7, 720])),
        "minimumNotice": draw(st.sampled_from([0, 0, 0, 0, 0, 1, 90, 1440])),
        "bookingWindowDays": draw(st.sampled_from([365, 365, 36_500, 4, 2, 0])),
        "maxSessionsPerDay": draw(st.sampled_from([None, None, None, 1, 2])),
        "validFrom": draw(bound),
        "validTo": draw(bound),
    }


@st.composite
def cases(draw: st.DrawFn, several_zones: bool = False) -> Case:
    """A coach with one to four schedules, busy here and there, asked about some hours around a change of the clocks."""
    zone = draw(st.sampled_from(sorted(CLOCK_CHANGES)))
    day = date.fromisoformat(draw(st.sampled_from(CLOCK_CHANGES[zone])))
    kinds = ["DEFAULT", *draw(st.lists(st.sampled_from(STRENGTH), max_size=3))]
    zones = st.sampled_from(sorted(CLOCK_CHANGES)) if several_zones else st.just(zone)
    found = [draw(schedules(draw(zones), day, kind, number)) for number, kind in enumerate(kinds)]

    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)

    def instants(hours: int, odd: bool = True) -> st.SearchStrategy[datetime]:
        minutes = st.integers(-hours * 12, hours * 12).map(lambda five: noon + timedelta(minutes=5 * five))
        shifts = [0, 0, 0, 0, 30, 59.999999] if odd else [0]
        return st.tuples(minutes, st.sampled_from(shifts)).map(lambda pair: pair[0] + timedelta(seconds=pair[1]))

    @st.composite
    def spans(draw: st.DrawFn) -> Range:
        start = draw(instants(40))
        return start, start + timedelta(minutes=draw(st.sampled_from([0, 1, 10, 60, 95, 300])))

    start = draw(instants(30))
    question = {
        "duration": draw(st.sampled_from([15, 30, 45, 60, 90, 240, 1, 1500])),
        "start": start,
        "end": start + timedelta(minutes=draw(st.integers(6 * 60, 36 * 60))),
        "now": noon - timedelta(days=draw(st.integers(1, 3))) + (draw(instants(12)) - noon),
        "busy": draw(st.lists(spans(), max_size=3)),
        "blocked": draw(st.lists(spans(), max_size=2)),
        "session_starts": draw(st.lists(instants(30, odd=False), max_size=3)),
    }
    return Case(found, question)
