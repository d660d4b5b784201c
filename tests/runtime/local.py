"""What a built function needs to run against a local stack: its variables, and its event from events/ filled in."""

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from devstack.intrinsics import REGION
from devstack.template import Template, load
from tests.support.stack import ROOT, SignedIn, Stack
from tests.support.story import PROFILE, at, book, iso, next_weekday, published_coach
from tests.support.webhooks import SENDERS, Sender

Event = dict[str, Any]
SAMPLE_COACH = "0d5f8a52-6f0e-4c39-9a53-1be1d6f0a7c1"
SAMPLE_SESSION = "7f1c7b8e-2a4d-4e0b-9c55-3f7a9d21e6b0"


def template(stack: Stack) -> Template:
    """template.yaml with the values of this stack at this moment (tests before may have rotated keys)."""
    info = stack.http.get("/_dev/info").raise_for_status().json()
    endpoint, values = info["awsEndpointUrl"], info["variables"]
    return load(ROOT / "template.yaml", endpoint=endpoint, parameters={"Stage": "local"}, variables=values)


def variables(stack: Stack, function: str) -> dict[str, str]:
    """The environment of a function, with where the local AWS is and credentials that it takes."""
    credentials = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "local")
    aws = {"AWS_ENDPOINT_URL": stack.info["awsEndpointUrl"], "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
    return {**credentials, **aws, **template(stack).functions[function].environment}


def sample(name: str, *, caller: SignedIn | None = None, coach: SignedIn | None = None, **body: Any) -> Event:
    """The event of events/ with a real token, a real coach, and these members of its body replaced."""
    text = (ROOT / "events" / f"{name}.json").read_text()
    if coach:
        text = text.replace(SAMPLE_COACH, coach.user_id)
    event: Event = json.loads(text)
    if caller:
        event["headers"]["authorization"] = f"Bearer {caller.token}"
    return with_body(event, json.dumps({**json.loads(event["body"]), **body})) if body else event


def with_body(event: Event, body: str) -> Event:
    return {**event, "body": body, "headers": {**event["headers"], "content-length": str(len(body.encode()))}}


def _coach_profile(stack: Stack) -> Event:
    return sample("coach_profile", caller=stack.user("COACH"))


def _coaching_availability(stack: Stack) -> Event:
    coach = stack.user("COACH")
    assert coach.post("/api/coach/profile", PROFILE).status_code == 201
    return sample("coaching_availability", caller=coach)


def _coaching_slots(stack: Stack) -> Event:
    return slots_event(stack.user("MENTEE"), published_coach(stack))


def slots_event(caller: SignedIn, coach: SignedIn) -> Event:
    """A week of slots that lies ahead, whenever it is asked for."""
    event = sample("coaching_slots", caller=caller, coach=coach)
    week = {"from": iso(at(next_weekday(), "00:00")), "to": iso(at(next_weekday(weeks=2), "00:00"))}
    query = event["queryStringParameters"] | week
    return {**event, "queryStringParameters": query, "rawQueryString": "&".join(f"{k}={v}" for k, v in query.items())}


def _sessions(stack: Stack) -> Event:
    start = iso(at(next_weekday(), "10:00"))
    return sample("sessions", caller=stack.user("MENTEE"), coach=published_coach(stack), start=start)


def _session_changes(stack: Stack) -> Event:
    mentee = stack.user("MENTEE")
    session = book(mentee, published_coach(stack), at(next_weekday(), "10:00")).json()["data"]
    event = sample("session_changes", caller=mentee, version=session["version"])
    filled: Event = json.loads(json.dumps(event).replace(SAMPLE_SESSION, session["id"]))
    return filled


def _user(stack: Stack) -> Event:
    user = stack.user("MENTEE")
    return sample("user", caller=user, version=user.get("/api/user").json()["data"]["version"])


def _user_role(stack: Stack) -> Event:
    admin, user = stack.user("ADMIN"), stack.user("MENTEE")
    version = admin.get("/api/user/role", params={"userId": user.user_id}).json()["data"]["version"]
    return sample("user_role", caller=admin, coach=user, version=version)


def _signed(sender: Sender) -> Callable[[Stack], Event]:
    """A provider's event, signed now with the stack's own secret."""

    def filled_in(stack: Stack) -> Event:
        event = sample(sender.name)
        event["headers"] |= sender.sign(event["body"].encode(), sender.secret(stack), int(time.time()))
        return event

    return filled_in


def _clerk_events(stack: Stack) -> Event:
    """A batch with two stored events, one of which nothing was heard of."""
    event = sample("clerk_events")
    with stack.database() as database:
        row = database.execute(
            "insert into private.webhook_event (provider, external_id, type, payload) "
            "values ('clerk', %s, 'user.created', %s) returning id",
            [f"msg_{uuid4().hex}", sample("clerk")["body"]],
        ).fetchone()
    assert row is not None
    event["Records"][0]["body"] = json.dumps({"eventId": str(row["id"])})
    return event


def _member_imports(stack: Stack) -> Event:
    """A message about an import that is over."""
    made = stack.user("ADMIN").post("/api/members/import", {"csv": "MemberEmail\r\n"}).json()["data"]
    event = sample("member_imports")
    event["Records"][0]["body"] = json.dumps({"importId": made["id"]})
    return event


FILLED: dict[str, Callable[[Stack], Event]] = {
    **{sender.name: _signed(sender) for sender in SENDERS},
    "clerk_events": _clerk_events,
    "coach_profile": _coach_profile,
    "coaching_availability": _coaching_availability,
    "coaching_slots": _coaching_slots,
    "member_export": lambda stack: sample("member_export", caller=stack.user("ADMIN")),
    "member_import": lambda stack: sample("member_import", caller=stack.user("ADMIN")),
    "member_imports": _member_imports,
    "session_changes": _session_changes,
    "sessions": _sessions,
    "user": _user,
    "user_role": _user_role,
}


def filled(stack: Stack, name: str) -> Event:
    """A function's event, with everything in it that this stack knows; from somebody who may do anything."""
    if name in FILLED:
        return FILLED[name](stack)
    signed_in = "authorization" in json.loads((ROOT / "events" / f"{name}.json").read_text()).get("headers", {})
    return sample(name, caller=stack.user("ADMIN", "COACH", "MENTEE") if signed_in else None)
