"""The walk of docs/referrals.md works as it is written."""

import re
import subprocess

from tests.support.stack import ROOT, Stack


def test_the_walk_can_be_pasted(stack: Stack) -> None:
    walk = re.search(r"```sh\n(.*?)```", (ROOT / "docs/referrals.md").read_text(), re.DOTALL)
    assert walk is not None
    script = walk[1].replace("http://127.0.0.1:3000", stack.base_url)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    said = re.sub(r"[\s\"]+", " ", done.stdout)
    for words in (
        *("null", "SIGNED_UP referral_redeemed referral_code_invalid", "side : REFERRER", "[] []"),
        *("refereeName : Mia Walk", "REJECTED REVIEW REJECTED"),
    ):
        assert words in said, (words, said)
