"""What webhooks missed, filled in from Zoom's own report of a past meeting."""

from typing import Any

from coachline.database import Database
from coachline.integrations.zoom import Zoom
from coachline.providers import Missing

_UNKNOWN = "unknown"


def reconcile(database: Database, zoom: Zoom, session_id: str, meeting_id: int) -> None:
    """Read everything that Zoom knows of a session's meeting; it merges with what its events told."""
    try:
        uuids = zoom.instances(meeting_id)
    except Missing:  # it never took place
        uuids = []
    found = [_instance(zoom, uuid) for uuid in uuids]
    database.write("reconcile_meeting", session_id=session_id, instances=found)


def _instance(zoom: Zoom, uuid: str) -> dict[str, Any]:
    past = zoom.instance(uuid)
    host = {str(past.get("host_id") or _UNKNOWN)}
    presences = [
        {
            # The report has no participant_uuid; time is merged, so telling it twice changes nothing.
            "participant": f"report:{each.get('user_id') or each.get('id') or ''}:{each['join_time']}"[:200],
            "is_host": each.get("id") in host,
            "joined_at": each["join_time"],
            "left_at": each.get("leave_time"),
        }
        for each in zoom.participants(uuid)
    ]
    times = {"started_at": past.get("start_time"), "ended_at": past.get("end_time")}
    return {"uuid": uuid, **times, "presences": presences}
