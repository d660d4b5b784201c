"""EventBridge's schedule expressions."""

from datetime import UTC, datetime

import pytest

from devstack.schedules import Expression


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 hours)", 7200), ("rate(1 day)", 86400)],
)
def test_rates(text: str, seconds: int) -> None:
    assert Expression(text).period == seconds


@pytest.mark.parametrize(
    ("text", "at", "runs"),
    [
        ("cron(0 2 * * ? *)", "2027-03-08T02:00:59", True),
        ("cron(0 2 * * ? *)", "2027-03-08T02:01:00", False),
        ("cron(0/15 8-10,20 ? * MON-FRI *)", "2027-03-08T09:45:00", True),
        ("cron(0/15 8-10,20 ? * MON-FRI *)", "2027-03-07T09:45:00", False),
        ("cron(0/15 8-10,20 ? * 2 *)", "2027-03-08T20:30:00", True),
        ("cron(*/20 * 1 JAN,JUL ? 2027)", "2027-07-01T05:40:00", True),
        ("cron(*/20 * 1 JAN,JUL ? 2027)", "2028-07-01T05:40:00", False),
    ],
)
def test_crons(text: str, at: str, runs: bool) -> None:
    assert Expression(text).matches(datetime.fromisoformat(at).replace(tzinfo=UTC)) is runs


def test_a_cron_may_have_a_zone() -> None:
    at = datetime(2027, 7, 1, 13, 0, tzinfo=UTC)
    assert Expression("cron(0 9 * * ? *)", "America/New_York").matches(at)


@pytest.mark.parametrize(
    "text", ["", "rate(1 fortnight)", "cron(0 2 * * ?)", "cron(0 2 L * ? *)", "cron(0 2 ? * 6#3 *)"]
)
def test_what_it_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the words
        Expression(text)
