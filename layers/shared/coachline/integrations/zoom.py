"""Zoom's REST API, as far as sessions need it, with a server-to-server token. developers.zoom.us/docs/api/meetings

`start_url` is never kept: it carries its host's key, and Zoom makes a new one for every reader (2 h).
"""

import secrets as random_source
import string
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

from coachline import secrets
from coachline.providers import Provider
from coachline.secrets import ZoomCredentials
from coachline.settings import zoom_settings

SCHEDULED = 2
PAGE_SIZE = 300
MOST_PAGES = 20
EARLY_SECONDS = 300  # a token is replaced before it can expire on its way
NO_SUCH_HOST = frozenset({"1001", "1010"})  # not a user, not of this account
_PASSCODE = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Meeting:
    """A meeting at Zoom; `id` is its number, up to 11 digits and more."""

    id: int
    join_url: str


class Zoom:
    """One account's API. Raises what `coachline.providers` does."""

    def __init__(self, credentials: ZoomCredentials, api_url: str, auth_url: str) -> None:
        self._credentials = credentials
        self._auth = Provider("zoom_auth", auth_url, code_of=lambda body: (str(body.get("error", "")), ""))
        self._api = Provider("zoom", api_url, token=self._token, code_of=_code)
        self._cached: tuple[str, float] | None = None

    @property
    def default_host(self) -> str:
        """Who hosts for coaches that are not in the account."""
        return self._credentials.default_host

    def create(self, host: str, session_id: str, wanted: Mapping[str, Any]) -> Meeting:
        """A meeting of that host, a user's id or address; Missing when there is no such user."""
        passcode = "".join(random_source.choice(_PASSCODE) for _ in range(8))
        body = {"type": SCHEDULED, "password": passcode, **_described(session_id, wanted)}
        return _meeting(self._api.call("POST", f"/users/{quote(host, safe='')}/meetings", json=body))

    def update(self, meeting_id: int, session_id: str, wanted: Mapping[str, Any]) -> None:
        """Make a meeting what is wanted; the same call twice does no more than once, but for the day's limit."""
        self._api.call("PATCH", f"/meetings/{meeting_id}", json=_described(session_id, wanted))

    def delete(self, meeting_id: int) -> None:
        """Delete a meeting; Missing when it is gone already."""
        self._api.call("DELETE", f"/meetings/{meeting_id}")

    def start_url(self, meeting_id: int) -> str:
        """A fresh link that starts a meeting as its host. Give it to the coach, and to nothing that keeps things."""
        url: str = self._api.call("GET", f"/meetings/{meeting_id}")["start_url"]
        return url

    def find(self, host: str, session_id: str) -> Meeting | None:
        """The meeting that was made for a session, if it was: the list shows topics, only the meeting its agenda."""
        for listed in self._pages(f"/users/{quote(host, safe='')}/meetings", "meetings", type="scheduled"):
            if str(listed.get("topic", "")).endswith(_reference(session_id)):
                found = self._api.call("GET", f"/meetings/{listed['id']}")
                if session_id in str(found.get("agenda", "")):
                    return _meeting(found)
        return None

    def instances(self, meeting_id: int) -> list[str]:
        """The uuids of a meeting's past instances; Missing when it never took place."""
        answer = self._api.call("GET", f"/past_meetings/{meeting_id}/instances")
        return [each["uuid"] for each in answer["meetings"]]

    def instance(self, uuid: str) -> dict[str, Any]:
        """A past instance: its host, start and end."""
        answer: dict[str, Any] = self._api.call("GET", f"/past_meetings/{_in_path(uuid)}")
        return answer

    def participants(self, uuid: str) -> Iterator[dict[str, Any]]:
        """Who was in an instance, once for each time of joining; Zoom has nothing to tell of a lone participant."""
        return self._pages(f"/report/meetings/{_in_path(uuid)}/participants", "participants")

    def _pages(self, path: str, field: str, **params: Any) -> Iterator[dict[str, Any]]:
        token = ""
        for _ in range(MOST_PAGES):
            more = {"next_page_token": token} if token else {}
            answer = self._api.call("GET", path, params={"page_size": PAGE_SIZE, **params, **more})
            yield from answer[field]
            token = answer.get("next_page_token") or ""
            if not token:
                return

    def _token(self, rejected: str | None) -> str:
        if self._cached and self._cached[0] != rejected and time.monotonic() < self._cached[1]:
            return self._cached[0]
        form = {"grant_type": "account_credentials", "account_id": self._credentials.account_id}
        basic = (self._credentials.client_id, self._credentials.client_secret)
        answer = self._auth.call("POST", "/oauth/token", form=form, basic=basic, repeatable=True)
        self._cached = answer["access_token"], time.monotonic() + answer["expires_in"] - EARLY_SECONDS
        return self._cached[0]


@cache
def account() -> Zoom:
    """Our Zoom account; one client, and one token, per execution environment."""
    settings = zoom_settings()
    return Zoom(secrets.zoom(), settings.api_url, settings.auth_url)


def _described(session_id: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A waiting room keeps everyone out until the host lets them in, so nobody joins before the host."""
    return {
        "topic": f"{wanted['topic']} {_reference(session_id)}",
        "agenda": f"Coaching session {session_id}",
        "start_time": wanted["start_time"],
        "duration": wanted["duration"],
        "timezone": wanted["timezone"],
        "settings": {
            "waiting_room": wanted["waiting_room"],
            "join_before_host": False,
            "use_pmi": False,
            "approval_type": 2,
            "auto_recording": "none",
        },
    }


def _reference(session_id: str) -> str:
    return f"[{session_id[:8]}]"


def _meeting(answer: Mapping[str, Any]) -> Meeting:
    return Meeting(int(answer["id"]), answer["join_url"])


def _in_path(uuid: str) -> str:
    """Encoded for a path: twice when it holds what a router would take for a separator."""
    once = quote(uuid, safe="")
    return quote(once, safe="") if uuid.startswith("/") or "//" in uuid else once


def _code(body: Mapping[str, Any]) -> tuple[str, str]:
    return str(body.get("code", "")), str(body.get("message", ""))
