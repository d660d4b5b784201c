"""Calendly's webhook subscriptions: one address once, signed deliveries, and no more of them once retries ran out."""

import hmac
import json
import time
from collections.abc import Callable
from uuid import uuid4

from devstack.simulators.base import Faults, Row, Store, Webhooks
from devstack.simulators.calendly_world import API, CalendlyError, refuse

RETRY_SECONDS = (0, 10, 60, 300, 1200, 3600, 10_800, 21_600, 43_200)  # for 24 hours
EVENTS = {f"invitee.{what}" for what in ("created", "canceled")}
EVENTS |= {f"invitee_no_show.{what}" for what in ("created", "deleted")}
EVENTS |= {f"event_type.{what}" for what in ("created", "updated", "deleted")}


class Hooks:
    """`key` signs the deliveries of every subscription: an OAuth application has one. `now` is Calendly's time."""

    def __init__(self, store: Store, faults: Faults, *, key: str, now: Callable[[], str]) -> None:
        self._store = store
        self._key = key.encode()
        self._now = now
        self.webhooks = Webhooks(store, faults, url="", sign=self._signed, schedule=RETRY_SECONDS)
        self.webhooks.on_attempt = self._attempted
        self.captured: list[str] | None = None  # instead of being delivered, while it is a list

    def create(self, user: Row, body: Row) -> tuple[int, Row]:
        for name in ("url", "events", "organization", "scope"):
            if not body.get(name):
                raise refuse(400, "must be filled", name)
        if unknown := set(body["events"]) - EVENTS:
            raise refuse(400, f"unknown: {', '.join(sorted(unknown))}", "events")
        if body["scope"] != "user" or body.get("user") != user["uri"]:
            raise refuse(403, "You do not have permission to access this resource.")
        if any(hook["callback_url"] == body["url"] for hook in self._store.all("hook")):
            raise CalendlyError(409, "Already Exists", "Hook with this url already exists")
        now = self._now()
        hook: Row = {
            "uri": f"{API}/webhook_subscriptions/{uuid4()}",
            "callback_url": body["url"],
            "created_at": now,
            "updated_at": now,
            "retry_started_at": None,
            "state": "active",
            "events": sorted(body["events"]),
            "scope": "user",
            "organization": body["organization"],
            "user": user["uri"],
            "creator": user["uri"],
        }
        self._store.put("hook", hook["uri"], hook)
        return 201, {"resource": hook}

    def one(self, user: Row, name: str) -> Row:
        hook = self._store.get("hook", f"{API}/webhook_subscriptions/{name}")
        if hook is None:
            raise refuse(404, "The server could not find the requested resource.")
        if hook["user"] != user["uri"]:
            raise refuse(403, "You do not have permission to access this resource.")
        return {"resource": hook}

    def delete(self, user: Row, name: str) -> tuple[int, None]:
        hook = self.one(user, name)["resource"]
        self._store.delete("hook", hook["uri"])
        for delivery in self._store.all("delivery"):
            if delivery["message"].startswith(hook["uri"]):
                self._store.delete("delivery", delivery["id"])
        return 204, None

    def disable(self, user_uri: str) -> None:
        """What Calendly does after a day of failures, at once."""
        for hook in self._of(user_uri):
            self._store.put("hook", hook["uri"], hook | {"state": "disabled"})

    def notify(self, kind: str, user_uri: str, payload: Row) -> None:
        for hook in self._of(user_uri):
            if hook["state"] == "active" and kind in hook["events"]:
                envelope = {"created_at": self._now(), "created_by": hook["creator"], "event": kind, "payload": payload}
                url = hook["callback_url"]
                if self.captured is not None:
                    self.captured.append(json.dumps(envelope))
                    continue
                self.webhooks.send(f"{hook['uri']}/{uuid4()}", json.dumps(envelope).encode(), url=url)

    def _of(self, user_uri: str) -> list[Row]:
        return [hook for hook in self._store.all("hook") if hook["user"] == user_uri]

    def _attempted(self, delivery: Row, accepted: bool, last: bool) -> None:
        """Note when retries began; a subscription whose retries ran out is disabled for good."""
        hook = self._store.get("hook", delivery["message"].rpartition("/")[0])
        if hook:
            since = hook["retry_started_at"] or self._now()
            hook |= {"retry_started_at": None if accepted else since}
            hook |= {"state": "disabled"} if last and not accepted else {}
            self._store.put("hook", hook["uri"], hook)

    def _signed(self, _: str, body: bytes) -> dict[str, str]:
        at = str(int(time.time()))
        digest = hmac.digest(self._key, f"{at}.".encode() + body, "sha256").hex()
        return {"Calendly-Webhook-Signature": f"t={at},v1={digest}"}
