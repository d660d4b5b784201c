"""Goals and achievements, from what happens to the mail about it."""

from tests.integration.growth.test_goals import add, make
from tests.support.notifications import mails, part
from tests.support.sessions import insert_session
from tests.support.stack import SignedIn, Stack
from tests.support.story import at, next_weekday, published_coach


def subjects(stack: Stack, user: SignedIn) -> list[str]:
    stack.drain()
    stack.drain()  # what an event achieves is an event itself
    return [str(mail["Subject"]) for mail in mails(stack, user)]


def test_a_goal_is_told_from_its_reminder_to_the_achievement(frozen: Stack) -> None:
    mentee = frozen.user()
    frozen.clock("2046-03-01T00:00:00Z")
    goal = make(mentee, startsOn="2046-02-20", deadline="2046-03-10", timezone="UTC", milestones=[5])
    title = goal["title"]
    expected = [f"Due in 7 days: {title}", f"Due in one day: {title}", f"Deadline passed: {title}"]
    for moment, told in (
        ("2046-03-03T08:59:59Z", 0),
        ("2046-03-03T09:00:00Z", 1),
        ("2046-03-03T10:00:00Z", 1),
        ("2046-03-09T09:05:00Z", 2),
        ("2046-03-11T00:00:00Z", 3),
    ):
        answer = frozen.http.post("/_dev/invoke/advance_goals", json={"time": moment}).json()
        assert "result" in answer, answer
        assert subjects(frozen, mentee) == expected[:told]
    text = part(mails(frozen, mentee)[0], "text/plain").replace("\r", "")
    assert "Progress: 0 of 10 listings\nDeadline: Saturday, March 10, 2046" in text
    add(mentee, goal, 10, occurredAt="2046-02-28T12:00:00Z")
    assert subjects(frozen, mentee) == [*expected, f"Reached: {title}", "Achieved: First goal"]
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
    assert subjects(stack, coach) == ["Mia Walk shares a goal with you"]
    assert subjects(stack, rival) == subjects(stack, mentee) == []
    told = coach.get("/api/notifications").json()["data"][0]
    assert coach.get(f"/api{told['link']}").json()["data"]["title"] == goal["title"]
    assert make(mentee, shared=True)["history"][0]["kind"] == "SHARED"
    assert make(mentee)["history"][0]["kind"] == "CREATED"
