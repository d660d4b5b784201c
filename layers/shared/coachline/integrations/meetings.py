"""A session's meeting as its participants use it: what it is, the links that open it, and what became of it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from coachline.api import Caller
from coachline.database import as_caller
from coachline.integrations.attendance import Presence, attendance
from coachline.logs import logger
from coachline.models import Input, Instant, Output, Version, example
from coachline.patches import columns
from coachline.problems import Unavailable

_SESSION = "36f3a6f7-6b06-4742-97cb-55ba40744261"


class MeetingState(StrEnum):
    """PENDING is being made, UPDATING works and Zoom will soon say the new time, FAILED was refused by Zoom."""

    PENDING = "PENDING"
    READY = "READY"
    UPDATING = "UPDATING"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    ENDED = "ENDED"


class Meeting(Output):
    """The meeting of a session. Its links have routes of their own, `join` and `start`."""

    model_config = example(
        sessionId=_SESSION,
        state="READY",
        meetingId="85746065432",
        topic="Coaching: Jordan Rivera and Casey Morgan",
        waitingRoom=True,
        start="2027-03-08T14:00:00Z",
        durationMinutes=60,
        joinFrom="2027-03-08T13:45:00Z",
        joinUntil="2027-03-08T15:30:00Z",
        version=1,
        createdAt="2027-02-22T10:00:00Z",
    )

    session_id: UUID
    state: MeetingState
    meeting_id: str | None
    topic: str | None
    waiting_room: bool
    start: Instant
    duration_minutes: int
    join_from: Instant
    join_until: Instant
    version: int
    created_at: Instant


class MeetingPatch(Input):
    """What a coach may change; a topic of null is the usual one again."""

    model_config = example(topic="Your first listing", version=1)

    topic: Annotated[str, Field(min_length=1, max_length=180, pattern=r"\S")] | None = None
    waiting_room: bool = True
    version: Version


class JoinLink(Output):
    """Opens the meeting in Zoom, for the two participants only: do not pass it on."""

    model_config = example(joinUrl="https://zoom.us/j/85746065432?pwd=abc", joinUntil="2027-03-08T15:30:00Z")

    join_url: str
    join_until: Instant


class StartLink(Output):
    """Starts the meeting as its host. Good for two hours; ask again rather than keep it."""

    model_config = example(startUrl="https://zoom.us/s/85746065432?zak=…")

    start_url: str


class MeetingMetrics(Output):
    """What became of a session. Minutes of the coach are those of the meeting's host, of the mentee everyone else's."""

    model_config = example(
        sessionId=_SESSION,
        actualStart="2027-03-08T14:00:04Z",
        actualEnd="2027-03-08T15:00:20Z",
        actualMinutes=60,
        coachMinutes=60,
        menteeMinutes=56,
        togetherMinutes=56,
        coachLateMinutes=0,
        menteeLateMinutes=4,
        noShowSuggestion=None,
        reconciled=True,
        syncFailures=0,
    )

    session_id: UUID
    actual_start: Instant | None
    actual_end: Instant | None
    actual_minutes: int | None
    coach_minutes: int
    mentee_minutes: int
    together_minutes: int
    coach_late_minutes: int | None
    mentee_late_minutes: int | None
    no_show_suggestion: Literal["COACH", "MENTEE", "BOTH"] | None
    reconciled: bool
    sync_failures: int


def get_meeting(caller: Caller, session_id: UUID) -> Any:
    """The `Meeting`; 404 meeting_not_found while there is none."""
    return as_caller(caller).read("get_meeting", session_id=str(session_id))


def request_meeting(caller: Caller, session_id: UUID) -> Any:
    """The `Meeting`, which is asked for if it is missing or was refused; 409 session_not_scheduled."""
    return as_caller(caller).write("request_meeting", session_id=str(session_id))


def update_meeting(caller: Caller, session_id: UUID, body: MeetingPatch) -> Any:
    """The `Meeting` as it will be; Zoom hears of it in a moment."""
    patch = columns(body, but={"version"})
    return as_caller(caller).write(
        "update_meeting", session_id=str(session_id), patch=patch, expected_version=body.version
    )


def join_link(caller: Caller, session_id: UUID) -> Any:
    """A `JoinLink`, and the access on record; 409 too_early, too_late, meeting_not_ready, session_not_scheduled."""
    database = as_caller(caller)
    try:
        return database.write("join_meeting", session_id=str(session_id))
    except Unavailable as refusal:
        if refusal.code != "maintenance":
            raise
        link = database.read("peek_join_link", session_id=str(session_id))
        logger.info("meeting.joined_under_maintenance", session=str(session_id), user=str(database.caller_id))
        return link


def meeting_to_start(caller: Caller, session_id: UUID) -> int:
    """The number at Zoom of the meeting that the caller may start, and the access on record."""
    return int(as_caller(caller).write("open_meeting", session_id=str(session_id))["zoom_id"])


def meeting_metrics(caller: Caller, session_id: UUID) -> Any:
    """`MeetingMetrics`, as far as they are known."""
    row = as_caller(caller).read("get_meeting_metrics", session_id=str(session_id))
    found = attendance(
        datetime.fromisoformat(row["start"]),
        datetime.fromisoformat(row["end"]),
        meetings=[(_at(each["started_at"]), _at(each["ended_at"])) for each in row["instances"]],
        presences=[
            Presence(each["is_host"], _at(each["joined_at"]), _at(each["left_at"])) for each in row["presences"]
        ],
        now=datetime.fromisoformat(row["now"]),
        reconciled=row["reconciled"],
    )
    about = {"session_id": row["session_id"], "reconciled": row["reconciled"], "sync_failures": row["failures"]}
    return {**vars(found), **about, "no_show_suggestion": found.no_show}


def _at(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None
