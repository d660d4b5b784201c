"""The steps of the booking story that many tests begin with."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx

from tests.support.stack import SignedIn, Stack

WEEKDAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]

PROFILE: dict[str, Any] = {
    "bio": "Twenty years of listings and negotiations, and a plan for your next quarter.",
    "specialties": ["Listings", "Negotiation"],
    "hourlyRate": {"amount": 15000, "currency": "USD"},
    "defaultDuration": 60,
    "minimumDuration": 30,
    "maximumDuration": 120,
    "allowCustomDuration": False,
}

SCHEDULE: dict[str, Any] = {
    "name": "Office hours",
    "type": "DEFAULT",
    "timezone": "America/New_York",
    "isDefault": True,
    "weekly": [{"day": day, "intervals": [{"from": "09:00", "to": "17:00"}]} for day in WEEKDAYS[:5]],
    "overrides": [],
    "bufferBefore": 15,
    "bufferAfter": 15,
    "slotInterval": 15,
    "minimumNotice": 0,
    "bookingWindowDays": 365,
    "maxSessionsPerDay": None,
}

GOAL: dict[str, Any] = {
    "type": "LISTINGS",
    "title": "Ten listings in Hudson Valley",
    "targetValue": 10,
    "milestones": [5, 8],
    "deadline": (datetime.now(UTC).date() + timedelta(days=100)).isoformat(),
    "timezone": "UTC",
}

APPLICATION: dict[str, Any] = {
    "role": "COACH",
    "statement": "I want to pass on what took me twenty years to learn.",
    "experience": "Twenty years of listings; trained eleven agents of my office.",
    "specialties": ["Listings", "Negotiation"],
    "licenseNumber": "10401234567",
    "licenseState": "NY",
}


def next_weekday(weekday: int = 0, *, weeks: int = 1) -> date:
    """The date of a weekday (0 is Monday) at least a week ahead, so that no test depends on today."""
    first = datetime.now(UTC).date() + timedelta(weeks=weeks)
    return first + timedelta(days=(weekday - first.weekday()) % 7)


def at(day: date, clock: str, zone: str = "America/New_York") -> datetime:
    """The instant at which a clock in `zone` shows `clock` on that day."""
    return datetime.combine(day, time.fromisoformat(clock), ZoneInfo(zone)).astimezone(UTC)


def iso(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def published_coach(
    stack: Stack,
    *,
    profile: dict[str, Any] | None = None,
    schedule: dict[str, Any] | None = None,
    coach: SignedIn | None = None,
) -> SignedIn:
    """A coach with a published profile and a default schedule."""
    coach = coach or stack.user("COACH", first_name="Casey", last_name="Morgan")
    made = coach.post("/api/coach/profile", {**PROFILE, **(profile or {})})
    assert made.status_code == 201, made.text
    published = coach.patch("/api/coach/profile", {"status": "PUBLISHED", "version": made.json()["data"]["version"]})
    assert published.status_code == 200, published.text
    hours = coach.post("/api/coaching/availability", {**SCHEDULE, **(schedule or {})})
    assert hours.status_code == 201, hours.text
    return coach


@contextmanager
def paid_sessions(stack: Stack, *, on: bool = True) -> Iterator[None]:
    """While the block runs, sessions are (or are not) paid for."""
    query = "select private.set_setting('flag.session_payments', to_jsonb(%s::boolean))"
    with stack.database() as database:
        was = database.execute("select private.setting('flag.session_payments', 'false') as it").fetchone()
        database.execute(query, [on])
        try:
            yield
        finally:
            database.execute(query, [bool(was and was["it"])])


def can_be_paid(stack: Stack, coach: SignedIn) -> SignedIn:
    """The coach, led through Stripe's onboarding."""
    back = {"returnUrl": "https://app.example.com/payouts", "refreshUrl": "https://app.example.com/again"}
    begun = coach.post("/api/coach/payouts/onboarding", back)
    assert begun.status_code == 200, begun.text
    control = {"onboard": {"coachId": coach.user_id, "ready": True}}
    stack.http.post("/_sim/stripe/_control", json=control).raise_for_status()
    stack.drain()
    return coach


def slots(
    caller: SignedIn, coach: SignedIn, start: datetime, end: datetime, duration: int = 60, **more: Any
) -> httpx.Response:
    query = {"coachId": coach.user_id, "from": iso(start), "to": iso(end), "duration": duration, **more}
    return caller.get("/api/coaching/slots", params=query)


def book(
    mentee: SignedIn, coach: SignedIn, start: datetime, duration: int = 60, *, key: str | None = None, **more: Any
) -> httpx.Response:
    body = {"coachId": coach.user_id, "start": iso(start), "duration": duration, **more}
    return mentee.post("/api/sessions", body, key=key or uuid4().hex)


def complete_sessions(stack: Stack, coach: SignedIn) -> None:
    """Every session booked with the coach is held, whenever it was to be."""
    with stack.database() as database:
        database.execute(
            """select private.move_session(id, 'COMPLETED', 'SYSTEM', null, null, at => ends_at)
               from session where coach_id = %s and status = 'SCHEDULED'""",
            [coach.user_id],
        )
