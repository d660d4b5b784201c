"""The walk in the README works as it is written."""

import re
import subprocess

from tests.support.stack import ROOT, Stack
from tests.support.story import paid_sessions


def test_the_booking_story_can_be_pasted(stack: Stack) -> None:
    section = (ROOT / "README.md").read_text().split("## The booking story, by hand", 1)[1]
    walk = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert walk is not None
    script = walk[1].replace("http://127.0.0.1:3000", stack.base_url)
    with paid_sessions(stack):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == 0, done.stderr
    said = ('"DRAFT"', '"PUBLISHED"', '"status": "PENDING_PAYMENT"', '"succeeded"', '"SCHEDULED"', '"slot_unavailable"')
    for each in (*said, '"Mia Walk"', '"CANCELLED"'):
        assert each in done.stdout, done.stdout
