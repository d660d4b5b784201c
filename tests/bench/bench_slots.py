"""What the slot engine costs: `python tests/bench/bench_slots.py`. Fails when a median passes 5 ms."""

import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from coachline.scheduling import Schedule, local_time, open_slots
from coachline.scheduling.slots import refusal_reason

BAR_MS = 5.0
NOW = datetime(2027, 2, 1, tzinfo=UTC)
START = datetime(2027, 2, 15, tzinfo=UTC)
END = START + timedelta(days=60)
WEEKDAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]
ALL_DAYS = [*WEEKDAYS, "SATURDAY", "SUNDAY"]


def coach(days: list[str], opens: str, closes: str, **fields: Any) -> Schedule:
    weekly = [{"day": day, "intervals": [{"from": opens, "to": closes}]} for day in days]
    plain = {"timezone": "America/New_York", "weekly": weekly, "slotInterval": 15}
    return Schedule.model_validate({**plain, **fields})


def busy_times(count: int) -> list[tuple[datetime, datetime]]:
    chance = random.Random(7)  # noqa: S311 - the same diary every time
    starts = [START + timedelta(minutes=5 * chance.randrange(60 * 24 * 12)) for _ in range(count)]
    return [(start, start + timedelta(minutes=chance.choice([30, 60, 90]))) for start in starts]


def median_ms(run: Callable[[], object]) -> float:
    times = []
    for _ in range(100):
        begun = time.perf_counter()
        run()
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def main() -> int:
    office, always = coach(WEEKDAYS, "09:00", "17:00"), coach(ALL_DAYS, "00:00", "24:00")
    several = [
        office,
        coach(ALL_DAYS, "08:00", "20:00", type="TEMPORARY", validFrom="2027-03-01", validTo="2027-03-20"),
        coach([], "", "", type="HOLIDAY", validFrom="2027-04-02", validTo="2027-04-05"),
        coach([], "", "", type="VACATION", validFrom="2027-02-22", validTo="2027-02-26"),
        coach(WEEKDAYS, "10:00", "15:00", type="OVERRIDE", validFrom="2027-03-30", validTo="2027-03-31"),
    ]
    busy = busy_times(200)
    booked = [start for start, _ in busy]
    asked: dict[str, Any] = {"duration": 60, "now": NOW, "busy": busy}

    def list_slots(schedules: list[Schedule], **more: Any) -> Callable[[], list[datetime]]:
        return lambda: open_slots(schedules, start=START, end=END, **asked, **more)

    def first_time() -> object:
        local_time.instant.cache_clear()
        return list_slots([office])()

    cases: dict[str, Callable[[], Any]] = {
        "60 days, 9 to 17, Monday to Friday": list_slots([office]),
        "the same, nothing cached": first_time,
        "five schedules": list_slots(several),
        "with a daily cap": list_slots([coach(WEEKDAYS, "09:00", "17:00", maxSessionsPerDay=9)], session_starts=booked),
        "60 days, round the clock": list_slots([always]),
        "why one start is refused": lambda: refusal_reason([office], start=START, **asked),
    }
    medians = {name: median_ms(run) for name, run in cases.items()}
    for name, median in medians.items():
        found = cases[name]()
        result = f"{len(found)} slots" if isinstance(found, list) else found
        sys.stdout.write(f"{median:7.3f} ms  {name}, 200 busy intervals: {result}\n")
    return int(max(medians.values()) > BAR_MS)


if __name__ == "__main__":
    sys.exit(main())
