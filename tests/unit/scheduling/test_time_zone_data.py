"""The answers come from the pinned tzdata and do not change with the TZ of the process."""

import os
import subprocess
import sys
import zoneinfo
from importlib.resources import as_file, files
from pathlib import Path

from tests.unit.scheduling import build

PROGRAM = """
from datetime import UTC, datetime
from zoneinfo import ZoneInfo
from coachline.scheduling import Schedule, open_slots
hours = [{"day": day, "intervals": [{"from": "00:30", "to": "03:30"}]} for day in ("SATURDAY", "SUNDAY", "MONDAY")]
for zone in ("America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"):
    coach = Schedule.model_validate({"timezone": zone, "weekly": hours, "slotInterval": 30})
    for month in (3, 4, 10, 11):
        start, end = datetime(2027, month, 1, tzinfo=UTC), datetime(2027, month, 28, tzinfo=UTC)
        busy = [(datetime(2027, month, 7, 1, tzinfo=ZoneInfo(zone)), datetime(2027, month, 7, 7, tzinfo=UTC))]
        for at in open_slots([coach], duration=60, start=start, end=end, now=start, busy=busy):
            print(at.isoformat())
"""


def run(**environment: str) -> list[str]:
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONPATH": path, "PYTHONTZPATH": "", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_the_process_time_zone_changes_nothing() -> None:
    first, *others = (run(TZ=zone) for zone in ("UTC", "America/New_York", "Asia/Kathmandu"))
    assert len(first) > 100
    assert all(other == first for other in others)


def test_zones_are_read_from_the_pinned_package() -> None:
    assert zoneinfo.TZPATH == ()
    with (
        as_file(files("tzdata").joinpath("zoneinfo", *build.NEW_YORK.split("/"))) as path,
        Path(path).open("rb") as file,
    ):
        pinned = zoneinfo.ZoneInfo.from_file(file, key=build.NEW_YORK)
    at = build.utc("2027-07-01 12:00")
    assert at.astimezone(pinned).utcoffset() == at.astimezone(zoneinfo.ZoneInfo(build.NEW_YORK)).utcoffset()
