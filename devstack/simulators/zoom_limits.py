"""Zoom's rate limits, with the headers that tell of them: calls of a second by category, changes of a day by host."""

import time
from collections import deque
from datetime import timedelta
from typing import Any

from aiohttp import web

from devstack.clock import Clock, rfc3339
from devstack.simulators.base import Row, Store

CHANGES_PER_DAY = 100
PER_SECOND = {"Light": 80, "Medium": 60, "Heavy": 40}  # of a Business account


class ZoomError(Exception):
    """A refusal in Zoom's shape."""

    def __init__(self, status: int, code: int, message: str, *, headers: Row | None = None, **more: Any) -> None:
        super().__init__(message)
        self.response = web.json_response({"code": code, "message": message, **more}, status=status, headers=headers)


class Limits:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._calls: dict[str, deque[float]] = {category: deque() for category in PER_SECOND}

    def take(self, category: str) -> int:
        """One call of this second; how many are left."""
        calls, now = self._calls[category], time.monotonic()
        while calls and calls[0] < now - 1:
            calls.popleft()
        if len(calls) >= PER_SECOND[category]:
            raise self.too_fast(category)
        calls.append(now)
        return PER_SECOND[category] - len(calls)

    def too_fast(self, category: str) -> ZoomError:
        headers = {"X-RateLimit-Category": category, "X-RateLimit-Type": "QPS", "X-RateLimit-Remaining": "0"}
        headers |= {"X-RateLimit-Limit": str(PER_SECOND[category])}
        headers |= {"X-RateLimit-Reset": str(int(self._clock.now().timestamp()) + 1)}
        return ZoomError(429, 429, "You have reached the maximum per-second rate limit for this API.", headers=headers)

    def count_change(self, email: str) -> None:
        """One of the 100 creations and changes that a host has each UTC day."""
        now = self._clock.now()
        name = f"{email.lower()}/{now.date()}"
        used = (self._store.get("changes", name) or {"used": 0})["used"]
        if used >= CHANGES_PER_DAY:
            midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            headers = {
                "X-RateLimit-Category": "Medium",
                "X-RateLimit-Type": "Daily-limit",
                "X-RateLimit-Remaining": "0",
            }
            headers |= {"X-RateLimit-Limit": str(CHANGES_PER_DAY), "Retry-After": rfc3339(midnight)}
            message = (
                "You have exceeded the daily rate limit (100) of Meeting Create/Update API requests for this user."
            )
            raise ZoomError(429, 429, message, headers=headers)
        self._store.put("changes", name, {"host": email.lower(), "day": str(now.date()), "used": used + 1})
