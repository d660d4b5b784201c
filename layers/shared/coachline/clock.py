"""The one source of "now", so that the local stack can move time for everything at once."""

from datetime import UTC, datetime

_pinned: datetime | None = None


def now() -> datetime:
    """The current instant, aware and in UTC."""
    return _pinned or datetime.now(UTC)


def pin(at: datetime | None) -> None:
    """Stop the clock at `at` (aware), or let it run again with None. Only the local stack and tests do."""
    global _pinned  # noqa: PLW0603 - one clock per process is the point
    _pinned = at.astimezone(UTC) if at else None
