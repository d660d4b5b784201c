"""GET /api/sessions/{id}/invite.ics as a calendar would read it, through booking, moving and cancelling."""

from icalendar import Calendar

from tests.support.stack import SignedIn, Stack
from tests.support.story import at, book, iso, next_weekday, published_coach


def test_one_uid_follows_a_session_to_its_end(stack: Stack) -> None:
    coach, mentee, monday = published_coach(stack), stack.user(), next_weekday()
    session = book(mentee, coach, at(monday, "10:00"), note="Pricing; staging, and the mandate").json()["data"]
    path = f"/api/sessions/{session['id']}/invite.ics"

    def seen(who: SignedIn) -> tuple[str, str, int, str, str]:
        answer = who.get(path)
        assert answer.status_code == 200, answer.text
        calendar = Calendar.from_ical(answer.text)
        [event] = calendar.walk("VEVENT")
        method = str(calendar["METHOD"])
        assert answer.headers["content-type"] == f"text/calendar; charset=utf-8; method={method}"
        start = iso(event.decoded("DTSTART"))
        return str(event["UID"]), method, int(str(event["SEQUENCE"])), start, str(event["DESCRIPTION"])

    uid, note = f"{session['id']}@coachline", "Pricing; staging, and the mandate"
    assert seen(mentee) == seen(coach) == (uid, "REQUEST", 0, session["start"], note)
    start = iso(at(monday, "12:00"))
    mentee.post(f"/api/sessions/{session['id']}/reschedule", {"start": start, "version": 1}).raise_for_status()
    assert seen(mentee) == (uid, "REQUEST", 1, start, note)
    mentee.post(f"/api/sessions/{session['id']}/cancel", {}).raise_for_status()
    assert seen(coach) == (uid, "CANCEL", 2, start, note)
    stranger = stack.user().get(path)
    assert (stranger.status_code, stranger.headers["content-type"]) == (404, "application/problem+json")


def test_a_history_is_for_the_two_and_admins_and_pages(stack: Stack) -> None:
    coach, mentee, monday = published_coach(stack), stack.user(), next_weekday()
    session = book(mentee, coach, at(monday, "10:00")).json()["data"]
    path = f"/api/sessions/{session['id']}/history"
    for version, clock in enumerate(("11:00", "12:00", "13:00"), start=1):
        body = {"start": iso(at(monday, clock)), "version": version}
        coach.post(f"/api/sessions/{session['id']}/reschedule", body).raise_for_status()
    assert [each.get(path).status_code for each in (mentee, coach, stack.user("ADMIN"), stack.user())] == [
        *(200, 200, 200),
        404,
    ]
    seen, cursor = [], None
    while True:
        page = mentee.get(path, params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += page["data"]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert [each["version"] for each in seen] == [1, 2, 3, 4]
    # Each move begins where the one before ended.
    moves = seen[1:]
    assert [each["previousStart"] for each in moves] == [session["start"], *(each["start"] for each in moves[:-1])]
