"""Moving a session: decided on the reading and by the code that bookings are decided by, without the session itself."""

from typing import Any
from uuid import UUID

from coachline import clock
from coachline.api import Caller
from coachline.database import Database, as_caller, unwrap
from coachline.models import Input, Instant, Version, example
from coachline.scheduling.booking import refusal_for
from coachline.scheduling.decisions import again_if_changed
from coachline.scheduling.diary import diary_of, moment_after
from coachline.scheduling.precedence import winning_schedule
from coachline.scheduling.schedule_input import SessionMinutes
from coachline.scheduling.sessions import Reason
from coachline.scheduling.slots import open_slots, refusal_reason

_NO_NOTICE_NO_WINDOW = {"minimum_notice": 0, "booking_window_days": 36_500}


class Reschedule(Input):
    """The new start, as a slot offers it, and the length if that changes, too. `version` is the one that was read."""

    model_config = example(start="2027-03-09T14:00:00Z", reason="The closing was moved", version=1)

    start: Instant
    duration: SessionMinutes | None = None
    reason: Reason | None = None
    version: Version


def reschedule(caller: Caller, session_id: UUID, request: Reschedule) -> Any:
    """The moved `Session`: same id, next version; its price stays unless its length changes (docs/adr/024).

    409 no_change, reschedule_too_late, reschedule_limit, session_started, slot_unavailable or version_conflict, 422
    outside_availability. Coaches and ADMINs keep to no notice, window, limit or 24 hours. Like a booking it is decided
    again, once, when the coach edits the availability meanwhile.
    """
    database = as_caller(caller)
    return again_if_changed(lambda: _decide_and_write(database, session_id, request))


def _decide_and_write(database: Database, session_id: UUID, request: Reschedule) -> Any:
    context = database.read(
        "reschedule_context",
        session_id=str(session_id),
        start_at=request.start.isoformat(),
        duration=request.duration,
        expected_version=request.version,
    )
    if "replay" in context:
        return unwrap(context["replay"])
    if refusal := context.get("refusal"):
        return database.refuse(refusal["status"], refusal["problem"])
    diary = diary_of(context, context["duration"])
    if context["exempt"]:
        diary["schedules"] = [each.model_copy(update=_NO_NOTICE_NO_WINDOW) for each in diary["schedules"]]
    asked = {"start": request.start, "duration": context["duration"], "now": clock.now(), **diary}
    if not open_slots(end=moment_after(request.start), **asked):
        return database.refuse(*refusal_for(refusal_reason(**asked)))
    schedule = winning_schedule(diary["schedules"], request.start)
    return database.write(
        "reschedule_session",
        session_id=str(session_id),
        start_at=request.start.isoformat(),
        duration=context["duration"],
        schedule_id=str(schedule.id) if schedule else None,
        decided_on=context["availability_version"],
        reason=request.reason,
        expected_version=request.version,
    )
