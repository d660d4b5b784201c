"""What the tests of hostile input share: every write route with a body that fits it, and what a clean answer is."""

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from psycopg.rows import DictRow

from tests.support import billing, growth, notifications, referrals
from tests.support.stack import ROOT, SignedIn, Stack
from tests.support.story import (
    APPLICATION,
    GOAL,
    PROFILE,
    SCHEDULE,
    at,
    book,
    can_be_paid,
    complete_sessions,
    iso,
    next_weekday,
    paid_sessions,
    published_coach,
)

DOCUMENT: dict[str, Any] = json.loads((ROOT / "docs/openapi.json").read_text())
OPERATIONS = [(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods]
WRITE_ROUTES = [(method, path) for method, path in OPERATIONS if method != "GET"]
SIGNED_ROUTES = [route for route in WRITE_ROUTES if "/webhooks/" in route[1] or "unsubscribe" in route[1]]
TRIES = {("POST", "/api/members/validate")}  # answers 200 with what a write would refuse


def has_fields(method: str, path: str) -> bool:
    """Whether a route reads a body."""
    return "requestBody" in DOCUMENT["paths"][path][method.lower()]


HOLIDAYS = {"country": "US", "year": next_weekday(weeks=52).year, "timezone": "UTC", "except": []}

_LEAKS = ("Traceback", 'File "', "site-packages", "psycopg", "pydantic", "PGRST", "SQLSTATE", "constraint")


@dataclass(frozen=True)
class World:
    """Who and what there is to attack."""

    coach: SignedIn
    newcomer: SignedIn
    mentee: SignedIn
    admin: SignedIn
    schedule_id: str
    session_id: str
    role_request_id: str
    free_start: str
    completed_id: str
    review_id: str
    webhook_event_id: str
    event_type_id: str
    plan_id: str
    subscription_id: str
    payment_method_id: str
    invoice_id: str
    refundable_id: str
    dispute_id: str
    unpaid_id: str
    payment_id: str
    goal_id: str
    notification_id: str
    definition_id: str
    grant_id: str
    referral_id: str
    referral_code: str

    def path(self, template: str) -> str:
        """A route's path with ids that exist."""
        template = template.replace("webhook-events/{id}", f"webhook-events/{self.webhook_event_id}")
        template = template.replace("role/requests/{id}", f"role/requests/{self.role_request_id}")
        template = template.replace("/payments/{id}/refunds", f"/payments/{self.refundable_id}/refunds")
        template = template.replace("/disputes/{id}", f"/disputes/{self.dispute_id}")
        template = template.replace("/members/{userId}", f"/members/{self.coach.user_id}")
        for name in (each for each in vars(self) if each.endswith("_id")):
            folder = name.removesuffix("_id").replace("_", "-") + "s/"
            template = template.replace(folder + "{id}", folder + getattr(self, name))
        known = {"{coachId}": self.coach.user_id, "{scheduleId}": self.schedule_id, "{reviewId}": self.review_id}
        known["{userId}"] = self.newcomer.user_id
        known["{id}"] = self.completed_id if template.endswith("/review") else self.session_id
        for name, value in known.items():
            template = template.replace(name, value)
        return template


@dataclass(frozen=True)
class Write:
    """A request that would be carried out as it stands."""

    method: str
    route: str
    path: str
    who: SignedIn
    body: dict[str, Any]

    def send(self, content: Any, media_type: str | None = "application/json", **headers: str) -> httpx.Response:
        given = {"Idempotency-Key": uuid4().hex, **headers} | (
            {} if media_type is None else {"Content-Type": media_type}
        )
        return self.who.http.request(self.method, self.path, content=content, headers=given)

    def send_json(self, document: Any) -> httpx.Response:
        return self.send(json.dumps(document))

    def send_json_with_key(self, key: str) -> httpx.Response:
        headers = [(b"Content-Type", b"application/json"), (b"Idempotency-Key", key.encode())]
        return self.who.http.request(self.method, self.path, content=json.dumps(self.body), headers=headers)

    def having(self, **changes: Any) -> "Write":
        return replace(self, body={**self.body, **changes})

    def spliced(self, value: bytes, name: bytes = b'"surplus"') -> bytes:
        """The body with one more member, whose value is no JSON yet."""
        return json.dumps(self.body).encode()[:-1] + (b", " if self.body else b"") + name + b": " + value + b"}"


def make_world(stack: Stack) -> World:
    coach, mentee, admin, day = published_coach(stack), stack.user(), stack.user("ADMIN"), next_weekday()
    held = [book(mentee, coach, at(day + timedelta(days=after), "10:00")).json()["data"]["id"] for after in (1, 2)]
    complete_sessions(stack, coach)
    review = mentee.post(f"/api/sessions/{held[0]}/review", {"rating": 4})
    session = book(mentee, coach, at(day, "10:00"))
    assert session.status_code == 201, session.text
    assert coach.post(f"/api/sessions/{session.json()['data']['id']}/meeting").status_code == 202
    assert coach.put("/api/user/member", {"companyName": "Harbor", "version": 0}).status_code == 200
    with stack.database() as database:
        event = database.execute(
            """insert into private.webhook_event (provider, external_id, type, payload, handled_at)
               values ('clerk', 'msg_' || gen_random_uuid(), 'user.created', '{}', now()) returning id"""
        ).fetchone()
        event_type = offered_at_calendly(database, coach.user_id)
    assert event is not None
    refundable, dispute = billing.given_back(stack, coach, mentee, held)
    asked = mentee.post("/api/user/role/requests", APPLICATION)
    assert asked.status_code == 201, asked.text
    bought = billing.plan(stack)["id"]
    other = can_be_paid(stack, published_coach(stack))
    with paid_sessions(stack):
        unpaid = book(mentee, other, at(day + timedelta(days=3), "10:00")).json()["data"]
    return World(
        coach=coach,
        newcomer=stack.user("COACH"),
        mentee=mentee,
        admin=admin,
        schedule_id=coach.get("/api/coaching/availability").json()["data"][0]["id"],
        session_id=session.json()["data"]["id"],
        role_request_id=asked.json()["data"]["id"],
        free_start=iso(at(day, "14:00")),
        completed_id=held[1],
        review_id=review.json()["data"]["id"],
        webhook_event_id=str(event["id"]),
        event_type_id=event_type,
        plan_id=bought,
        subscription_id=billing.subscription_of(stack, mentee, bought)["id"],
        payment_method_id=mentee.get("/api/payment-methods").json()["data"][0]["id"],
        invoice_id=mentee.get("/api/invoices").json()["data"][0]["id"],
        refundable_id=refundable,
        dispute_id=dispute,
        unpaid_id=unpaid["id"],
        payment_id=unpaid["paymentId"],
        goal_id=mentee.post("/api/goals", GOAL).json()["data"]["id"],
        notification_id=notifications.told(stack, mentee),
        referral_id=referrals.waiting(stack, mentee),
        referral_code=referrals.code_of(mentee),
        **growth.achieved(mentee, admin),
    )


def offered_at_calendly(database: psycopg.Connection[DictRow], coach_id: str) -> str:
    """An event type of a coach whose Calendly account is connected: its id."""
    account = f"https://api.calendly.com/users/{uuid4()}"
    database.execute(
        """insert into private.calendly_connection
             (coach_id, user_uri, organization_uri, email, name, timezone, scheduling_url, status, connected_at)
           values (%s, %s, 'o', 'c@example.com', 'Casey', 'UTC', 'https://calendly.com/c', 'CONNECTED', now())""",
        [coach_id, account],
    )
    made = database.execute(
        """insert into private.calendly_event_type
             (coach_id, uri, name, active, duration, kind, scheduling_url, changed_at)
           values (%s, %s, 'Coaching', true, 60, 'solo', 'https://calendly.com/casey/60', now()) returning id""",
        [coach_id, f"https://api.calendly.com/event_types/{uuid4()}"],
    ).fetchone()
    assert made is not None
    return str(made["id"])


def writes(world: World) -> dict[tuple[str, str], Write]:
    """Every write route that reads JSON, by method and path, ready to succeed."""
    roles = world.admin.get("/api/user/role", params={"userId": world.newcomer.user_id}).json()["data"]
    member = world.admin.get(f"/api/members/{world.coach.user_id}").json()["data"]
    booking = {
        "coachId": world.coach.user_id,
        "start": world.free_start,
        "duration": 60,
        "expectedPrice": PROFILE["hourlyRate"],
        "note": "Pricing",
    }
    made = [
        ("POST", "/api/coach/profile", world.newcomer, PROFILE),
        ("PATCH", "/api/coach/profile", world.coach, {**PROFILE, "status": "PUBLISHED"}),
        ("PATCH", "/api/coach/{coachId}/reviews/{reviewId}", world.admin, {"status": "PUBLISHED", "reason": "Fine"}),
        ("POST", "/api/sessions/{id}/review", world.mentee, {"rating": 5, "text": "A plan for the quarter"}),
        ("POST", "/api/coaching/availability", world.coach, {**SCHEDULE, "isDefault": False}),
        ("PATCH", "/api/coaching/availability/{scheduleId}", world.coach, {**SCHEDULE, "name": "Other hours"}),
        ("DELETE", "/api/coaching/availability/{scheduleId}", world.coach, {}),
        ("POST", "/api/coaching/availability/holidays", world.coach, HOLIDAYS),
        ("POST", "/api/coaching/availability/{scheduleId}/default", world.coach, {}),
        (
            "POST",
            "/api/coaching/availability/conflicts",
            world.coach,
            {"scheduleId": world.schedule_id, "schedule": SCHEDULE},
        ),
        ("POST", "/api/sessions", world.mentee, booking),
        ("POST", "/api/sessions/{id}/cancel", world.mentee, {"reason": "A viewing came up"}),
        ("POST", "/api/calendly/sync", world.coach, {}),
        (
            "PUT",
            "/api/calendly/event-types/{id}/mapping",
            world.coach,
            {"mapping": {"sessionType": "COACHING", "minimumDuration": 30, "bufferAfter": 15}, "version": 1},
        ),
        ("DELETE", "/api/calendly", world.coach, {}),
        ("POST", "/api/admin/webhook-events/{id}/replay", world.admin, {}),
        (
            "POST",
            "/api/sessions/{id}/reschedule",
            world.mentee,
            {"start": world.free_start, "duration": 60, "version": 1},
        ),
        ("POST", "/api/sessions/{id}/complete", world.coach, {"version": 1}),
        (
            "POST",
            "/api/sessions/{id}/no-show",
            world.coach,
            {"absent": "MENTEE", "reason": "Nobody came", "version": 1},
        ),
        ("POST", "/api/sessions/{id}/meeting", world.coach, {}),
        ("PATCH", "/api/sessions/{id}/meeting", world.coach, {"topic": "Your first listing", "waitingRoom": True}),
        ("PATCH", "/api/user", world.mentee, {"firstName": "Mia", "timezone": "Europe/London", "locale": "en-GB"}),
        ("PUT", "/api/user/member", world.mentee, {"companyName": "Harbor", "designations": ["CRS"], "version": 0}),
        ("POST", "/api/user/role/requests", world.coach, {"role": "MENTEE", "statement": "To book my own coach."}),
        ("POST", "/api/user/role/requests/{id}/approve", world.admin, {"reason": "References checked", "version": 1}),
        ("POST", "/api/user/role/requests/{id}/reject", world.admin, {"reason": "No licence", "version": 1}),
        ("POST", "/api/user/role/requests/{id}/withdraw", world.mentee, {"reason": "Next year", "version": 1}),
        ("PATCH", "/api/admin/users/{userId}", world.admin, {"status": "SUSPENDED", "reason": "Chargebacks"}),
        ("POST", "/api/members/import", world.admin, {"csv": "MemberEmail\r\n", "mode": "VALID_ROWS", "dryRun": False}),
        ("POST", "/api/members/import/uploads", world.admin, {}),
        ("PATCH", "/api/members/{userId}", world.admin, {"bio": "Twenty years of listings."}),
        ("POST", "/api/members/{userId}/revert", world.admin, {"asOf": world.free_start, "version": member["version"]}),
        ("POST", "/api/members/validate", world.mentee, {"memberType": "Affiliate", "languages": ["English"]}),
        *(write for each in (billing, growth, notifications, referrals) for write in each.writes(world)),
        ("POST", "/api/user/role/preview", world.admin, {"userIds": [world.newcomer.user_id], "add": ["COACH"]}),
        ("PUT", "/api/user/role", world.admin, {**roles, "roles": ["MENTEE", "COACH"], "reason": "Approved"}),
    ]
    found = {}
    for method, route, who, body in made:
        path, route = world.path(route), route.partition("?")[0]  # noqa: PLW2901 - a copy
        if "{reviewId}" in route:
            body = {**body, "version": 1}  # noqa: PLW2901 - a copy
        elif method == "PATCH":
            body = {**body, "version": who.get(path).json()["data"]["version"]}  # noqa: PLW2901 - a copy
        fitting = {name: value for name, value in body.items() if name != "permissions"}
        found[method, route] = Write(method, route, path, who, fitting)
    return found


def clean(answer: httpx.Response, *statuses: int) -> httpx.Response:
    """The answer, which has one of these statuses, is a problem if it is a refusal, and tells nothing of our inside."""
    told = f"{answer.request.method} {answer.request.url!s:.200}: {answer.status_code} {answer.text[:400]}"
    assert answer.status_code in statuses, told
    assert not any(leak in answer.text for leak in _LEAKS if answer.status_code >= 400), told
    assert answer.headers["X-Request-Id"], told
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json", told
        assert answer.json()["status"] == answer.status_code, told
    return answer


def places(answer: httpx.Response) -> set[str]:
    """Where a 422 says that something is wrong."""
    return {error.get("pointer") or error["parameter"] for error in answer.json().get("errors", ())}
