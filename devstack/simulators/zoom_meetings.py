"""Zoom's meetings as they are kept: what a call makes of one, what happens in it, and what a report says then."""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

from devstack.clock import Clock
from devstack.simulators.base import Row, Store

ACCOUNT_ID = "Kx8fQ2wTSpOeLocalStack0"
TYPES = (1, 2, 3, 8)
SETTINGS: Row = {
    "host_video": False,
    "participant_video": False,
    "join_before_host": False,
    "jbh_time": 0,
    "mute_upon_entry": False,
    "watermark": False,
    "use_pmi": False,
    "approval_type": 2,
    "audio": "both",
    "auto_recording": "none",
    "alternative_hosts": "",
    "waiting_room": True,
    "meeting_authentication": False,
}
FIELDS = ("topic", "type", "start_time", "duration", "timezone", "password", "agenda")
PERSON_FIELDS = ("registrant_id", "customer_key", "phone_number")
Notify = Callable[[str, Row], None]


class InvalidFieldsError(Exception):
    """Fields that Zoom does not accept: (field, message)."""

    def __init__(self, *faults: tuple[str, str]) -> None:
        super().__init__("Validation Failed.")
        self.faults = faults


class Meetings:
    """`notify` is told each event and its object."""

    def __init__(self, store: Store, clock: Clock, notify: Notify) -> None:
        self._store = store
        self._clock = clock
        self._notify = notify

    def create(self, email: str, body: Row) -> Row:
        _check(body)
        number = 80_000_000_000 + secrets.randbelow(10**10)
        meeting: Row = {
            "uuid": _new_uuid(),
            "id": number,
            "host_id": host_id(email),
            "host_email": email,
            "topic": "Zoom Meeting",
            "type": 2,
            "status": "waiting",
            "start_time": self._now(),
            "duration": 60,
            "timezone": "UTC",
            "agenda": "",
            "created_at": self._now(),
            "password": secrets.token_hex(3),
            "h323_password": "123456",
            "pstn_password": "123456",
            "encrypted_password": secrets.token_urlsafe(20),
            "settings": dict(SETTINGS),
            "pre_schedule": False,
        }
        meeting["join_url"] = f"https://us06web.zoom.us/j/{number}?pwd={meeting['encrypted_password']}"
        return self._changed(meeting, body)

    def change(self, meeting: Row, body: Row) -> Row:
        _check(body)
        return self._changed(meeting, body)

    def shown(self, meeting: Row) -> Row:
        """As a reader gets it: with a start link of this moment, which works as a key."""
        zak = f"eyJ{secrets.token_urlsafe(24)}"
        return meeting | {"start_url": f"https://us06web.zoom.us/s/{meeting['id']}?zak={zak}"}

    def find(self, number: str) -> Row | None:
        return self._store.get("meeting", number)

    def of_host(self, email: str, kind: str) -> list[Row]:
        """Without what only the meeting itself shows: agenda and settings."""
        mine = [meeting for meeting in self._store.all("meeting") if meeting["host_email"] == email]
        if kind == "live":
            mine = [meeting for meeting in mine if meeting["status"] == "started"]
        keys = (
            "uuid",
            "id",
            "host_id",
            "topic",
            "type",
            "start_time",
            "duration",
            "timezone",
            "created_at",
            "join_url",
        )
        return [{key: meeting[key] for key in keys} for meeting in sorted(mine, key=lambda each: each["id"])]

    def delete(self, meeting: Row) -> None:
        self._store.delete("meeting", str(meeting["id"]))

    def act(self, action: Row) -> None:
        """Something happens in a meeting: {meeting, do: start|end|join|leave, who?, at?, uuid?}."""
        meeting = self.find(str(action.get("meeting")))
        if meeting is None:
            raise ValueError(f"there is no meeting {action.get('meeting')}")
        at = str(action.get("at") or self._now())
        match action.get("do"):
            case "start":
                self._start(meeting, at, action.get("uuid"))
            case "end":
                self._end(meeting, at)
            case "join" | "leave" as what:
                self._move(meeting, what, at, str(action.get("who", "guest")))
            case other:
                raise ValueError(f"do is start, end, join or leave, not {other}")

    def instances(self, number: str) -> list[Row]:
        ended = [each for each in self._store.all("instance") if str(each["id"]) == number and each["end_time"]]
        return sorted(ended, key=lambda each: str(each["start_time"]))

    def instance(self, name: str) -> Row | None:
        """By uuid, or the last one by the meeting's number."""
        found = self._store.get("instance", name)
        return found or next(iter(reversed(self.instances(name))), None)

    def participants(self, uuid: str) -> list[Row]:
        """Those who left, once for each time; nothing when nobody else was there."""
        rows = [row for row in self._store.all("presence") if row["uuid"] == uuid and row["leave_time"]]
        return rows if len({row["who"] for row in rows}) > 1 else []

    def _start(self, meeting: Row, at: str, uuid: Any) -> None:
        meeting |= {"status": "started", "uuid": str(uuid or meeting["uuid"])}
        self._store.put("meeting", str(meeting["id"]), meeting)
        instance = {key: meeting[key] for key in ("uuid", "id", "host_id", "topic", "type", "duration", "timezone")}
        self._store.put("instance", meeting["uuid"], instance | {"start_time": at, "end_time": None})
        self._notify("meeting.started", _told(meeting, at))

    def _end(self, meeting: Row, at: str) -> None:
        instance = self._store.get("instance", meeting["uuid"])
        if meeting["status"] != "started" or instance is None:
            raise ValueError("the meeting is not in progress")
        for row in self._store.all("presence"):
            if row["uuid"] == meeting["uuid"] and not row["leave_time"]:
                self._move(meeting, "leave", at, row["who"])
        self._store.put("instance", meeting["uuid"], instance | {"end_time": at})
        self._notify("meeting.ended", _told(meeting, instance["start_time"]) | {"end_time": at})
        self._store.put("meeting", str(meeting["id"]), meeting | {"status": "waiting", "uuid": _new_uuid()})

    def _move(self, meeting: Row, what: str, at: str, who: str) -> None:
        uuid, is_host = meeting["uuid"], who == "host"
        if what == "join":
            name = f"{uuid}/{who}/{secrets.token_hex(4)}"
            row: Row = {"uuid": uuid, "who": who, "join_time": at, "leave_time": None, "name": name}
            row |= {"user_id": str(16_778_240 + secrets.randbelow(10**6)), "participant_uuid": _guid()}
        else:
            rows = [r for r in self._store.all("presence") if (r["uuid"], r["who"]) == (uuid, who)]
            row = next((r for r in rows if not r["leave_time"]), {})
            if not row:
                raise ValueError(f"{who} is not in the meeting")
            row["leave_time"] = at
        self._store.put("presence", row["name"], row)
        person: Row = dict.fromkeys(PERSON_FIELDS, "") | {"user_id": row["user_id"], "user_name": who.title()}
        known = meeting["host_id"] if is_host else ""
        person |= {"id": known, "participant_user_id": known, "email": meeting["host_email"] if is_host else ""}
        person |= {"participant_uuid": row["participant_uuid"], f"{what}_time": at}
        if what == "leave":
            person["leave_reason"] = f"{who.title()} left the meeting.<br>Reason: left the meeting."
        instance = self._store.get("instance", uuid) or {"start_time": at}
        event = "meeting.participant_joined" if what == "join" else "meeting.participant_left"
        self._notify(event, _told(meeting, instance["start_time"]) | {"participant": person})

    def _changed(self, meeting: Row, body: Row) -> Row:
        meeting = meeting | {key: body[key] for key in FIELDS if body.get(key) is not None}
        meeting["settings"] = {**meeting["settings"], **(body.get("settings") or {})}
        self._store.put("meeting", str(meeting["id"]), meeting)
        return meeting

    def _now(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def host_id(email: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(email.lower().encode()).digest())[:22].decode().replace("-", "A")


def report_row(row: Row, meeting: Row) -> Row:
    """A participant in the report."""
    seconds = (datetime.fromisoformat(row["leave_time"]) - datetime.fromisoformat(row["join_time"])).total_seconds()
    is_host = row["who"] == "host"
    return {
        "id": meeting["host_id"] if is_host else "",
        "user_id": row["user_id"],
        "name": row["who"].title(),
        "user_email": "",
        "join_time": row["join_time"],
        "leave_time": row["leave_time"],
        "duration": int(seconds),
    }


def _told(meeting: Row, started: str) -> Row:
    """An event's object: here the number is text, and the duration the booked one."""
    keys = ("uuid", "host_id", "topic", "type", "timezone", "duration")
    return {"id": str(meeting["id"]), **{key: meeting[key] for key in keys}, "start_time": started}


def _check(body: Row) -> None:
    faults = []
    for field, kind, longest in (("topic", str, 200), ("agenda", str, 2000), ("timezone", str, 64)):
        value = body.get(field)
        if value is not None and not (isinstance(value, kind) and len(value) <= longest):
            faults.append((field, f"{field} must be text of at most {longest} characters."))
    if not isinstance(body.get("type", 2), int) or body.get("type", 2) not in TYPES:
        faults.append(("type", "type must be 1, 2, 3 or 8."))
    duration = body.get("duration", 60)
    if isinstance(duration, bool) or not isinstance(duration, int) or not 1 <= duration <= 1440:
        faults.append(("duration", "duration must be a number of minutes."))
    if (start := body.get("start_time")) is not None and not _is_instant(start):
        faults.append(("start_time", "start_time must be yyyy-MM-ddTHH:mm:ssZ."))
    if not re.fullmatch(r"[a-zA-Z0-9@\-_*!]{0,10}", str(body.get("password", ""))):
        faults.append(("password", "password may have at most 10 characters of [a-z A-Z 0-9 @ - _ * !]."))
    if not isinstance(body.get("settings") or {}, dict):
        faults.append(("settings", "settings must be an object."))
    if faults:
        raise InvalidFieldsError(*faults)


def _is_instant(value: Any) -> bool:
    try:
        return str(value).endswith("Z") and bool(datetime.strptime(str(value), "%Y-%m-%dT%H:%M:%S%z"))
    except ValueError:
        return False


def _new_uuid() -> str:
    return base64.b64encode(secrets.token_bytes(16)).decode()


def _guid() -> str:
    digits = secrets.token_hex(16).upper()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
