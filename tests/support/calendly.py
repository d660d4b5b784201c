"""Coaches who are connected to the simulated Calendly, and what people do there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx

from tests.support.stack import SignedIn, Stack
from tests.support.story import iso, published_coach

SERVICE_FUNCTIONS = {
    "advance_calendly_sync",
    "apply_calendly_bookings",
    "apply_calendly_event_type",
    "calendly_account",
    "claim_calendly_syncs",
    "connect_calendly",
    "fail_calendly_refresh",
    "forget_calendly_token",
    "keep_calendly_busy",
    "keep_calendly_event_types",
    "keep_calendly_webhook",
    "redeem_calendly_consent",
    "release_calendly_sync",
    "renew_calendly_token",
    "settle_calendly_booking",
    "stale_calendly_events",
    "take_calendly_token",
    "unsettled_calendly_bookings",
}
QUARTER = "sync_calendly"


@dataclass(frozen=True)
class Connected:
    """A coach with a Calendly account in which there is one event type, mapped here."""

    stack: Stack
    coach: SignedIn
    email: str
    event_type: dict[str, Any]

    def people(self, action: str, **arguments: Any) -> Any:
        return people(self.stack, action, **arguments)

    def book(self, start: datetime, mentee_email: str, **more: Any) -> Any:
        uri = more.pop("event_type", self.event_type["uri"])
        return self.people("book", event_type=uri, start=iso(start), email=mentee_email, name="Mia Lane", **more)

    def bookings(self) -> dict[str, dict[str, Any]]:
        """What is stored of each invitee."""
        with self.stack.database() as database:
            rows = database.execute(
                "select * from private.calendly_booking where coach_id = %s", [self.coach.user_id]
            ).fetchall()
        return {row["invitee_uri"]: row for row in rows}

    def sessions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.coach.get("/api/sessions", params={"role": "COACH", "limit": 100}).json()[
            "data"
        ]
        return sorted(found, key=lambda session: (session["start"], session["id"]))


def people(stack: Stack, action: str, **arguments: Any) -> Any:
    """What somebody does on Calendly's own pages."""
    answer = stack.http.post(f"/_sim/calendly/_people/{action}", json=arguments)
    assert answer.status_code == 200, answer.text
    return answer.json()


def control(stack: Stack, **options: Any) -> None:
    stack.http.post("/_sim/calendly/_control", json=options).raise_for_status()


def consent(stack: Stack, coach: SignedIn, email: str) -> httpx.Response:
    """The coach agrees at Calendly as `email`; what the browser's last request was answered."""
    url = coach.get("/api/calendly/connect").raise_for_status().json()["data"]["url"]
    agreed = httpx.get(url, params={**httpx.URL(url).params, "login_hint": email})
    assert agreed.status_code == 302, agreed.text
    return stack.http.get(agreed.headers["Location"])


def sync(stack: Stack) -> Any:
    answer = stack.http.post(f"/_dev/invoke/{QUARTER}", json={}, timeout=120).json()
    assert "result" in answer, answer
    return answer["result"]


def calendly_environment(stack: Stack) -> dict[str, str]:
    """What a function of the service that asks Calendly is told, for a process that is none."""
    calendly = stack.info["simulators"]["calendly"]
    return stack.service_environment() | {
        "CALENDLY_API_URL": calendly,
        "CALENDLY_AUTH_URL": calendly,
        "CALENDLY_CLIENT_ID": "coachline-local",
        "PUBLIC_URL": stack.base_url,
        "WEB_URL": stack.base_url,
    }


def make_due(calendly: Connected) -> None:
    """Let the next run of the job sync this coach."""
    with calendly.stack.database() as database:
        database.execute(
            "update private.calendly_sync set due_at = private.now(), leased_until = null where coach_id = %s",
            [calendly.coach.user_id],
        )


def connected_coach(stack: Stack, **event_type: Any) -> Connected:
    """A published coach whose account is connected, synced, and has a mapped event type with buffers of 15 minutes."""
    coach, email = published_coach(stack), f"{uuid4().hex}@example.com"
    people(stack, "sign-up", email=email)
    made = people(
        stack,
        "edit-event-type",
        uri=people(stack, "event-types", email=email)[0]["uri"],
        before_buffer=15,
        after_buffer=15,
        **event_type,
    )
    answer = consent(stack, coach, email)
    assert answer.status_code == 200, answer.text
    stack.drain()
    listed = coach.get("/api/calendly/event-types").json()["data"][0]
    path = f"/api/calendly/event-types/{listed['id']}/mapping"
    mapped = coach.put(path, {"mapping": {"sessionType": "FOLLOW_UP"}, "version": listed["version"]})
    assert mapped.status_code == 200, mapped.text
    stack.drain()
    return Connected(stack, coach, email, made)


def email_of(stack: Stack, user: SignedIn, *, verified: bool = True) -> str:
    """A user's address, which he has verified at Clerk or not."""
    with stack.database() as database:
        row = database.execute(
            "update user_account set email_verified = %s where id = %s returning email::text", [verified, user.user_id]
        ).fetchone()
    assert row is not None
    return str(row["email"])


@contextmanager
def faults(stack: Stack, *table: dict[str, Any]) -> Iterator[None]:
    control(stack, faults=list(table))
    try:
        yield
    finally:
        control(stack, faults=[])
