"""`make demo` tells the whole story against a running stack."""

import os
import subprocess
import sys

from tests.support.stack import ROOT, Stack


def test_the_demo_tells_the_story_to_its_end(stack: Stack) -> None:
    port = stack.base_url.rsplit(":", 1)[1]
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
    assert "SessionScheduled" in done.stdout
    assert "SessionCancelled" in done.stdout
    assert done.stdout.rstrip().endswith("seen by those two alone.")
