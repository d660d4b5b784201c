"""docs/payments.md says what the code does, where that can be compared."""

from pathlib import Path

from devstack.simulators.stripe.account import API_VERSION

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_names_the_version_that_the_sdk_speaks() -> None:
    import stripe  # noqa: PLC0415 - its version alone

    assert stripe.api_version == API_VERSION
    assert f"`{API_VERSION}`" in (ROOT / "docs/payments.md").read_text()
