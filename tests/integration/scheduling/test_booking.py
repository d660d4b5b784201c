"""The booking story's core: slots, booking, idempotency, cancelling."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest

from tests.support.stack import Stack
from tests.support.story import at, book, iso, next_weekday, published_coach, slots


def test_a_listed_slot_can_be_booked_and_is_then_gone_with_its_buffers(stack: Stack) -> None:
    coach, mentee, monday = published_coach(stack), stack.user(), next_weekday()
    listing = slots(
        mentee, coach, at(monday, "00:00"), at(monday + timedelta(days=1), "00:00"), timezone="Europe/London"
    )
    assert listing.status_code == 200, listing.text
    starts = [slot["start"] for slot in listing.json()["data"]]
    assert starts[0] == iso(at(monday, "09:00"))
    assert starts[-1] == iso(at(monday, "16:00"))
    assert len(starts) == 29
    assert listing.json()["price"] == {"amount": 15000, "currency": "USD"}
    assert listing.json()["data"][0]["localStart"].startswith(at(monday, "09:00").astimezone().isoformat()[:10])

    booked = book(mentee, coach, at(monday, "11:00"), expectedPrice={"amount": 15000, "currency": "USD"})
    assert booked.status_code == 201, booked.text
    session = booked.json()["data"]
    assert booked.headers["location"] == f"/api/sessions/{session['id']}"
    assert session["status"] == "SCHEDULED"
    assert (session["start"], session["end"]) == (iso(at(monday, "11:00")), iso(at(monday, "12:00")))
    assert session["price"] == session["rateAtBooking"] == {"amount": 15000, "currency": "USD"}
    assert (session["durationMinutes"], session["version"]) == (60, 1)

    again = slots(mentee, coach, at(monday, "09:00"), at(monday, "17:00")).json()["data"]
    # 15 minutes after the one and before the next: from 09:30 on nothing starts until 12:30.
    gone = set(starts) - {slot["start"] for slot in again}
    assert gone == {start for start in starts if iso(at(monday, "09:45")) <= start <= iso(at(monday, "12:15"))}


@pytest.mark.parametrize(
    ("clock", "duration", "reason"),
    [
        ("08:00", 60, "outside_hours"),
        ("16:30", 60, "outside_hours"),
        ("09:05", 60, "off_grid"),
        ("10:00", 45, "duration"),
    ],
)
def test_what_is_not_offered_is_refused_with_the_reason(stack: Stack, clock: str, duration: int, reason: str) -> None:
    coach, mentee = published_coach(stack), stack.user()
    answer = book(mentee, coach, at(next_weekday(), clock), duration)
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "outside_availability"
    assert answer.json()["reason"] == reason


def test_notice_window_and_cap_are_enforced(stack: Stack) -> None:
    mentee, monday = stack.user(), next_weekday(weeks=2)
    coach = published_coach(
        stack, schedule={"minimumNotice": 60 * 24 * 5, "bookingWindowDays": 20, "maxSessionsPerDay": 1}
    )
    soon = next_weekday(weeks=0)
    soon = soon if soon.weekday() < 5 else next_weekday()
    reasons = [
        book(mentee, coach, at(next_weekday(weeks=6), "10:00")).json()["reason"],
        book(mentee, coach, at(monday, "10:00")).json().get("reason"),
        book(mentee, coach, at(monday, "14:00")).json()["reason"],
    ]
    assert reasons == ["window", None, "daily_cap"]


def test_the_same_key_and_body_is_answered_the_same_and_books_once(stack: Stack) -> None:
    coach, mentee, start, key = published_coach(stack), stack.user(), at(next_weekday(), "10:00"), uuid4().hex
    first, second = book(mentee, coach, start, key=key), book(mentee, coach, start, key=f'"{key}"')
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert len(mentee.get("/api/sessions").json()["data"]) == 1
    other = book(mentee, coach, start, key=key, note="another body")
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_key_reused"


def test_an_answer_that_was_kept_before_it_had_a_field_is_answered_as_it_was(stack: Stack) -> None:
    coach, mentee, start, key = published_coach(stack), stack.user(), at(next_weekday(), "10:00"), uuid4().hex
    first = book(mentee, coach, start, key=key)
    with stack.database() as database:
        database.execute(
            "update private.idempotency_key set body = body - 'type' - 'rate_at_booking' where key = %s", [key]
        )
    again = book(mentee, coach, start, key=key)
    kept = {name: value for name, value in first.json()["data"].items() if name not in ("type", "rateAtBooking")}
    assert (again.status_code, again.json()["data"], again.headers["location"]) == (
        201,
        kept,
        first.headers["location"],
    )
    assert [each.headers.get("idempotent-replayed") for each in (first, again)] == [None, "true"]


def test_a_refusal_is_replayed_too_even_when_the_slot_is_free_again(stack: Stack) -> None:
    coach, first, second, start = published_coach(stack), stack.user(), stack.user(), at(next_weekday(), "10:00")
    taken = book(first, coach, start).json()["data"]
    key = uuid4().hex
    assert book(second, coach, start, key=key).json()["code"] == "slot_unavailable"
    assert first.post(f"/api/sessions/{taken['id']}/cancel", {}).status_code == 200
    assert book(second, coach, start, key=key).status_code == 409
    assert book(second, coach, start).status_code == 201


def test_booking_needs_a_key(stack: Stack) -> None:
    coach, mentee = published_coach(stack), stack.user()
    body = {"coachId": coach.user_id, "start": iso(at(next_weekday(), "10:00")), "duration": 60}
    answer = mentee.post("/api/sessions", body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "idempotency_key_required"


def test_a_changed_price_is_not_charged(stack: Stack) -> None:
    coach, mentee = published_coach(stack), stack.user()
    answer = book(mentee, coach, at(next_weekday(), "10:00"), expectedPrice={"amount": 14999, "currency": "USD"})
    assert answer.status_code == 409
    assert answer.json()["code"] == "price_changed"
    assert answer.json()["price"] == {"amount": 15000, "currency": "USD"}
    assert mentee.get("/api/sessions").json()["data"] == []


def test_a_price_is_half_up_and_snapshotted(stack: Stack) -> None:
    coach = published_coach(
        stack, profile={"hourlyRate": {"amount": 9999, "currency": "EUR"}, "allowCustomDuration": True}
    )
    mentee = stack.user()
    session = book(mentee, coach, at(next_weekday(), "10:00"), 50).json()["data"]
    assert session["price"] == {"amount": 8333, "currency": "EUR"}  # 9999 * 50 / 60 = 8332.5
    version = coach.get("/api/coach/profile").json()["data"]["version"]
    changed = coach.patch(
        "/api/coach/profile", {"hourlyRate": {"amount": 20000, "currency": "EUR"}, "version": version}
    )
    assert changed.status_code == 200, changed.text
    assert mentee.get(f"/api/sessions/{session['id']}").json()["data"]["price"]["amount"] == 8333


def test_nobody_books_himself(stack: Stack) -> None:
    coach = published_coach(stack)
    with stack.database() as database:
        database.execute("insert into user_role (user_id, role) values (%s, 'MENTEE')", [coach.user_id])
    answer = book(coach, coach, at(next_weekday(), "10:00"))
    assert answer.status_code == 422
    assert answer.json()["code"] == "self_booking"


def test_a_mentees_own_clash_is_refused_across_coaches(stack: Stack) -> None:
    one, two, mentee, start = published_coach(stack), published_coach(stack), stack.user(), at(next_weekday(), "10:00")
    assert book(mentee, one, start).status_code == 201
    clash = book(mentee, two, start + timedelta(minutes=30))
    assert clash.status_code == 409
    assert clash.json()["code"] == "slot_unavailable"
    assert book(mentee, two, start + timedelta(minutes=60)).status_code == 201  # his own sessions may touch


def test_a_coach_who_is_taught_is_not_booked_at_that_hour(stack: Stack) -> None:
    teacher, learner, mentee, start = (
        published_coach(stack),
        published_coach(stack),
        stack.user(),
        at(next_weekday(), "10:00"),
    )
    with stack.database() as database:
        database.execute("insert into user_role (user_id, role) values (%s, 'MENTEE')", [learner.user_id])
    assert book(learner, teacher, start).status_code == 201
    assert book(mentee, learner, start).status_code == 409


def test_sessions_are_seen_by_their_two_people_and_admins_alone(stack: Stack) -> None:
    coach, mentee = published_coach(stack), stack.user()
    session = book(mentee, coach, at(next_weekday(), "10:00")).json()["data"]
    path = f"/api/sessions/{session['id']}"
    statuses = [
        each.get(path).status_code for each in (mentee, coach, stack.user("ADMIN"), stack.user(), stack.user("COACH"))
    ]
    assert statuses == [200, 200, 200, 404, 404]
    assert stack.user().post(f"{path}/cancel", {}).status_code == 404
    assert [each["id"] for each in coach.get("/api/sessions", params={"role": "COACH"}).json()["data"]] == [
        session["id"]
    ]
    assert coach.get("/api/sessions", params={"role": "MENTEE"}).json()["data"] == []


def test_a_cancelled_session_frees_the_slot_and_tells_who_cancelled(stack: Stack) -> None:
    coach, mentee, start = published_coach(stack), stack.user(), at(next_weekday(), "10:00")
    session = book(mentee, coach, start).json()["data"]
    cancelled = coach.post(f"/api/sessions/{session['id']}/cancel", {"reason": "Ill"})
    assert cancelled.status_code == 200
    assert (cancelled.json()["data"]["status"], cancelled.json()["data"]["cancelledBy"]) == ("CANCELLED", "COACH")
    assert cancelled.json()["data"]["cancellationReason"] == "Ill"
    twice = mentee.post(f"/api/sessions/{session['id']}/cancel", {})
    assert twice.status_code == 409
    assert twice.json()["code"] == "invalid_transition"
    assert book(stack.user(), coach, start).status_code == 201


def test_a_begun_session_is_not_cancelled(frozen: Stack) -> None:
    coach, mentee, start = published_coach(frozen), frozen.user(), at(next_weekday(), "10:00")
    session = book(mentee, coach, start).json()["data"]
    frozen.clock(iso(start))
    late = mentee.post(f"/api/sessions/{session['id']}/cancel", {})
    assert late.status_code == 409
    assert late.json()["code"] == "session_started"


def test_lists_page_by_cursor_without_gaps_or_repeats(stack: Stack) -> None:
    coach, mentee, monday = published_coach(stack), stack.user(), next_weekday()
    booked = {book(mentee, coach, at(monday + timedelta(days=day), "10:00")).json()["data"]["id"] for day in range(5)}
    seen: list[str] = []
    cursor = None
    while True:
        answer = mentee.get("/api/sessions", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [each["id"] for each in answer["data"]]
        cursor = answer["nextCursor"]
        if cursor is None:
            break
    assert len(seen) == 5
    assert set(seen) == booked
    assert mentee.get("/api/sessions", params={"cursor": "nonsense"}).status_code == 422


def test_a_booking_at_the_very_end_of_the_notice_is_allowed(frozen: Stack) -> None:
    coach, mentee, start = (
        published_coach(frozen, schedule={"minimumNotice": 120}),
        frozen.user(),
        at(next_weekday(), "10:00"),
    )
    frozen.clock(iso(start - timedelta(minutes=119)))
    assert book(mentee, coach, start).json()["reason"] == "notice"
    frozen.clock(iso(start - timedelta(minutes=120)))
    assert book(mentee, coach, start).status_code == 201


def test_slots_refuse_a_range_that_is_reversed_or_too_long(stack: Stack) -> None:
    coach, mentee, start = published_coach(stack), stack.user(), at(next_weekday(), "10:00")
    for end in (start - timedelta(days=1), start + timedelta(days=93)):
        answer = slots(mentee, coach, start, end)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["parameter"] == "to"
    assert slots(mentee, coach, start, start + timedelta(days=92)).status_code == 200
    unknown = mentee.get("/api/coaching/slots", params={"coachId": str(uuid4()), "from": iso(start), "to": iso(start)})
    assert unknown.status_code == 404


def test_booking_is_limited_per_user_and_says_so(stack: Stack) -> None:
    coach, mentee, other = published_coach(stack), stack.user(), stack.user()
    with stack.database() as database:
        kept = database.execute("select value from private.setting where key = 'rate_limit.session_book'").fetchone()
        database.execute("""select private.set_setting('rate_limit.session_book', '{"limit": 2, "seconds": 60}')""")
        try:
            day = next_weekday()
            answers = [book(mentee, coach, at(day, clock)) for clock in ("09:00", "11:00", "13:00")]
            unharmed = book(other, coach, at(day, "13:00"))
        finally:
            assert kept is not None
            database.execute("select private.set_setting('rate_limit.session_book', %s)", [json.dumps(kept["value"])])
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[0].headers["ratelimit-policy"] == '"session_book";q=2;w=60'
    assert answers[0].headers["ratelimit"].startswith('"session_book";r=1;t=')
    assert answers[2].json()["code"] == "rate_limited"
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert unharmed.status_code == 201
