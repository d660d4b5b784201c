"""Time and configuration: read when asked for, not before."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from coachline import clock
from coachline.settings import api_settings, service_settings
from tests.unit.conftest import Configure


def test_the_clock_runs_in_utc() -> None:
    before = datetime.now(UTC)

    assert before <= clock.now() <= datetime.now(UTC)
    assert clock.now().utcoffset() == timedelta(0)


@pytest.mark.usefixtures("running_clock")
def test_a_pinned_clock_stands_still_until_it_is_freed() -> None:
    clock.pin(datetime(2027, 3, 8, 9, tzinfo=timezone(timedelta(hours=-5))))

    assert clock.now() == clock.now() == datetime(2027, 3, 8, 14, tzinfo=UTC)
    assert clock.now().tzinfo is UTC
    clock.pin(None)
    assert clock.now() > datetime(2026, 1, 1, tzinfo=UTC)
    assert clock.now() != datetime(2027, 3, 8, 14, tzinfo=UTC)


def test_settings_are_read_once(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(CLERK_AUTHORIZED_PARTIES=" https://a.test ,https://b.test,, ")
    settings = api_settings()
    monkeypatch.setenv("STAGE", "changed")

    assert api_settings() is settings
    assert settings.stage == "test"
    assert settings.supabase_url == "http://127.0.0.1:9"
    assert settings.clerk_authorized_parties == ("https://a.test", "https://b.test")


def test_a_missing_setting_is_named(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    configure()
    monkeypatch.delenv("SUPABASE_URL")
    monkeypatch.delenv("SECRETS_ID", raising=False)

    with pytest.raises(KeyError, match="SUPABASE_URL"):
        api_settings()
    with pytest.raises(KeyError, match="SECRETS_ID"):
        service_settings()


def test_services_know_more(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    configure()
    monkeypatch.setenv("SECRETS_ID", "coachline/test")

    assert service_settings().secrets_id == "coachline/test"
    assert service_settings().event_bus_name == ""
