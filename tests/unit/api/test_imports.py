"""A cold start pays for every import, so what is heavy may not come along unnoticed."""

import subprocess
import sys

import pytest

HEAVY = ["boto3", "botocore.session", "stripe", "supabase", "postgrest", "httpx", "coachline.openapi"]


@pytest.mark.parametrize("modules", ["coachline.api, coachline.pagination, coachline.webhooks", "coachline.events"])
def test_importing_brings_nothing_heavy_along_and_reads_no_setting(modules: str) -> None:
    program = f"import {modules}, sys; print([name for name in {HEAVY} if name in sys.modules])"

    loaded = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert loaded.stdout.strip() == "[]"
