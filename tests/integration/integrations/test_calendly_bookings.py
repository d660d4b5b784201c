"""Bookings at Calendly become sessions here, whatever order their deliveries come in."""

import json
from datetime import timedelta

import pytest

from tests.support.calendly import Connected, connected_coach, control, email_of, make_due, sync
from tests.support.calendly_contract import SPECIFICATION, violations
from tests.support.stack import Stack
from tests.support.story import at, book, iso, next_weekday
from tests.support.webhooks import CALENDLY


@pytest.fixture(scope="module")
def calendly(stack: Stack) -> Connected:
    return connected_coach(stack)


def test_a_booking_becomes_a_session_of_the_mapped_coach_and_the_verified_mentee(
    stack: Stack, calendly: Connected
) -> None:
    mentee, start = stack.user(), at(next_weekday(), "09:00")
    booked = calendly.book(start, email_of(stack, mentee))
    stack.drain()
    [session] = mentee.get("/api/sessions").json()["data"]
    assert (session["coachId"], session["start"], session["status"]) == (
        calendly.coach.user_id,
        iso(start),
        "SCHEDULED",
    )
    assert (session["price"]["amount"], session["rateAtBooking"]["amount"], session["type"]) == (0, 15000, "FOLLOW_UP")
    types = calendly.coach.get("/api/sessions/metrics").json()["data"]["byType"]
    assert types["followUp"] >= 1
    assert types["coaching"] == types["introduction"] == 0
    calendly.people("cancel", invitee=booked["uri"], reason="Closing moved")
    stack.drain()
    [session] = mentee.get("/api/sessions").json()["data"]
    assert (session["status"], session["cancelledBy"], session["cancellationReason"]) == (
        "CANCELLED",
        "MENTEE",
        "Closing moved",
    )


@pytest.mark.parametrize("created_first", [True, False])
def test_a_reschedule_keeps_one_session_whichever_delivery_comes_first(
    stack: Stack, calendly: Connected, created_first: bool
) -> None:
    mentee, day = stack.user(), next_weekday(1 if created_first else 2)
    booked = calendly.book(at(day, "09:00"), email_of(stack, mentee))
    stack.drain()
    [before] = mentee.get("/api/sessions").json()["data"]
    control(stack, capture=True)
    calendly.people("reschedule", invitee=booked["uri"], start=iso(at(day, "09:30")))
    pair = {json.loads(body)["event"]: body for body in stack.http.get("/_sim/calendly/_captured").json()}
    control(stack, capture=False)
    order = ["invitee.created", "invitee.canceled"] if created_first else ["invitee.canceled", "invitee.created"]
    for name in [*order, *order]:
        assert CALENDLY.deliver(stack, pair[name].encode()).status_code == 204
        stack.drain()
        [session] = mentee.get("/api/sessions").json()["data"]
        assert (session["id"], session["status"], session["refund"]) == (before["id"], "SCHEDULED", None)
    assert (session["start"], session["rescheduledCount"]) == (iso(at(day, "09:30")), 1)
    types = [
        event["detail-type"]
        for event in stack.http.get("/_dev/events").json()["events"]
        if event["detail"].get("sessionId") == session["id"] and event["detail-type"].startswith("Session")
    ]
    assert sorted(types) == ["SessionRescheduled", "SessionScheduled"]


def test_a_guest_is_kept_until_his_address_is_verified(stack: Stack, calendly: Connected) -> None:
    mentee, start = stack.user(), at(next_weekday(3), "09:00")
    booked = calendly.book(start, email_of(stack, mentee, verified=False))
    stack.drain()
    assert mentee.get("/api/sessions").json()["data"] == []
    assert calendly.bookings()[booked["uri"]]["outcome"] == "GUEST"
    email_of(stack, mentee, verified=True)
    make_due(calendly)
    sync(stack)
    [session] = mentee.get("/api/sessions").json()["data"]
    assert (session["start"], session["status"]) == (iso(start), "SCHEDULED")


def test_a_clash_is_recorded_and_told_and_never_a_second_session(stack: Stack, calendly: Connected) -> None:
    first, second, start = stack.user(), stack.user(), at(next_weekday(4), "09:00")
    assert book(first, calendly.coach, start).status_code == 201
    booked = calendly.book(start, email_of(stack, second))
    stack.drain()
    assert second.get("/api/sessions").json()["data"] == []
    stored = calendly.bookings()[booked["uri"]]
    assert (stored["outcome"], stored["detail"]) == ("CLASH", "time")
    told = [
        event["detail"]
        for event in stack.http.get("/_dev/events").json()["events"]
        if event["detail-type"] == "CalendlyBookingClashed"
    ]
    assert [each["start"] for each in told if each["coachId"] == calendly.coach.user_id]
    assert calendly.coach.get("/api/calendly/status").json()["data"]["problems"] == {"clash": 1}
    [session] = first.get("/api/sessions").json()["data"]
    first.post(f"/api/sessions/{session['id']}/cancel", {}).raise_for_status()
    make_due(calendly)
    sync(stack)
    [session] = second.get("/api/sessions").json()["data"]
    assert session["status"] == "SCHEDULED"


def test_a_length_that_the_coach_does_not_sell_is_told_and_not_booked(stack: Stack) -> None:
    calendly = connected_coach(stack, duration=15)
    mentee = stack.user()
    booked = calendly.book(at(next_weekday(), "09:00"), email_of(stack, mentee))
    stack.drain()
    stored = calendly.bookings()[booked["uri"]]
    assert (stored["outcome"], stored["detail"]) == ("MISMATCH", "duration")
    [kind] = calendly.coach.get("/api/calendly/event-types").json()["data"]
    assert kind["mismatches"] == ["shorter_than_minimum"]
    assert mentee.get("/api/sessions").json()["data"] == []


def test_a_no_show_marked_at_calendly_is_one_here(frozen: Stack) -> None:
    calendly, mentee, start = connected_coach(frozen), frozen.user(), at(next_weekday(), "09:00")
    booked = calendly.book(start, email_of(frozen, mentee))
    frozen.drain()
    frozen.clock(iso(start + timedelta(minutes=30)))
    calendly.people("no-show", invitee=booked["uri"])
    frozen.drain()
    [session] = mentee.get("/api/sessions").json()["data"]
    assert (session["status"], session["noShowBy"]) == ("NO_SHOW", "MENTEE")


@pytest.mark.skipif(not SPECIFICATION.exists(), reason="Calendly's OpenAPI document is not here")
def test_what_our_client_asks_and_is_answered_is_in_calendlys_own_document(stack: Stack) -> None:
    control(stack, record=True)
    calendly = connected_coach(stack)
    booked = calendly.book(at(next_weekday(), "09:00"), email_of(stack, stack.user()))
    calendly.people("reschedule", invitee=booked["uri"], start=iso(at(next_weekday(), "11:00")))
    make_due(calendly)
    sync(stack)
    calendly.people("disable-webhooks", email=calendly.email)
    make_due(calendly)
    sync(stack)
    calendly.coach.delete("/api/calendly")
    stack.drain()
    counts, wrong = violations(stack.http.get("/_sim/calendly/_log").json()["calls"])
    control(stack, record=False)
    print(f"our client against Calendly's document: {counts['requests']} requests, {counts['responses']} answers")
    assert wrong == []
    assert counts["requests"] > 20
