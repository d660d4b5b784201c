"""What each function loads before its first request: a cold start pays for it, so nothing heavy comes unnoticed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "aiohttp",
    "boto3",
    "botocore.session",  # of `botocore` itself Powertools asks the version
    "coachline.openapi",
    "holidays",
    "httpx",
    "postgrest",
    "pydantic.v1",
    "realtime",
    "requests",
    "storage3",
    "stripe",
    "supabase",
    "supabase_auth",
    "unittest",
}
CALLER = {"httpx", "postgrest"}  # the database as its caller sees it
SERVICE = CALLER | {"realtime", "storage3", "supabase", "supabase_auth"}  # the stock client
STRIPE = {"requests", "stripe"}  # its SDK, where most requests ask Stripe
BY_KIND = {"api": CALLER, "webhooks": CALLER, "consumers": SERVICE, "jobs": SERVICE}
EXCEPTIONS: dict[str, set[str]] = {
    "api_docs": set(),
    "coaching_holidays": CALLER | {"holidays"},
    "fallback": set(),
    "health": set(),  # asks the database on request only
    "finish_stripe_commands": SERVICE | STRIPE,
    "invoice_sessions": SERVICE | STRIPE,
    "coach_payouts": CALLER | STRIPE,
    "disputes": CALLER | STRIPE,
    "payment_refunds": CALLER | STRIPE,
    "payment_methods": CALLER | STRIPE,
    "payments": CALLER | STRIPE,
    "reconcile_stripe": SERVICE | STRIPE,
    "stripe_commands": SERVICE | STRIPE,
    "stripe_events": SERVICE | STRIPE,
    "subscription_changes": CALLER | STRIPE,
    "subscriptions": CALLER | STRIPE,
    "outbox_relay": SERVICE | {"boto3", "botocore.session"},  # publishes on every run
}


@pytest.mark.parametrize("app", [pytest.param(app, id=app.parent.name) for app in ROOT.glob("functions/*/*/app.py")])
def test_a_function_loads_what_is_heavy_only_where_every_run_needs_it(app: Path) -> None:
    program = f"import app, sys; print(*sorted({HEAVY} & sys.modules.keys()))"
    loaded = subprocess.run(
        [sys.executable, "-c", program],
        cwd=app.parent,
        env={"PYTHONPATH": f"{app.parent}:{ROOT / 'layers/shared'}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )

    kind, name = app.parts[-3:-1]
    assert set(loaded.stdout.split()) == EXCEPTIONS.get(name, BY_KIND[kind])
