"""Changes of a coach's schedules. One that would leave booked sessions outside of the hours is refused unless forced.

Python decides on one reading of the calendar; the write carries the state of what was read, and the database refuses it
when schedules or sessions have changed since. Then it is decided again, once.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from pydantic import ValidationError

from coachline.api import Caller
from coachline.database import Database, as_caller, unwrap
from coachline.models import Instant, Output, Query
from coachline.patches import columns
from coachline.problems import Unprocessable, pointer, validation_problem
from coachline.scheduling.availability import AvailabilitySchedule, SchedulePatch
from coachline.scheduling.coverage import stranded
from coachline.scheduling.decisions import again_if_changed
from coachline.scheduling.schedule import Schedule, ScheduleType
from coachline.scheduling.schedule_input import NewSchedule, ScheduleInput, past_dates
from coachline.scheduling.sessions import SessionStatus

MOST_LISTED = 100

Schedules = list[Schedule]


class Change(Query):
    """With `force` a change is made although booked sessions fall outside of the new hours; they stay as booked."""

    force: bool = False


class BookedSession(Output):
    """A session to come, as its coach needs to see it to decide about his hours."""

    id: UUID
    status: SessionStatus
    start: Instant
    end: Instant
    mentee_name: str | None


def create_schedule(caller: Caller, body: NewSchedule, *, force: bool) -> Any:
    """A new schedule; a default one takes the place of the one before. 409 sessions_stranded, as all of these."""
    database, new_id, fields = as_caller(caller), str(uuid4()), columns(body, all_fields=True)
    made = body.as_schedule().model_copy(update={"id": new_id})

    def after(schedules: Schedules) -> Schedules:
        return [*(_without_default(schedules) if made.is_default else schedules), made]

    def write(decided_on: str | None) -> Any:
        return database.write("create_schedule", input=fields, decided_on=decided_on, new_id=new_id)

    return change_calendar(database, after, write, force=force)


def update_schedule(caller: Caller, schedule_id: UUID, patch: SchedulePatch, *, force: bool) -> Any:
    """The schedule with the patch applied, checked as a whole: what was left alone may contradict what changed."""
    database, name, fields = as_caller(caller), str(schedule_id), columns(patch, but=("version",))
    sent = patch.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"version"})

    def decide_and_write() -> Any:
        context = database.read("availability_context", schedule_id=name)
        patched = _patched(next(row for row in context["schedules"] if row["id"] == name), sent)

        def after(schedules: Schedules) -> Schedules:
            others = [each for each in schedules if each.id != name]
            return [*(_without_default(others) if patched.is_default else others), patched]

        if not force:
            _refuse_stranding(database, context, after)
        decided_on = None if force else context["state"]
        return database.write(
            "update_schedule", schedule_id=name, patch=fields, expected_version=patch.version, decided_on=decided_on
        )

    return again_if_changed(decide_and_write)


def delete_schedule(caller: Caller, schedule_id: UUID, *, force: bool) -> None:
    """Delete it. 409 default_required for the default while there are others."""
    database, name = as_caller(caller), str(schedule_id)

    def after(schedules: Schedules) -> Schedules:
        left = [each for each in schedules if each.id != name]
        refused = left and any(each.is_default and each.id == name for each in schedules)
        return schedules if refused else left  # for the default, while there are others, by the database

    def write(decided_on: str | None) -> Any:
        return database.write("delete_schedule", schedule_id=name, decided_on=decided_on)

    change_calendar(database, after, write, force=force, schedule_id=name)


def make_default(caller: Caller, schedule_id: UUID, *, force: bool) -> Any:
    """The schedule, now the default in place of the one before. 409 not_of_type_default for another type."""
    database, name = as_caller(caller), str(schedule_id)

    def after(schedules: Schedules) -> Schedules:
        if not any(each.id == name and each.type is ScheduleType.DEFAULT for each in schedules):
            return schedules
        return [each.model_copy(update={"is_default": each.id == name}) for each in schedules]

    def write(decided_on: str | None) -> Any:
        return database.write("make_default_schedule", schedule_id=name, decided_on=decided_on)

    return change_calendar(database, after, write, force=force, schedule_id=name)


def change_calendar(
    database: Database,
    after: Callable[[Schedules], Schedules],
    write: Callable[[str | None], Any],
    *,
    force: bool,
    schedule_id: str | None = None,
) -> Any:
    """Write what leaves the schedules as `after` says: on the state that was read, or with `force` on any."""
    if force:
        return write(None)

    def decide_and_write() -> Any:
        context = database.read("availability_context", schedule_id=schedule_id)
        if "replay" in context:
            return unwrap(context["replay"])
        _refuse_stranding(database, context, after)
        return write(context["state"])

    return again_if_changed(decide_and_write)


def _refuse_stranding(database: Database, context: dict[str, Any], after: Callable[[Schedules], Schedules]) -> None:
    """409 sessions_stranded, with the sessions, when the change leaves any outside of hours that it was within."""
    rows = context["sessions"]
    if not rows:
        return
    instant = datetime.fromisoformat
    before = [Schedule.model_validate(row) for row in context["schedules"]]
    spans = [(instant(row["start"]), instant(row["end"])) for row in rows]
    lost = [rows[position] for position in stranded(before, after(before), spans)]
    if lost:
        said = "1 booked session falls" if len(lost) == 1 else f"{len(lost)} booked sessions fall"
        problem = {
            "code": "sessions_stranded",
            "detail": f"{said} outside of the new hours. Send force=true to change them all the same: "
            "what is booked stays booked, to be moved or cancelled one by one.",
            "sessions": as_booked(lost[:MOST_LISTED]),
            "sessionCount": len(lost),
        }
        database.refuse(409, problem)


def as_booked(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sessions of the calendar as `BookedSession`s in JSON."""
    return [BookedSession.model_validate(row).model_dump(mode="json", by_alias=True) for row in rows]


def _without_default(schedules: Schedules) -> Schedules:
    return [each.model_copy(update={"is_default": False}) for each in schedules]


def _patched(row: dict[str, Any], sent: dict[str, Any]) -> Schedule:
    """The stored schedule with what was sent; 422 for what is wrong with the whole, and for new dates that are over."""
    stored = AvailabilitySchedule.model_validate(row)
    before = stored.model_dump(mode="json", by_alias=True, include=set(ScheduleInput.model_fields))
    merged = {**before, **sent}
    kept = {override["date"] for override in before["overrides"]}
    faults = [
        {"pointer": pointer(("overrides", *at)), "detail": detail}
        for at, detail in past_dates(sent.get("overrides", ()), merged["timezone"])
        if sent["overrides"][at[0]]["date"] not in kept
    ]
    try:
        whole = ScheduleInput.model_validate(merged)
    except ValidationError as error:
        raise Unprocessable(errors=[*validation_problem(error).errors, *faults]) from None
    if faults:
        raise Unprocessable(errors=faults)
    return whole.as_schedule().model_copy(update={"id": row["id"]})
