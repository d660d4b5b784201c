"""A session as an iCalendar object (RFC 5545) in an iTIP message (RFC 5546), for the calendars of its two people.

Written here and not by a library: docs/adr/025. Pure: the same session gives the same bytes.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

STANDARDS = "iCalendar (RFC 5545) as an iTIP message (RFC 5546)."
CONTENT: dict[str, Any] = {"text/calendar": {"schema": {"type": "string"}}}
_OVER = {"CANCELLED", "EXPIRED"}
_LONGEST_LINE = 75
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def calendar_method(session: Mapping[str, Any]) -> str:
    """REQUEST, or CANCEL for a session that will not take place."""
    return "CANCEL" if session["status"] in _OVER else "REQUEST"


def calendar_invite(session: Mapping[str, Any]) -> str:
    """The text/calendar body for a `get_session` row.

    UID is the session's id and stays; SEQUENCE counts its versions, so that a calendar replaces what it had. People are
    named and not addressed (urn:uuid): neither learns the other's e-mail address from it.
    """
    start, end, stamp = (_utc(session[key]) for key in ("start", "end", "updated_at"))
    coach, mentee = (session[f"{who}_name"] or who.capitalize() for who in ("coach", "mentee"))
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Coachline//Sessions//EN",
        "CALSCALE:GREGORIAN",
        f"METHOD:{calendar_method(session)}",
        "BEGIN:VEVENT",
        f"UID:{session['id']}@coachline",
        f"SEQUENCE:{session['version'] - 1}",
        f"DTSTAMP:{stamp}",
        f"DTSTART:{start}",
        f"DTEND:{end}",
        f"STATUS:{_status(session)}",
        f"SUMMARY:{_text(f'Coaching: {coach} and {mentee}')}",
        *([f"DESCRIPTION:{_text(session['note'])}"] if session["note"] else []),
        f"ORGANIZER;CN={_parameter(coach)}:urn:uuid:{session['coach_id']}",
        f"ATTENDEE;CN={_parameter(mentee)};PARTSTAT=ACCEPTED:urn:uuid:{session['mentee_id']}",
        "TRANSP:OPAQUE",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "".join(f"{part}\r\n" for line in lines for part in _folded(line))


def _status(session: Mapping[str, Any]) -> str:
    if session["status"] in _OVER:
        return "CANCELLED"
    return "TENTATIVE" if session["status"] == "PENDING_PAYMENT" else "CONFIRMED"


def _utc(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(value: str) -> str:
    """TEXT (3.3.11): backslash, comma and semicolon escaped, lines as \\n, no control characters."""
    plain = re.sub(r"[\\;,]", lambda found: "\\" + found[0], value)
    return _CONTROLS.sub("", re.sub(r"\r\n|\r|\n", "\\\\n", plain))


def _parameter(value: str) -> str:
    """A quoted parameter value; a quote or a line break in it is written as RFC 6868 says."""
    encoded = re.sub(r"\r\n|\r|\n", "^n", value.replace("^", "^^").replace('"', "^'"))
    return '"' + _CONTROLS.sub("", encoded) + '"'


def _folded(line: str) -> Iterator[str]:
    """The line as lines of at most 75 octets, each further one begun with a space, no character cut in two (3.1)."""
    part, octets = "", 0
    for character in line:
        size = len(character.encode())
        if octets + size > _LONGEST_LINE:
            yield part
            part, octets = " ", 1
        part += character
        octets += size
    yield part
