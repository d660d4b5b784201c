"""The one thing that a request waits for Zoom for: the host's link. Never stored, never logged."""

from coachline.events import RetryLater
from coachline.integrations import zoom
from coachline.problems import Conflict, Unavailable
from coachline.providers import Missing, Refused


def start_link(meeting_id: int) -> str:
    """A fresh start link; 409 meeting_lost when Zoom lost the meeting, 503 with Retry-After when Zoom cannot."""
    try:
        return zoom.account().start_url(meeting_id)
    except Missing:
        raise Conflict(
            "Zoom no longer has this meeting. Ask for it with POST …/meeting.", code="meeting_lost"
        ) from None
    except RetryLater as later:
        retry_after = min(later.seconds, 60)
        detail = "Zoom cannot answer right now; try again shortly."
        raise Unavailable(detail, retry_after=retry_after, code="zoom_unavailable") from None
    except Refused:
        raise Unavailable("Zoom does not accept our call; operators have been told.", code="zoom_unavailable") from None
