"""A coach connects a Calendly account, keeps it through refreshes, failures and races, and lets go of it."""

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from tests.support.calendly import (
    Connected,
    calendly_environment,
    connected_coach,
    consent,
    control,
    faults,
    make_due,
    people,
    sync,
)
from tests.support.stack import Stack, wait_until
from tests.support.story import at, iso, next_weekday, published_coach, slots


@pytest.fixture(scope="module")
def calendly(stack: Stack) -> Connected:
    return connected_coach(stack)


def status_of(calendly: Connected) -> Any:
    return calendly.coach.get("/api/calendly/status").json()["data"]


def log(stack: Stack) -> Any:
    """What Calendly was asked and answered since the log began, and how often it granted tokens."""
    return stack.http.get("/_sim/calendly/_log").json()


def expire_tokens(calendly: Connected) -> None:
    with calendly.stack.database() as database:
        database.execute(
            "update private.calendly_token set expires_at = now() where coach_id = %s", [calendly.coach.user_id]
        )


def test_a_connected_account_is_shown_with_its_event_types(calendly: Connected) -> None:
    shown = status_of(calendly)
    assert (shown["status"], shown["email"], shown["webhookState"]) == ("CONNECTED", calendly.email, "active")
    assert shown["lastSyncedAt"]
    [kind] = calendly.coach.get("/api/calendly/event-types").json()["data"]
    assert (kind["name"], kind["mapping"]["sessionType"], kind["mismatches"]) == (
        "60 Minute Coaching Session",
        "FOLLOW_UP",
        [],
    )


def test_tokens_are_sealed_where_they_are_kept(stack: Stack, calendly: Connected) -> None:
    with stack.database() as database:
        row = database.execute("select * from private.calendly_token limit 1").fetchone()
        audit = database.execute("select coalesce(before, after)::text as t from private.audit_log").fetchall()
    assert row is not None
    assert row["access_token"].startswith("local.")
    assert not any(row["access_token"] in line["t"] or row["refresh_token"] in line["t"] for line in audit)


def test_a_state_is_good_once_and_only_where_it_was_asked_for(stack: Stack) -> None:
    coach = published_coach(stack)
    url = coach.get("/api/calendly/connect").json()["data"]["url"]
    back = httpx.get(url, params={**httpx.URL(url).params, "login_hint": f"{coach.user_id}@example.com"}).headers[
        "Location"
    ]
    assert stack.http.get(back).status_code == 200
    for forged in (
        back,
        "/api/calendly/callback?code=x&state=forged",
        "/api/calendly/callback?state=",
        "/api/calendly/callback",
    ):
        answer = stack.http.get(forged)
        assert (answer.status_code, answer.json()["code"]) == (400, "state_invalid"), forged
    denied = httpx.URL(coach.get("/api/calendly/connect").json()["data"]["url"]).params["state"]
    answer = stack.http.get("/api/calendly/callback", params={"error": "access_denied", "state": denied})
    assert (answer.status_code, answer.json()["code"]) == (400, "consent_denied")
    fresh = httpx.URL(coach.get("/api/calendly/connect").json()["data"]["url"]).params["state"]
    answer = stack.http.get("/api/calendly/callback", params={"code": "forged", "state": fresh})
    assert (answer.status_code, answer.json()["code"]) == (400, "consent_failed")
    in_browser = stack.http.get(back, headers={"Accept": "text/html"})
    assert (in_browser.status_code, in_browser.headers["Location"]) == (
        303,
        f"{stack.base_url}/?calendly=state_invalid",
    )


def test_an_account_is_connected_to_one_coach(stack: Stack, calendly: Connected) -> None:
    answer = consent(stack, published_coach(stack), calendly.email)
    assert (answer.status_code, answer.json()["code"]) == (409, "calendly_account_in_use")


def test_two_processes_that_find_a_token_expired_refresh_it_once(stack: Stack, calendly: Connected) -> None:
    control(stack, record=True)
    expire_tokens(calendly)
    make_due(calendly)
    with stack.database() as database:
        before = database.execute(
            "select version from private.calendly_token where coach_id = %s", [calendly.coach.user_id]
        ).fetchone()
        # A reschedule whose first booking nobody told of: the consumer asks Calendly for it, while the job syncs.
        monday = next_weekday(weeks=3)
        first = calendly.book(at(monday, "10:00"), "guest@example.com")
        stack.drain()
        database.execute("delete from private.calendly_booking where invitee_uri = %s", [first["uri"]])
        expire_tokens(calendly)
        make_due(calendly)
        with faults(stack, {"on": "POST /oauth/token", "kind": "delay", "delayMs": 300}):
            job = threading.Thread(target=sync, args=[stack])
            job.start()
            calendly.people("reschedule", invitee=first["uri"], start=iso(at(monday, "12:00")))
            job.join()
            stack.drain()
        after = database.execute(
            "select version from private.calendly_token where coach_id = %s", [calendly.coach.user_id]
        ).fetchone()
    assert before is not None
    assert after is not None
    assert log(stack)["grants"] == after["version"] - before["version"] >= 1
    assert status_of(calendly)["status"] == "CONNECTED"
    control(stack, record=False)


def test_two_processes_in_the_same_instant_refresh_once_and_both_go_on(stack: Stack, calendly: Connected) -> None:
    expire_tokens(calendly)
    control(stack, record=True)
    asking = f"""
from coachline.integrations.calendly_account import Account
from coachline.service import as_service
print(Account(as_service(), "{calendly.coach.user_id}").call("GET", "/users/me")["resource"]["email"])
"""
    environment = {**os.environ, **calendly_environment(stack)}
    with stack.database() as database, psycopg.connect(stack.info["databaseUrl"]) as holder:
        holder.execute("select 1 from private.calendly_token where coach_id = %s for update", [calendly.coach.user_id])
        processes = [
            subprocess.Popen([sys.executable, "-c", asking], env=environment, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]

        def waiting() -> int:
            row = database.execute(
                """select count(*) as n from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock'
                     and query like '%take_calendly_token%'"""
            ).fetchone()
            assert row is not None
            return int(row["n"])

        wait_until(lambda: waiting() == 2, what="both at the lease")
        holder.rollback()
    outputs = [process.communicate(timeout=30)[0] for process in processes]
    grants = log(stack)["grants"]
    control(stack, record=False)
    assert [output.splitlines()[-1] for output in outputs] == [calendly.email] * 2
    assert grants == 1


def test_an_access_token_that_ends_in_the_middle_of_a_call_is_renewed(stack: Stack, calendly: Connected) -> None:
    make_due(calendly)
    control(stack, record=True)
    with faults(stack, {"on": "GET /scheduled_events", "kind": "delay", "delayMs": 700}):
        job = threading.Thread(target=sync, args=[stack])
        job.start()
        wait_until(lambda: _faults_left(stack) == 0, what="the call to be under way")
        calendly.people("end-access", email=calendly.email)
        job.join()
    assert status_of(calendly)["lastError"] is None
    assert status_of(calendly)["status"] == "CONNECTED"
    grants = log(stack)["grants"]
    control(stack, record=False)
    assert grants == 1


def test_an_account_that_is_taken_back_in_the_middle_of_a_call_is_to_be_connected_again(stack: Stack) -> None:
    calendly = connected_coach(stack)
    make_due(calendly)
    with faults(stack, {"on": "GET /scheduled_events", "kind": "delay", "delayMs": 700}):
        job = threading.Thread(target=sync, args=[stack])
        job.start()
        wait_until(lambda: _faults_left(stack) == 0, what="the call to be under way")
        calendly.people("remove-app", email=calendly.email)
        job.join()
    assert status_of(calendly)["status"] == "RECONNECT_REQUIRED"
    assert consent(stack, calendly.coach, calendly.email).status_code == 200
    assert status_of(calendly)["status"] == "CONNECTED"


def _faults_left(stack: Stack) -> int:
    left: int = stack.http.post("/_sim/calendly/_control", json={}).json()["faults"][0]["times"]
    return left


def test_a_crash_after_the_refresh_asks_the_coach_to_connect_again_and_forgets_nothing(stack: Stack) -> None:
    calendly = connected_coach(stack)
    with stack.database() as database:
        kept = database.execute(
            "select refresh_token from private.calendly_token where coach_id = %s", [calendly.coach.user_id]
        ).fetchone()
        expire_tokens(calendly)
        make_due(calendly)
        sync(stack)
        assert kept is not None
        # As if the process had died before it could commit the new pair: ours is used, Calendly's is unknown.
        database.execute(
            "update private.calendly_token set refresh_token = %s, expires_at = now() where coach_id = %s",
            [kept["refresh_token"], calendly.coach.user_id],
        )
        make_due(calendly)
        assert sync(stack)["failed"] == 1
        row = database.execute(
            "select count(*) as n from private.calendly_token where coach_id = %s", [calendly.coach.user_id]
        ).fetchone()
    assert row == {"n": 1}
    assert status_of(calendly)["status"] == "RECONNECT_REQUIRED"
    assert consent(stack, calendly.coach, calendly.email).status_code == 200
    assert status_of(calendly)["status"] == "CONNECTED"


def test_a_dead_subscription_is_replaced_before_it_is_removed(stack: Stack, calendly: Connected) -> None:
    calendly.people("disable-webhooks", email=calendly.email)
    make_due(calendly)
    control(stack, record=True)
    sync(stack)
    calls = [
        call["method"]
        for call in log(stack)["calls"]
        if "webhook_subscriptions" in call["path"] and call["method"] != "GET"
    ]
    control(stack, record=False)
    assert calls == ["POST", "DELETE"]
    assert status_of(calendly)["webhookState"] == "active"


@pytest.mark.parametrize("kind", ["429", "500", "500-after", "drop", "timeout"])
def test_a_sync_goes_on_after_whatever_calendly_does(stack: Stack, calendly: Connected, kind: str) -> None:
    for path in ("GET /webhook_subscriptions", "GET /event_types", "GET /scheduled_events", "GET /user_busy_times"):
        make_due(calendly)
        with faults(stack, {"on": path, "kind": kind, "times": 3, "delayMs": 50}):
            sync(stack)
        make_due(calendly)
        assert sync(stack)["finished"] >= 1, (kind, path)
    assert status_of(calendly)["lastError"] is None


def test_a_coach_who_disconnects_is_free_at_once_and_calendly_is_told(stack: Stack) -> None:
    calendly = connected_coach(stack)
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    calendly.people("busy", email=calendly.email, start=iso(soon), end=iso(soon + timedelta(hours=1)))
    assert calendly.coach.post("/api/calendly/sync", key="again").status_code == 202
    stack.drain()
    with stack.database() as database:
        busy = database.execute(
            "select count(*) as n from private.calendly_busy where coach_id = %s", [calendly.coach.user_id]
        ).fetchone()
        assert busy is not None
        assert busy["n"] >= 1
        assert calendly.coach.delete("/api/calendly").status_code == 204
        assert status_of(calendly)["status"] == "NOT_CONNECTED"
        assert calendly.coach.delete("/api/calendly").status_code == 404
        stack.drain()
        left = database.execute(
            """select (select count(*) from private.calendly_token where coach_id = %(id)s) as tokens,
                      (select count(*) from private.calendly_busy where coach_id = %(id)s) as busy""",
            {"id": calendly.coach.user_id},
        ).fetchone()
    assert left == {"tokens": 0, "busy": 0}
    assert people(stack, "tokens", email=calendly.email) == {"tokens": 0, "hooks": 0}
    answer = calendly.coach.post("/api/calendly/sync")
    assert (answer.status_code, answer.json()["code"]) == (409, "calendly_not_connected")


def test_busy_time_elsewhere_closes_slots_and_a_moved_one_opens_them(stack: Stack) -> None:
    calendly, day = connected_coach(stack), next_weekday()
    mentee = stack.user()
    before = slots(mentee, calendly.coach, at(day, "09:00"), at(day, "17:00")).json()["data"]
    busy = calendly.people("busy", email=calendly.email, start=iso(at(day, "09:00")), end=iso(at(day, "12:00")))
    make_due(calendly)
    sync(stack)
    during = slots(mentee, calendly.coach, at(day, "09:00"), at(day, "17:00")).json()["data"]
    assert during[0]["start"] == iso(at(day, "12:15"))  # the schedule's own buffer before it
    calendly.people("free", busy=busy["id"])
    make_due(calendly)
    sync(stack)
    assert slots(mentee, calendly.coach, at(day, "09:00"), at(day, "17:00")).json()["data"] == before
