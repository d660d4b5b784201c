"""The simulated Calendly: OAuth with PKCE, lists in pages, bookings, busy times, subscriptions, limits."""

import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from devstack.simulators.calendly import CLIENT_ID
from tests.support.calendly_contract import SPECIFICATION, violations
from tests.unit.devstack.simulated import keys
from tests.unit.devstack.simulated_calendly import CASEY, NOW, REDIRECT, VERIFIER, Simulated, simulate

PAYLOADS = Path(__file__).parents[4] / "shared/data/payloads/calendly"


def shape(value: Any) -> Any:
    """The names in a JSON value, without their values."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in sorted(value.items())}
    return [shape(value[0])] if isinstance(value, list) and value else None


async def first_event_type(calendly: Simulated, email: str = CASEY) -> Any:
    return (await calendly.people("event-types", email=email))[0]


def test_a_code_is_for_one_use_within_ten_minutes_by_whoever_asked_for_it(tmp_path: Path) -> None:
    async def scenario(calendly: Simulated) -> None:
        form = {"grant_type": "authorization_code", "redirect_uri": REDIRECT}
        back = await calendly.code()
        assert back["state"] == "s1"
        status, pair = await calendly.grant(code=back["code"], code_verifier=VERIFIER, **form)
        assert (status, pair["expires_in"], pair["token_type"]) == (200, 7200, "Bearer")
        for code, verifier in (
            (back["code"], VERIFIER),
            ((await calendly.code())["code"], "another"),
            ("none", VERIFIER),
        ):
            status, refused = await calendly.grant(code=code, code_verifier=verifier, **form)
            assert (status, refused["error"]) == (400, "invalid_grant")
        late = await calendly.code()
        await calendly.clock.pin(NOW + timedelta(minutes=10))
        assert (await calendly.grant(code=late["code"], code_verifier=VERIFIER, **form))[0] == 400
        assert (await calendly.code(code_challenge_method="plain"))["error"] == "invalid_request"

    simulate(tmp_path, scenario)


def test_a_refresh_token_works_once_and_an_access_token_for_two_hours(tmp_path: Path) -> None:
    async def scenario(calendly: Simulated) -> None:
        pair = await calendly.signed_in()
        await calendly.clock.pin(NOW + timedelta(hours=2))
        assert (await calendly.api("GET", "/users/me"))[0] == 401
        status, renewed = await calendly.grant(grant_type="refresh_token", refresh_token=pair["refresh_token"])
        assert status == 200
        assert renewed["refresh_token"] != pair["refresh_token"]
        assert (await calendly.grant(grant_type="refresh_token", refresh_token=pair["refresh_token"]))[0] == 400
        calendly.token = renewed["access_token"]
        assert (await calendly.api("GET", "/users/me"))[1]["resource"]["email"] == CASEY
        form = {"client_id": CLIENT_ID, "client_secret": keys().calendly_client_secret, "token": calendly.token}
        async with calendly.http.post("/_sim/calendly/oauth/revoke", data=form) as answer:
            assert answer.status == 200
        assert (await calendly.api("GET", "/users/me"))[0] == 401

    simulate(tmp_path, scenario)


def test_a_token_may_do_what_its_scopes_say(tmp_path: Path) -> None:
    async def scenario(calendly: Simulated) -> None:
        await calendly.signed_in(scope="users:read", login_hint="lena.london@example.com")
        status, me = await calendly.api("GET", "/users/me")
        assert (status, me["resource"]["email"]) == (200, "lena.london@example.com")
        assert (await calendly.api("GET", "/event_types", user=me["resource"]["uri"]))[0] == 403

    simulate(tmp_path, scenario)


def test_lists_come_in_pages(tmp_path: Path) -> None:
    async def scenario(calendly: Simulated) -> None:
        await calendly.signed_in()
        me = (await calendly.api("GET", "/users/me"))[1]["resource"]["uri"]
        for number in range(4):
            await calendly.people("add-event-type", email=CASEY, name=f"Type {number}")
        query, found = {"user": me, "count": "2"}, []
        while True:
            page = (await calendly.api("GET", "/event_types", **query))[1]
            found += [row["name"] for row in page["collection"]]
            if not (token := page["pagination"]["next_page_token"]):
                break
            query["page_token"] = token
        assert found == sorted(found)
        assert len(found) == 5
        assert (await calendly.api("GET", "/event_types", user=me, count="101"))[0] == 400
        assert (await calendly.api("GET", "/event_types"))[0] == 400

    simulate(tmp_path, scenario)


def test_a_reschedule_is_a_new_invitee_and_a_canceled_one_that_point_to_each_other(tmp_path: Path) -> None:
    async def scenario(calendly: Simulated) -> None:
        await calendly.signed_in()
        assert (await calendly.subscribed())[0] == 201
        kind = (await first_event_type(calendly))["uri"]
        booked = await calendly.people("book", event_type=kind, start="2027-03-08T15:00:00Z")
        moved = await calendly.people("reschedule", invitee=booked["uri"], start="2027-03-08T15:30:00Z")
        events = {(event["event"], event["payload"]["uri"]): event["payload"] for event in await calendly.arrived(3)}
        old, new = events["invitee.canceled", booked["uri"]], events["invitee.created", moved["uri"]]
        assert (old["rescheduled"], old["new_invitee"], old["status"]) == (True, moved["uri"], "canceled")
        assert (new["rescheduled"], new["old_invitee"], new["status"]) == (False, booked["uri"], "active")
        assert old["scheduled_event"]["uri"] != new["scheduled_event"]["uri"]
        taken = await calendly.people("book", event_type=kind, start="2027-03-08T16:00:00Z")
        assert taken["message"] == "That time is not available."

    simulate(tmp_path, scenario)


def test_busy_times_are_for_a_week_at_most_and_name_what_they_are(tmp_path: Path) -> None:
    async def scenario(calendly: Simulated) -> None:
        await calendly.signed_in()
        me = (await calendly.api("GET", "/users/me"))[1]["resource"]["uri"]
        await calendly.people("busy", email=CASEY, start="2027-03-08T12:00:00Z", end="2027-03-08T13:00:00Z")
        kind = (await first_event_type(calendly))["uri"]
        await calendly.people("book", event_type=kind, start="2027-03-08T15:00:00Z")
        week = {"user": me, "start_time": "2027-03-08T00:00:00Z", "end_time": "2027-03-15T00:00:00Z"}
        status, busy = await calendly.api("GET", "/user_busy_times", **week)
        assert (status, [row["type"] for row in busy["collection"]]) == (200, ["external", "calendly"])
        status, refused = await calendly.api("GET", "/user_busy_times", **week | {"end_time": "2027-03-15T00:00:01Z"})
        assert (status, refused["title"]) == (400, "Invalid Argument")

    simulate(tmp_path, scenario)


def test_an_address_is_subscribed_once_and_retries_that_run_out_disable_it(tmp_path: Path) -> None:
    async def scenario(calendly: Simulated) -> None:
        await calendly.signed_in()
        status, hook = await calendly.subscribed()
        status, refused = await calendly.subscribed()
        assert (status, refused["message"]) == (409, "Hook with this url already exists")
        calendly.answers += [500] * 2
        kind = await first_event_type(calendly)
        await calendly.people("edit-event-type", uri=kind["uri"], duration=45)
        await calendly.arrived(1)
        path = "/" + "/".join(hook["resource"]["uri"].split("/")[-2:])
        assert (await calendly.api("GET", path))[1]["resource"]["retry_started_at"]
        while calendly.calendly.store.all("delivery"):
            calendly.answers += [500] * 9
            await calendly.calendly.webhooks.flush()
        assert (await calendly.api("GET", path))[1]["resource"]["state"] == "disabled"
        await calendly.people("edit-event-type", uri=kind["uri"], duration=60)
        assert not calendly.calendly.store.all("delivery")
        assert (await calendly.api("DELETE", path))[0] == 204
        assert (await calendly.subscribed())[0] == 201

    simulate(tmp_path, scenario)


def test_a_delivery_is_signed_over_its_time_and_bytes(tmp_path: Path) -> None:
    async def scenario(calendly: Simulated) -> None:
        await calendly.signed_in()
        await calendly.subscribed()
        await calendly.people(
            "book", event_type=(await first_event_type(calendly))["uri"], start="2027-03-08T15:00:00Z"
        )
        await calendly.arrived(1)
        [delivery] = calendly.received
        stamp, signature = (part.split("=")[1] for part in delivery.headers["Calendly-Webhook-Signature"].split(","))
        key = keys().calendly_webhook_key.encode()
        assert hmac.digest(key, f"{stamp}.".encode() + delivery.raw, "sha256").hex() == signature

    simulate(tmp_path, scenario)


def test_too_many_requests_are_told_how_long_to_wait(tmp_path: Path) -> None:
    async def scenario(calendly: Simulated) -> None:
        await calendly.signed_in()
        await calendly.control(rateLimit=2)
        assert [(await calendly.api("GET", "/users/me"))[0] for _ in range(3)] == [200, 200, 429]
        await calendly.control(rateLimit=100, faults=[{"on": "GET /users/me", "kind": "500"}])
        assert [(await calendly.api("GET", "/users/me"))[0] for _ in range(2)] == [500, 200]

    simulate(tmp_path, scenario)


@pytest.mark.skipif(not PAYLOADS.exists(), reason="the captured deliveries are not here")
def test_deliveries_have_the_shape_of_captured_ones(tmp_path: Path) -> None:
    async def scenario(calendly: Simulated) -> None:
        await calendly.signed_in()
        await calendly.subscribed()
        kind = await first_event_type(calendly)
        booked = await calendly.people("book", event_type=kind["uri"], start="2027-03-08T15:00:00Z")
        moved = await calendly.people("reschedule", invitee=booked["uri"], start="2027-03-09T15:00:00Z")
        await calendly.clock.pin(datetime(2027, 3, 9, 15, 30, tzinfo=UTC))
        await calendly.people("no-show", invitee=moved["uri"])
        await calendly.people("edit-event-type", uri=kind["uri"], duration=45)
        names = {
            "invitee.created": "invitee.created",
            "invitee.canceled": "reschedule.invitee.canceled",
            "invitee_no_show.created": "invitee_no_show.created",
            "event_type.updated": "event_type.updated",
        }
        for event in await calendly.arrived(5):
            captured = json.loads((PAYLOADS / f"{names[event['event']]}.json").read_text())
            ours, theirs = shape(event), shape(captured)
            for part in (ours["payload"], theirs["payload"]):
                for newer in ("start_time_increment", "before_buffer", "after_buffer"):  # since 13 November 2026
                    part.pop(newer, None)
                part.get("scheduled_event", {}).get("location", {}).pop("data", None)  # null until it is pushed
                part.pop("questions_and_answers", None)
                part.pop("duration_options", None)
            assert ours == theirs, event["event"]

    simulate(tmp_path, scenario)


@pytest.mark.skipif(not SPECIFICATION.exists(), reason="Calendly's OpenAPI document is not here")
def test_answers_are_those_of_calendlys_own_document(tmp_path: Path) -> None:
    async def scenario(calendly: Simulated) -> None:
        await calendly.control(record=True)
        await calendly.signed_in()
        me = (await calendly.api("GET", "/users/me"))[1]["resource"]
        hook = (await calendly.subscribed())[1]["resource"]
        await calendly.subscribed()
        kind = await first_event_type(calendly)
        booked = await calendly.people("book", event_type=kind["uri"], start="2027-03-08T15:00:00Z")
        moved = await calendly.people("reschedule", invitee=booked["uri"], start="2027-03-09T15:00:00Z")
        mine = {"user": me["uri"]}
        paths = {
            "/event_types": mine,
            "/event_types/" + kind["uri"].rsplit("/", 1)[1]: {},
            "/scheduled_events": mine | {"sort": "start_time:asc", "count": "1"},
            "/" + "/".join(moved["event"].split("/")[-2:]): {},
            "/" + "/".join(moved["event"].split("/")[-2:]) + "/invitees": {},
            "/" + "/".join(moved["uri"].split("/")[-4:]): {},
            "/webhook_subscriptions": mine | {"organization": me["current_organization"], "scope": "user"},
            "/" + "/".join(hook["uri"].split("/")[-2:]): {},
            "/user_busy_times": mine | {"start_time": "2027-03-08T00:00:00Z", "end_time": "2027-03-15T00:00:00Z"},
        }
        for path, query in paths.items():
            assert (await calendly.api("GET", path, **query))[0] == 200, path
        await calendly.clock.pin(datetime(2027, 3, 9, 15, 30, tzinfo=UTC))
        await calendly.signed_in()
        status, missed = await calendly.api("POST", "/invitee_no_shows", {"invitee": moved["uri"]})
        assert status == 201
        assert (await calendly.api("DELETE", "/" + "/".join(missed["resource"]["uri"].split("/")[-2:])))[0] == 204
        event = "/" + "/".join(moved["event"].split("/")[-2:])
        assert (await calendly.api("POST", f"{event}/cancellation", {"reason": "Ill"}))[0] == 201
        assert (await calendly.api("POST", f"{event}/cancellation", {"reason": "Ill"}))[0] == 403
        assert (await calendly.api("GET", "/scheduled_events/none"))[0] == 404
        counts, wrong = violations(calendly.calendly._log)
        print(f"checked against Calendly's document: {counts['requests']} requests, {counts['responses']} answers")
        assert wrong == []
        assert counts["requests"] >= 14

    simulate(tmp_path, scenario)
