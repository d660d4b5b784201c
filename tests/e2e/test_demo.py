"""`make demo` tells the whole story against a running stack."""

import os
import subprocess
import sys

from tests.support.stack import ROOT, Stack
from tests.support.story import paid_sessions


def test_the_demo_tells_the_story_to_its_end(stack: Stack) -> None:
    port = stack.base_url.rsplit(":", 1)[1]
    with paid_sessions(stack):
        done = subprocess.run(
            [sys.executable, "-m", "devstack", "demo"],
            cwd=ROOT,
            env={**os.environ, "PORT": port},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    told = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("    event ")]
    for once in ("SessionHeld", "PaymentCompleted", "SessionScheduled", "SessionCancelled"):
        assert told.count(once) == 1, done.stdout
    mails = [line for line in done.stdout.splitlines() if line.startswith("    mail ")]
    zones = {line.split()[2]: line.split()[-1] for line in mails if ": Booked" in line}
    assert zones["Casey:"] in ("EST", "EDT"), done.stdout
    assert zones["Mia:"] in ("GMT", "BST"), done.stdout
    assert done.stdout.rstrip().endswith("seen by those two alone.")
