"""What Calendly holds: coaches, their event types, bookings, no-shows and busy calendars, and what happens to them.

Shapes: Calendly's API reference and captured deliveries; calendly.json holds what is the same in every object.
"""

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp import web

from devstack.clock import Clock
from devstack.simulators.base import Row, Store

API = "https://api.calendly.com"
OBJECTS: dict[str, Row] = json.loads(Path(__file__).with_name("calendly.json").read_text())
DEMO_COACH = "casey.coach@example.com"
BUFFERS = {"before_buffer", "after_buffer"}


class CalendlyError(Exception):
    """A refusal in Calendly's shape."""

    def __init__(
        self, status: int, title: str, message: str, parameter: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        body: Row = {"title": title, "message": message}
        if parameter:
            body["details"] = [{"parameter": parameter, "message": message}]
        self.status, self.body, self.headers = status, body, headers or {}
        self.response = web.json_response(body, status=status, headers=headers)


def refuse(status: int, message: str, parameter: str = "") -> CalendlyError:
    titles = {400: "Invalid Argument", 401: "Unauthenticated", 403: "Permission Denied", 404: "Resource Not Found"}
    return CalendlyError(status, titles.get(status, "Already Exists"), message, parameter)


def stamp(at: datetime) -> str:
    """UTC with six decimals, as every time of Calendly's is."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instant(text: Any, parameter: str = "start_time") -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise refuse(400, "must be a valid time", parameter) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


class World:
    """`notify` is told (event name, user uri, payload) of everything that webhooks speak of."""

    def __init__(self, store: Store, clock: Clock, notify: Callable[[str, str, Row], None]) -> None:
        self._store = store
        self._clock = clock
        self._notify = notify
        self._last = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """The stack's time, never the same twice: what happened first is told apart even while the clock stands."""
        now = self._clock.now()
        if timedelta(0) <= self._last - now < timedelta(seconds=1):
            now = self._last + timedelta(microseconds=1)
        self._last = now
        return now

    def expired(self, at: str) -> bool:
        return datetime.fromisoformat(at) <= self._clock.now()

    def until(self, life: timedelta) -> str:
        return stamp(self._clock.now() + life)

    def get(self, kind: str, uri: str) -> Row:
        found = self._store.get(kind, uri)
        if found is None:
            raise refuse(404, "The server could not find the requested resource.")
        return found

    def all(self, kind: str, **fields: Any) -> list[Row]:
        return [row for row in self._store.all(kind) if all(row[name] == value for name, value in fields.items())]

    # ---- Coaches

    def coach(self, email: str = DEMO_COACH, name: str = "", timezone: str = "America/New_York") -> Row:
        """The coach with this address, who is new to Calendly if need be and then has one event type."""
        for user in self.all("user", email=email.lower()):
            return user
        now, slug = stamp(self.now()), email.partition("@")[0].replace(".", "-")
        user = deepcopy(OBJECTS["user"]) | {
            "uri": f"{API}/users/{uuid4()}",
            "name": name or slug.replace("-", " ").title(),
            "slug": slug,
            "email": email.lower(),
            "scheduling_url": f"https://calendly.com/{slug}",
            "timezone": timezone,
            "created_at": now,
            "updated_at": now,
            "current_organization": f"{API}/organizations/{uuid4()}",
        }
        self._store.put("user", user["uri"], user)
        self.add_event_type(user, name="60 Minute Coaching Session")
        return user

    def add_event_type(self, user: Row, **fields: Any) -> Row:
        now, name = stamp(self.now()), str(fields.get("name", "Coaching"))
        slug = name.lower().replace(" ", "-")
        made = deepcopy(OBJECTS["event_type"]) | {
            "uri": f"{API}/event_types/{uuid4()}",
            "slug": slug,
            "scheduling_url": f"{user['scheduling_url']}/{slug}",
            "created_at": now,
            "updated_at": now,
            "profile": {"type": "User", "name": user["name"], "owner": user["uri"]},
            **fields,
        }
        self._store.put("event_type", made["uri"], made)
        self._notify("event_type.created", user["uri"], made)
        return made

    def change_event_type(self, uri: str, **changes: Any) -> Row:
        """Change an event type; with `deleted` it is removed from lists and stays readable."""
        kind = "event_type.deleted" if changes.pop("deleted", False) else "event_type.updated"
        now = stamp(self.now())
        if kind == "event_type.deleted":
            changes |= {"active": False, "deleted_at": now}
        changed = self.get("event_type", uri) | changes | {"updated_at": now}
        self._store.put("event_type", uri, changed)
        self._notify(kind, changed["profile"]["owner"], changed)
        return changed

    def add_busy(self, user_uri: str, start: datetime, end: datetime) -> Row:
        row: Row = {"id": str(uuid4()), "user": user_uri, "start_time": stamp(start), "end_time": stamp(end)}
        self._store.put("busy", row["id"], row)
        return row

    def remove_busy(self, busy: str) -> None:
        self._store.delete("busy", busy)

    def busy_times(self, user_uri: str, start: datetime, end: datetime) -> list[Row]:
        found = [
            {"type": "external", "start_time": row["start_time"], "end_time": row["end_time"]}
            for row in self.all("busy", user=user_uri)
        ]
        for event in self._active(user_uri):
            before, after = self._reach(event)
            found.append(
                {
                    "type": "calendly",
                    "start_time": event["start_time"],
                    "end_time": event["end_time"],
                    "buffered_start_time": stamp(before),
                    "buffered_end_time": stamp(after),
                    "event": {"uri": event["uri"]},
                }
            )
        overlapping = [row for row in found if instant(row["start_time"]) < end and instant(row["end_time"]) > start]
        return sorted(overlapping, key=lambda row: str(row["start_time"]))

    # ---- Bookings

    def book(
        self, event_type_uri: str, start: datetime, *, old: Row | None = None, duration: int | None = None, **who: str
    ) -> Row:
        """An invitee's booking; 409 when the coach is not free, with the buffers of the event types around."""
        event_type = self.get("event_type", event_type_uri)
        owner = self.get("user", event_type["profile"]["owner"])
        end = start + timedelta(minutes=duration or event_type["duration"])
        moved_from = old["event"] if old else None
        span = start, end, event_type
        if any(self._clashes(event, *span) for event in self._active(owner["uri"]) if event["uri"] != moved_from):
            raise CalendlyError(409, "Already Exists", "That time is not available.")
        now = stamp(self.now())
        event = deepcopy(OBJECTS["event"]) | {
            "uri": f"{API}/scheduled_events/{uuid4()}",
            "name": event_type["name"],
            "start_time": stamp(start),
            "end_time": stamp(end),
            "event_type": event_type["uri"],
            "invitees_counter": {"total": 1, "active": 1, "limit": 1},
            "created_at": now,
            "updated_at": now,
            "event_memberships": [{"user": owner["uri"], "user_email": owner["email"], "user_name": owner["name"]}],
        }
        event["location"] = event["location"] | {
            "status": "pushed",
            "join_url": "https://us06web.zoom.us/j/85746065432",
        }
        person, name = str(uuid4()), who.get("name", "Jordan Rivera")
        invitee = deepcopy(OBJECTS["invitee"]) | {
            "uri": f"{event['uri']}/invitees/{person}",
            "event": event["uri"],
            "email": who.get("email", "jordan.rivera@example.com"),
            "name": name,
            "first_name": name.partition(" ")[0],
            "last_name": name.partition(" ")[2],
            "timezone": who.get("timezone", "America/Chicago"),
            "cancel_url": f"https://calendly.com/cancellations/{person}",
            "reschedule_url": f"https://calendly.com/reschedulings/{person}",
            "created_at": now,
            "updated_at": now,
            "old_invitee": old["uri"] if old else None,
        }
        self._store.put("event", event["uri"], event)
        self._store.put("invitee", invitee["uri"], invitee)
        self._tell("invitee.created", invitee)
        return invitee

    def cancel(self, invitee: str, *, by: str = "invitee", reason: str | None = None, new: Row | None = None) -> Row:
        """Cancel a booking, or what remains of one that was moved to `new`."""
        row = self.get("invitee", invitee)
        event = self.get("event", row["event"])
        if event["status"] == "canceled":
            raise refuse(403, "Event is already canceled")
        if instant(event["end_time"]) <= self._clock.now():
            raise refuse(403, "Event in the past")
        now = stamp(self.now())
        canceler = event["event_memberships"][0]["user_name"] if by == "host" else row["name"]
        cancellation = {"canceled_by": canceler, "canceler_type": by, "created_at": now, "reason": reason}
        event |= {"status": "canceled", "cancellation": cancellation, "updated_at": now}
        event["invitees_counter"] = event["invitees_counter"] | {"active": 0}
        row |= {"status": "canceled", "cancellation": cancellation, "updated_at": now}
        row |= {"rescheduled": new is not None, "new_invitee": new["uri"] if new else None}
        self._store.put("event", event["uri"], event)
        self._store.put("invitee", row["uri"], row)
        self._tell("invitee.canceled", row)
        return row

    def reschedule(self, invitee: str, start: datetime) -> Row:
        """Move a booking: a new invitee of a new event, and the old one canceled. No order of the two is promised."""
        old = self.get("invitee", invitee)
        event = self.get("event", old["event"])
        if event["status"] == "canceled":
            raise refuse(403, "Event is already canceled")
        who = {name: old[name] for name in ("email", "name", "timezone")}
        length = instant(event["end_time"]) - instant(event["start_time"])
        new = self.book(event["event_type"], start, old=old, duration=int(length.total_seconds() / 60), **who)
        self.cancel(invitee, new=new)
        return new

    def mark_no_show(self, invitee: str) -> Row:
        row = self.get("invitee", invitee)
        event = self.get("event", row["event"])
        if instant(event["start_time"]) > self._clock.now():
            raise refuse(400, "Event has not started yet", "invitee")
        if row["no_show"]:
            raise CalendlyError(409, "Already Exists", "Invitee is already marked as no show")
        made = {"uri": f"{API}/invitee_no_shows/{uuid4()}", "created_at": stamp(self.now())}
        self._store.put("no_show", made["uri"], made | {"invitee": invitee})
        self._store.put("invitee", invitee, row | {"no_show": made})
        self._tell("invitee_no_show.created", self.get("invitee", invitee))
        return made | {"invitee": invitee}

    def withdraw_no_show(self, no_show: str) -> None:
        invitee = self.get("invitee", self.get("no_show", no_show)["invitee"])
        self._store.delete("no_show", no_show)
        self._store.put("invitee", invitee["uri"], invitee | {"no_show": None})
        self._tell("invitee_no_show.deleted", self.get("invitee", invitee["uri"]))

    def _tell(self, kind: str, invitee: Row) -> None:
        event = {name: value for name, value in self.get("event", invitee["event"]).items() if name != "calendar_event"}
        self._notify(kind, event["event_memberships"][0]["user"], invitee | {"scheduled_event": event})

    def _active(self, user_uri: str) -> list[Row]:
        active = self.all("event", status="active")
        return [event for event in active if event["event_memberships"][0]["user"] == user_uri]

    def _reach(self, event: Row) -> tuple[datetime, datetime]:
        return _buffered(
            instant(event["start_time"]), instant(event["end_time"]), self.get("event_type", event["event_type"])
        )

    def _clashes(self, event: Row, start: datetime, end: datetime, event_type: Row) -> bool:
        (before, after), (new_before, new_after) = self._reach(event), _buffered(start, end, event_type)
        return before < new_after and new_before < after


def _buffered(start: datetime, end: datetime, event_type: Row) -> tuple[datetime, datetime]:
    before, after = (timedelta(minutes=event_type[name]) for name in ("before_buffer", "after_buffer"))
    return start - before, end + after
