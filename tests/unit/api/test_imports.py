"""A cold start pays for every import, so what is heavy may not come along unnoticed."""

import subprocess
import sys

import pytest

HEAVY = ["boto3", "botocore.session", "stripe", "supabase", "postgrest", "httpx", "coachline.openapi"]


@pytest.mark.parametrize("module", ["coachline.api", "coachline.events", "coachline.webhooks", "coachline.pagination"])
def test_the_http_core_brings_nothing_heavy_along(module: str) -> None:
    program = f"import {module}, sys; print([name for name in {HEAVY} if name in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["api", "auth", "settings", "events", "logs", "webhooks"])
def test_importing_reads_no_setting(module: str) -> None:
    program = f"import coachline.{module}"

    subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)}, check=True)
