"""Coaches in eleven awkward zones, in spring and in autumn, whatever the zone of the machine."""

import os
import subprocess
import sys

import pytest

from tests.unit.scheduling.zone_cases import CASES, Zone


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.zone} {min(case.hours)}")
def test_slots_are_those_worked_out_by_hand(case: Zone) -> None:
    engine, slow = case.found()
    assert engine == case.starts
    assert slow == case.starts


def test_and_in_a_process_of_any_zone() -> None:
    zones = {"UTC": "UTC", "America/New_York": "EDT", "Asia/Kathmandu": "+0545"}
    command = [sys.executable, "-m", "tests.unit.scheduling.zone_cases"]
    running = {
        name: subprocess.Popen(
            command,
            env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONTZPATH": "", "TZ": zone},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for zone, name in zones.items()
    }
    said = {name: process.communicate(timeout=60) for name, process in running.items()}
    assert said == {name: (f"{len(CASES)} {name}", "") for name in zones.values()}
