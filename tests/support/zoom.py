"""Zoom as tests see it: the simulator's own API, what happens in meetings, and its events."""

import json
import time
from functools import cached_property
from typing import Any

import httpx

from devstack.config import Keys
from devstack.simulators.zoom import CLIENT_ID
from devstack.simulators.zoom_meetings import ACCOUNT_ID
from tests.support.stack import SignedIn, Stack, wait_until


class ZoomAccount:
    """The account that a stack's sessions are held in."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    @cached_property
    def http(self) -> httpx.Client:
        assert self.stack.directory
        basic = (CLIENT_ID, Keys.load(self.stack.directory).zoom_client_secret)
        form = {"grant_type": "account_credentials", "account_id": ACCOUNT_ID}
        token = httpx.post(f"{self.stack.base_url}/_sim/zoom/oauth/token", data=form, auth=basic).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=f"{self.stack.base_url}/_sim/zoom/v2", headers=headers, timeout=30)

    def meetings(self, coach: SignedIn) -> list[dict[str, Any]]:
        """What the coach hosts, whole."""
        email = coach.get("/api/user").json()["data"]["email"]
        listed = self.http.get(f"/users/{email}/meetings", params={"type": "scheduled", "page_size": 300})
        return [self.http.get(f"/meetings/{each['id']}").json() for each in listed.json()["meetings"]]

    def control(self, **options: Any) -> httpx.Response:
        return self.stack.http.post("/_sim/zoom/_control", json=options)

    def act(self, meeting: Any, *actions: dict[str, Any]) -> None:
        answer = self.control(act=[{"meeting": meeting, **action} for action in actions])
        assert answer.status_code == 200, answer.text

    def fault(self, on: str, kind: str, times: int = 1, **more: Any) -> None:
        assert self.control(faults=[{"on": on, "kind": kind, "times": times, **more}]).status_code == 200


def zoom_event(kind: str, number: int, uuid: str, at: str, **more: Any) -> bytes:
    """An event as Zoom's payload samples have it; `participant` for joining and leaving."""
    field = {"meeting.started": "start_time", "meeting.ended": "end_time"}.get(kind)
    meeting: dict[str, Any] = {"id": str(number), "uuid": uuid, "host_id": "host", "topic": "x", "type": 2, **more}
    if field:
        meeting[field] = at
    payload = {"account_id": ACCOUNT_ID, "object": meeting}
    return json.dumps({"event": kind, "event_ts": int(time.time() * 1000), "payload": payload}).encode()


def meeting_row(stack: Stack, session_id: str) -> dict[str, Any]:
    with stack.database() as database:
        row = database.execute("select * from private.meeting where session_id = %s", [session_id]).fetchone()
    return row or {}


def ready(stack: Stack, session_id: str) -> dict[str, Any]:
    """The session's meeting row once Zoom has been told of it."""
    wait_until(lambda: stack.drain() and meeting_row(stack, session_id).get("zoom_id"), what="the meeting")
    return meeting_row(stack, session_id)
