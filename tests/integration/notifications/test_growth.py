"""Goals and achievements, from what happens to the mail about it."""

from datetime import UTC, datetime, timedelta

from tests.integration.growth.test_goals import add, make
from tests.support.notifications import mails, part
from tests.support.sessions import insert_session
from tests.support.stack import SignedIn, Stack
from tests.support.story import at, iso, next_weekday, published_coach


def subjects(stack: Stack, *users: SignedIn) -> list[str]:
    stack.drain()
    return [str(mail["Subject"]) for user in users for mail in mails(stack, user)]


def test_a_goal_is_told_from_its_reminder_to_the_achievement(stack: Stack) -> None:
    # The job is given its moments, and the clock stays: years on, whatever others have left would be told, too.
    mentee, midnight = stack.user(), datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    due = midnight + timedelta(days=9)
    goal = make(
        mentee,
        startsOn=f"{midnight - timedelta(days=9):%F}",
        deadline=f"{due:%F}",
        timezone="UTC",
        milestones=[5],
    )
    title = goal["title"]
    expected = [f"Due in 7 days: {title}", f"Due in one day: {title}", f"Deadline passed: {title}"]
    for moment, told in (
        (due - timedelta(days=7) + timedelta(hours=8, minutes=59, seconds=59), 0),
        (due - timedelta(days=7) + timedelta(hours=9), 1),
        (due - timedelta(days=7) + timedelta(hours=10), 1),
        (due - timedelta(days=1) + timedelta(hours=9, minutes=5), 2),
        (due + timedelta(days=1), 3),
    ):
        answer = stack.http.post("/_dev/invoke/advance_goals", json={"time": iso(moment)}).json()
        assert "result" in answer, answer
        assert subjects(stack, mentee) == expected[:told]
    text = part(mails(stack, mentee)[0], "text/plain").replace("\r", "")
    assert f"Progress: 0 of 10 listings\nDeadline: {due:%A}, {due:%B} {due.day}, {due.year}" in text
    add(mentee, goal, 10, occurredAt=iso(midnight - timedelta(days=1)))
    assert subjects(stack, mentee) == [*expected, f"Reached: {title}", "Achieved: First goal"]
    inbox = {each["type"]: each for each in mentee.get("/api/notifications?limit=100").json()["data"]}
    assert inbox["goal_milestone"]["body"] == f"You have reached 5 listings on the way to your goal “{title}”."
    assert inbox["achievement_granted"]["link"] == "/achievements"


def test_a_goal_is_shared_with_those_who_coach_its_owner_and_told_once(stack: Stack) -> None:
    mentee, coach, rival = stack.user(first_name="Mia", last_name="Walk"), published_coach(stack), stack.user("COACH")
    with stack.database() as database:
        for days in (1, 2):
            start = at(next_weekday(weeks=days), "10:00", "UTC")
            insert_session(database, coach.user_id, mentee.user_id, start)
    goal = make(mentee)
    path = f"/api/goals/{goal['id']}"
    for version, shared in enumerate([True, False, True], start=1):
        assert mentee.patch(path, {"shared": shared, "version": version}).status_code == 200
    assert subjects(stack, coach, rival, mentee) == ["Mia Walk shares a goal with you"]
    told = coach.get("/api/notifications").json()["data"][0]
    assert coach.get(f"/api{told['link']}").json()["data"]["title"] == goal["title"]
    assert make(mentee, shared=True)["history"][0]["kind"] == "SHARED"
    assert make(mentee)["history"][0]["kind"] == "CREATED"
