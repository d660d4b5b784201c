"""What a cancellation or an absence gives back, and who can say otherwise."""

from datetime import timedelta

import pytest

from tests.support.sessions import insert_session
from tests.support.stack import Stack
from tests.support.story import at, book, iso, next_weekday, published_coach

DAY = timedelta(hours=24)


@pytest.mark.parametrize(
    ("who", "ahead", "percent"),
    [
        ("MENTEE", DAY, 100),
        ("MENTEE", DAY - timedelta(microseconds=1), 0),
        ("COACH", timedelta(seconds=1), 100),
        ("ADMIN", timedelta(seconds=1), 100),
        ("ADMIN", -timedelta(minutes=5), 100),
    ],
)
def test_refunds_follow_the_policy_to_the_instant(frozen: Stack, who: str, ahead: timedelta, percent: int) -> None:
    coach, mentee, start = published_coach(frozen), frozen.user(), at(next_weekday(), "10:00")
    session = book(mentee, coach, start).json()["data"]
    frozen.clock(iso(start - ahead))
    caller = {"MENTEE": mentee, "COACH": coach, "ADMIN": frozen.user("ADMIN")}[who]
    cancelled = caller.post(f"/api/sessions/{session['id']}/cancel", {"reason": "Ill"}).json()["data"]
    amount = {"amount": 15000 * percent // 100, "currency": "USD"}
    assert cancelled["refund"] == {"percent": percent, "amount": amount}
    assert cancelled["cancelledBy"] == who
    with frozen.database() as database:
        row = database.execute(
            """select payload from private.outbox_event
               where type = 'SessionCancelled' and payload ->> 'sessionId' = %s""",
            [session["id"]],
        ).fetchone()
    assert row is not None
    assert row["payload"]["refund"] == {"percent": percent, "amount": amount}


def test_only_an_admin_decides_otherwise(frozen: Stack) -> None:
    coach, mentee, start = published_coach(frozen), frozen.user(), at(next_weekday(), "10:00")
    session = book(mentee, coach, start).json()["data"]
    path = f"/api/sessions/{session['id']}/cancel"
    for who in (mentee, coach):
        refused = who.post(path, {"refundPercent": 100})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    admin = frozen.user("ADMIN")
    assert admin.post(path, {"refundPercent": 101}).status_code == 422
    cancelled = admin.post(path, {"refundPercent": 33, "reason": "As agreed with both"}).json()["data"]
    assert cancelled["refund"] == {"percent": 33, "amount": {"amount": 4950, "currency": "USD"}}


@pytest.mark.parametrize(("absent", "percent"), [("COACH", 100), ("MENTEE", 0)])
def test_who_stays_away_decides_what_goes_back(frozen: Stack, absent: str, percent: int) -> None:
    coach, mentee, start = published_coach(frozen), frozen.user(), at(next_weekday(), "10:00")
    session = book(mentee, coach, start).json()["data"]
    frozen.clock(iso(start + timedelta(minutes=10)))
    reporter = mentee if absent == "COACH" else coach  # without saying so: the other side
    missed = reporter.post(f"/api/sessions/{session['id']}/no-show", {"reason": "Nobody came"})
    assert missed.status_code == 200, missed.text
    told = missed.json()["data"]
    assert (told["status"], told["noShowBy"], told["refund"]["percent"]) == ("NO_SHOW", absent, percent)
    assert told["completedAt"] is None


def test_an_admin_has_to_say_who_was_absent(frozen: Stack) -> None:
    coach, mentee, start = published_coach(frozen), frozen.user(), at(next_weekday(), "10:00")
    session = book(mentee, coach, start).json()["data"]
    frozen.clock(iso(start + timedelta(minutes=30)))
    answer = frozen.user("ADMIN").post(f"/api/sessions/{session['id']}/no-show", {})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/absent")


def test_a_session_is_completed_once(frozen: Stack) -> None:
    coach, mentee, start = published_coach(frozen), frozen.user(), at(next_weekday(), "10:00")
    session = book(mentee, coach, start).json()["data"]
    path = f"/api/sessions/{session['id']}/complete"
    frozen.clock(iso(start + timedelta(minutes=60)))
    stale = coach.post(path, {"version": session["version"] + 9})
    assert (stale.status_code, stale.json()["code"]) == (409, "version_conflict")
    done = coach.post(path, {}, key="done").json()["data"]
    assert (done["status"], done["completedAt"], done["refund"]) == ("COMPLETED", iso(start + timedelta(hours=1)), None)
    assert coach.post(path, {}, key="done").json()["data"] == done
    assert coach.post(path, {}).json()["code"] == "invalid_transition"


def test_the_terms_of_a_booking_cannot_be_changed_even_by_the_database_s_owner(stack: Stack) -> None:
    coach, mentee = published_coach(stack), stack.user()
    with stack.database() as database:
        session = insert_session(database, coach.user_id, mentee.user_id, at(next_weekday(), "10:00"))
        for change in (b"price_amount = 1, fee_amount = 0", b"rate_amount = 1", b"fee_bps = 1", b"currency = 'EUR'"):
            with pytest.raises(Exception, match="terms_fixed"):
                database.execute(b"update session set " + change + b" where id = %s", [session])
