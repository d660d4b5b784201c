"""What the holidays of one country cost to load: not those of all."""

import subprocess
import sys

PROGRAM = """
import sys
from coachline.scheduling.public_holidays import public_holidays
assert len(public_holidays("US", "CA", 2027)) > 10
print(*sorted(name for name in sys.modules if name.startswith("holidays.countries.")))
"""


def test_one_country_loads_one_country() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["holidays.countries.united_states"]


def test_every_country_of_the_library_can_be_loaded() -> None:
    program = """
from holidays.registry import COUNTRIES
from coachline.scheduling.public_holidays import public_holidays
for code in [names[1] for names in COUNTRIES.values()][::6]:
    public_holidays(code, None, 2027)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
