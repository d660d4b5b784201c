"""The walk in the README works as it is written."""

import re
import subprocess

from tests.support.stack import ROOT, Stack


def test_the_booking_story_can_be_pasted(stack: Stack) -> None:
    section = (ROOT / "README.md").read_text().split("## The booking story, by hand", 1)[1]
    walk = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert walk is not None
    script = walk[1].replace("http://127.0.0.1:3000", stack.base_url)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    for said in ('"DRAFT"', '"PUBLISHED"', '"status": "SCHEDULED"', '"slot_unavailable"', '"Mia Walk"', '"CANCELLED"'):
        assert said in done.stdout, done.stdout
