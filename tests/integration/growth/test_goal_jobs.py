"""advance_goals: each reminder and each missed deadline once, in the goal's own zone, whatever dies in between."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coachline.growth import goal_jobs
from tests.integration.growth.test_goals import add, kinds, look, make, told
from tests.support.mortal import Killed, Mortal
from tests.support.stack import SignedIn, Stack
from tests.support.story import iso

HOUR = timedelta(hours=1)


def run(stack: Stack, now: datetime) -> dict[str, int]:
    answer = stack.http.post("/_dev/invoke/advance_goals", json={"time": iso(now)}).json()
    assert "result" in answer, answer
    counts: dict[str, int] = answer["result"]
    return counts


@pytest.fixture(scope="module")
def mentee(stack: Stack) -> SignedIn:
    return stack.user()


def dated(frozen: Stack, who: SignedIn, year: int, zone: str = "UTC", **fields: Any) -> dict[str, Any]:
    """A goal of a year of its own, so that what one test leaves is not due in another."""
    frozen.clock(f"{year}-03-01T00:00:00Z")
    return make(who, startsOn=f"{year}-02-01", deadline=f"{year}-03-31", timezone=zone, **fields)


@pytest.mark.parametrize(
    ("zone", "year", "morning", "end"),
    [
        # In UTC: nine in the morning 7, 3 and 1 days ahead, the end of 31 March. London's clocks change on the 28th.
        ("Europe/London", 2032, ["2032-03-24T09:00", "2032-03-28T08:00", "2032-03-30T08:00"], "2032-03-31T23:00"),
        ("America/New_York", 2033, ["2033-03-24T13:00", "2033-03-28T13:00", "2033-03-30T13:00"], "2033-04-01T04:00"),
        ("Asia/Kathmandu", 2034, ["2034-03-24T03:15", "2034-03-28T03:15", "2034-03-30T03:15"], "2034-03-31T18:15"),
    ],
)
def test_reminders_and_the_deadline_come_once_in_the_zone_s_own_time(  # noqa: PLR0917 - a table of cases
    frozen: Stack, mentee: SignedIn, zone: str, year: int, morning: list[str], end: str
) -> None:
    goal = dated(frozen, mentee, year, zone)
    seen = []
    for text in (*morning, end):
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
        run(frozen, moment - timedelta(microseconds=1))
        before = len(told(frozen, goal))
        run(frozen, moment)
        run(frozen, moment + HOUR)
        seen.append(told(frozen, goal)[before:])
    assert seen == [["GoalReminderDue"], ["GoalReminderDue"], ["GoalReminderDue"], ["GoalOverdue"]]
    frozen.clock(iso(moment + HOUR))
    found = look(mentee, goal)
    assert (kinds(found), found["status"]) == (["CREATED", "REMINDED", "REMINDED", "REMINDED", "OVERDUE"], "OVERDUE")
    later = {"deadline": f"{year}-04-30", "version": 1}
    extended = mentee.patch(f"/api/goals/{goal['id']}", later)
    assert extended.status_code == 200, extended.text
    assert extended.json()["data"]["status"] == "ACTIVE"
    run(frozen, datetime(year, 4, 24, 14, tzinfo=UTC))
    assert told(frozen, goal)[4:] == ["GoalExtended", "GoalReminderDue"]  # again, for the new deadline


@pytest.mark.parametrize(
    ("zone", "deadline", "reminder", "end"),
    [
        # The clocks change within the last day, between reminder and deadline, or at the midnight that ends it.
        ("America/New_York", "2041-11-03", "2041-11-02T13:00", "2041-11-04T05:00"),
        ("America/Havana", "2042-11-01", "2042-10-31T13:00", "2042-11-02T04:00"),
        ("Australia/Lord_Howe", "2043-10-04", "2043-10-02T22:30", "2043-10-04T13:00"),
    ],
)
def test_a_deadline_holds_to_the_minute_when_the_clocks_change(  # noqa: PLR0917 - a table of cases
    frozen: Stack, mentee: SignedIn, zone: str, deadline: str, reminder: str, end: str
) -> None:
    frozen.clock(f"{deadline[:4]}-09-20T00:00:00Z")
    goal = make(mentee, startsOn=f"{deadline[:4]}-09-01", deadline=deadline, timezone=zone)
    assert goal["dueAt"] == f"{end}:00Z"
    seen = []
    for text in (reminder, end):
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
        run(frozen, moment - timedelta(microseconds=1))
        before = len(told(frozen, goal))
        run(frozen, moment)
        seen.append(told(frozen, goal)[before:])
    assert seen == [["GoalReminderDue"], ["GoalOverdue"]]


def test_after_a_pause_of_the_job_only_the_last_reminder_is_sent(frozen: Stack, mentee: SignedIn) -> None:
    goal = dated(frozen, mentee, 2036)
    run(frozen, datetime(2036, 3, 30, 10, tzinfo=UTC))
    assert look(mentee, goal)["history"][0]["details"] == {"days": 1, "deadline": "2036-03-31"}
    assert told(frozen, goal) == ["GoalReminderDue"]


def test_a_completed_goal_is_neither_reminded_of_nor_overdue(frozen: Stack, mentee: SignedIn) -> None:
    goal = dated(frozen, mentee, 2037, milestones=[])
    add(mentee, goal, 10)
    for day in (24, 31):
        run(frozen, datetime(2037, 3, day, 10, tzinfo=UTC))
    run(frozen, datetime(2037, 5, 1, tzinfo=UTC))
    assert told(frozen, goal) == ["GoalCompleted"]


@pytest.mark.parametrize("after", [False, True], ids=["before a step", "after a step"])
def test_killed_anywhere_and_run_again_it_does_everything_once(frozen: Stack, mentee: SignedIn, after: bool) -> None:
    year = 2038 + after
    goals = [dated(frozen, mentee, year) for _ in range(5)]
    for now, event in (
        (datetime(year, 3, 28, 10, tzinfo=UTC), "GoalReminderDue"),
        (datetime(year, 4, 1, tzinfo=UTC), "GoalOverdue"),
    ):
        killed = 0
        for step in range(4):
            try:
                goal_jobs.advance_goals(Mortal(frozen, step, after=after), now, batch=2)
            except Killed:
                killed += 1
        assert killed > 0
        goal_jobs.advance_goals(Mortal(frozen), now, batch=2)
        assert goal_jobs.advance_goals(Mortal(frozen), now, batch=2) == {"failed": 0}
        assert [told(frozen, goal).count(event) for goal in goals] == [1] * 5
