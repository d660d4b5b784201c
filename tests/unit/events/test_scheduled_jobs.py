"""Jobs: the instant they are told, and the counts they leave."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from coachline import clock
from coachline.events import scheduled_job
from tests.unit.conftest import Logged

TICK = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2027-03-08T16:53:06Z",
    "region": "us-east-1",
    "resources": ["arn:aws:events:us-east-1:123456789012:rule/my-scheduled-rule"],
    "detail": {},
}


def told(event: dict[str, Any]) -> datetime:
    instants: list[datetime] = []
    scheduled_job(instants.append)(event, None)
    return instants[0]


def test_a_job_is_told_the_instant_of_its_schedule_however_late_it_runs() -> None:
    assert told(TICK) == datetime(2027, 3, 8, 16, 53, 6, tzinfo=UTC)


@pytest.mark.usefixtures("running_clock")
def test_a_job_run_by_hand_is_told_the_clocks_instant() -> None:
    at = datetime(2027, 1, 2, tzinfo=UTC)
    clock.pin(at)

    assert told({}) == at


def test_the_counts_of_a_job_are_returned_and_logged(logged: Logged) -> None:
    counts = scheduled_job(lambda _: {"published": 3, "failed": 0})(TICK, None)

    assert counts == {"published": 3, "failed": 0}
    (entry,) = logged()
    assert (entry["message"], entry["published"], entry["failed"]) == ("job.finished", 3, 0)


@pytest.mark.parametrize(("failed", "told"), [(2, [2.0]), (0, None)])
def test_rows_that_failed_are_a_metric(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], failed: int, told: list[float] | None
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Coachline")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "coachline")

    scheduled_job(lambda _: {"done": 3, "failed": failed})(TICK, None)

    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert [each["JobRowsFailed"] for each in metrics] == ([told] if told else [])
    assert all(each["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]] for each in metrics)


def test_a_job_that_fails_fails_the_invocation() -> None:
    def handler(_: datetime) -> None:
        raise OSError("down")

    with pytest.raises(OSError, match="down"):
        scheduled_job(handler)(TICK, None)
