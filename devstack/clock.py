"""The stack's clock: real time, or an instant at which it stands still. Database, workers and simulators follow it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime


class Clock:
    def __init__(self) -> None:
        self.pinned: datetime | None = None
        self.followers: list[Callable[[datetime | None], Awaitable[None]]] = []

    def now(self) -> datetime:
        return self.pinned or datetime.now(UTC)

    async def pin(self, at: datetime | None) -> None:
        """Stand still at an aware instant, or run again; returns when every follower knows."""
        at = at.astimezone(UTC) if at else None
        for follower in self.followers:
            await follower(at)
        self.pinned = at


def rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
