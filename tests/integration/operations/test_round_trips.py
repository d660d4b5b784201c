"""One database round trip for a read, one read and one write for a write: counted in PostgREST's own log."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.support.stack import SignedIn, Stack, wait_until
from tests.support.story import APPLICATION, PROFILE, SCHEDULE, at, book, iso, next_weekday, published_coach, slots


def requests(stack: Stack) -> int:
    assert stack.directory is not None
    log = (stack.directory / "logs" / "postgrest.log").read_text()
    # Not what jobs and consumers ask at any moment, who are the service.
    return sum(f" - {role} " in line for line in log.splitlines() for role in ("anon", "authenticated"))


def trips(stack: Stack, call: Callable[[], Any]) -> int:
    """The requests to PostgREST that a call makes. Its log comes a moment after the answer: wait for it to rest."""
    stack.drain()
    before = settled(stack)
    call()
    return settled(stack) - before


def settled(stack: Stack) -> int:
    seen = [-1, -1, requests(stack)]

    def rests() -> bool:
        seen.append(requests(stack))
        return seen[-1] == seen[-2] == seen[-3]

    wait_until(rests, what="a quiet log")
    return seen[-1]


@pytest.fixture(scope="module")
def coach(stack: Stack) -> SignedIn:
    return published_coach(stack)


@pytest.fixture(scope="module")
def mentee(stack: Stack) -> SignedIn:
    return stack.user()


def test_reads_take_one(stack: Stack, coach: SignedIn, mentee: SignedIn) -> None:
    monday, admin = next_weekday(), stack.user("ADMIN")
    session = book(mentee, coach, at(monday, "15:00")).json()["data"]
    schedule = coach.get("/api/coaching/availability").json()["data"][0]
    reads = [
        (mentee, "/api/user"),
        (mentee, "/api/user/role"),
        (mentee, "/api/user/role/requests"),
        (mentee, "/api/user/role/history"),
        (admin, "/api/user/role/analytics"),
        (admin, "/api/admin/users?search=test"),
        (admin, f"/api/admin/users/{mentee.user_id}"),
        (admin, "/api/admin/audit?limit=5"),
        (mentee, "/api/user/member"),
        (mentee, f"/api/members/{mentee.user_id}/history"),
        (mentee, "/api/coach"),
        (mentee, f"/api/coach/{coach.user_id}"),
        (mentee, f"/api/coach/{coach.user_id}/reviews"),
        (coach, f"/api/coach/{coach.user_id}/metrics?by=week"),
        (coach, "/api/sessions/metrics"),
        (coach, "/api/coach/profile"),
        (coach, "/api/coach/profile/rates"),
        (coach, "/api/coaching/availability"),
        (coach, f"/api/coaching/availability/{schedule['id']}"),
        (coach, f"/api/coaching/availability/{schedule['id']}/preview"),
        (mentee, f"/api/coaching/slots?coachId={coach.user_id}&explain={iso(at(monday, '15:00'))}"),
        (mentee, "/api/sessions"),
        (mentee, f"/api/sessions/{session['id']}"),
        (mentee, f"/api/sessions/{session['id']}/history"),
        (mentee, f"/api/sessions/{session['id']}/invite.ics"),
        (mentee, "/api/health?deep=1"),
    ]
    counted = {path: trips(stack, partial(who.get, path)) for who, path in reads}
    counted["slots"] = trips(stack, lambda: slots(mentee, coach, at(monday, "09:00"), at(monday, "17:00")))
    counted["conflicts"] = trips(
        stack, lambda: coach.post("/api/coaching/availability/conflicts", {"scheduleId": schedule["id"]})
    )
    counted["health"] = trips(stack, lambda: mentee.get("/api/health"))
    assert counted.pop("health") == 0
    assert counted == dict.fromkeys(counted, 1)


def test_writes_take_at_most_a_read_and_a_write(stack: Stack, coach: SignedIn, mentee: SignedIn) -> None:
    newcomer, admin, rival, monday = stack.user("COACH"), stack.user("ADMIN"), stack.user(), next_weekday(weeks=2)
    schedule = coach.get("/api/coaching/availability").json()["data"][0]
    version = mentee.get("/api/user").json()["data"]["version"]
    roles = {"userId": mentee.user_id, "roles": ["MENTEE"], "reason": "count", "version": version}
    applicant = stack.user()
    booked: list[Any] = []
    asked: list[Any] = []
    counted = {
        "POST profile": trips(stack, lambda: newcomer.post("/api/coach/profile", PROFILE).raise_for_status()),
        "POST role request": trips(
            stack, lambda: asked.append(applicant.post("/api/user/role/requests", APPLICATION).raise_for_status())
        ),
        "POST approve": trips(
            stack,
            lambda: admin.post(
                f"/api/user/role/requests/{asked[0].json()['data']['id']}/approve", {"version": 1}
            ).raise_for_status(),
        ),
        "PATCH account": trips(
            stack,
            lambda: admin.patch(
                f"/api/admin/users/{rival.user_id}", {"status": "ACTIVE", "reason": "count", "version": 1}
            ).raise_for_status(),
        ),
        "PUT role": trips(stack, lambda: admin.put("/api/user/role", roles).raise_for_status()),
        "PUT member": trips(
            stack, lambda: newcomer.put("/api/user/member", {"bio": "A", "version": 0}).raise_for_status()
        ),
        "POST schedule": trips(stack, lambda: newcomer.post("/api/coaching/availability", SCHEDULE).raise_for_status()),
        "PATCH user": trips(
            stack, lambda: mentee.patch("/api/user", {"locale": "en-GB", "version": version}).raise_for_status()
        ),
        "PATCH schedule": trips(
            stack,
            lambda: coach.patch(
                f"/api/coaching/availability/{schedule['id']}", {"name": "New", "version": schedule["version"]}
            ).raise_for_status(),
        ),
        "POST default": trips(
            stack, lambda: coach.post(f"/api/coaching/availability/{schedule['id']}/default").raise_for_status()
        ),
        "POST session": trips(
            stack, lambda: booked.append(book(mentee, coach, at(monday, "10:00")).raise_for_status())
        ),
        "POST session, refused": trips(stack, lambda: book(mentee, coach, at(monday, "03:00"))),
        "POST session, taken": trips(stack, lambda: book(rival, coach, at(monday, "10:00"))),
        "POST reschedule": trips(
            stack,
            lambda: mentee.post(
                f"/api/sessions/{booked[0].json()['data']['id']}/reschedule",
                {"start": iso(at(monday, "11:00")), "version": 1},
            ).raise_for_status(),
        ),
        "POST reschedule, refused": trips(
            stack,
            lambda: mentee.post(
                f"/api/sessions/{booked[0].json()['data']['id']}/reschedule",
                {"start": iso(at(monday, "03:00")), "version": 2},
            ),
        ),
        "POST cancel": trips(
            stack,
            lambda: mentee.post(f"/api/sessions/{booked[0].json()['data']['id']}/cancel", {}).raise_for_status(),
        ),
    }
    assert {name: count for name, count in counted.items() if count > 2} == {}
    assert (counted["POST reschedule"], counted["POST reschedule, refused"]) == (2, 1)
    assert counted["POST cancel"] == counted["PATCH user"] == counted["PUT role"] == counted["POST profile"] == 1
    assert iso(at(monday, "10:00")) == booked[0].json()["data"]["start"]
