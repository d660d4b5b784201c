"""The calendar invite, read back with the icalendar library."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar, Event

from coachline.scheduling.invites import calendar_invite, calendar_method

SESSION: dict[str, Any] = {
    "id": "36f3a6f7-6b06-4742-97cb-55ba40744261",
    "coach_id": "0f08551d-9a54-47e4-b942-7a387eda5385",
    "mentee_id": "3e2ec15d-3d13-4e0d-a65c-377bd7400497",
    "coach_name": "Casey Morgan",
    "mentee_name": "Jordan Rivera",
    "status": "SCHEDULED",
    "start": "2027-03-08T09:00:00-05:00",
    "end": "2027-03-08T15:00:00+00:00",
    "note": None,
    "version": 1,
    "updated_at": "2027-02-22T10:00:00.123456+00:00",
}


def event(**changes: Any) -> Event:
    [found] = Calendar.from_ical(calendar_invite({**SESSION, **changes})).walk("VEVENT")
    assert isinstance(found, Event)
    return found


def test_an_invite_names_the_session_in_utc() -> None:
    calendar = Calendar.from_ical(calendar_invite(SESSION))
    assert (calendar["METHOD"], calendar["VERSION"]) == ("REQUEST", "2.0")
    read = event()
    assert read["UID"] == "36f3a6f7-6b06-4742-97cb-55ba40744261@coachline"
    assert (read["SEQUENCE"], read["STATUS"]) == (0, "CONFIRMED")
    assert read.decoded("DTSTART") == datetime(2027, 3, 8, 14, tzinfo=UTC)
    assert read.decoded("DTEND") == datetime(2027, 3, 8, 15, tzinfo=UTC)
    assert read["SUMMARY"] == "Coaching: Casey Morgan and Jordan Rivera"
    assert (read["ORGANIZER"].params["CN"], read["ATTENDEE"].params["CN"]) == ("Casey Morgan", "Jordan Rivera")
    assert "DESCRIPTION" not in read


def test_a_moved_session_keeps_its_uid_and_counts_up() -> None:
    moved = event(version=3, start="2027-03-09T14:00:00+00:00", end="2027-03-09T15:00:00+00:00")
    assert (moved["UID"], moved["SEQUENCE"]) == (event()["UID"], 2)
    assert moved.decoded("DTSTART") == datetime(2027, 3, 9, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "method", "shown"),
    [
        ("PENDING_PAYMENT", "REQUEST", "TENTATIVE"),
        ("SCHEDULED", "REQUEST", "CONFIRMED"),
        ("COMPLETED", "REQUEST", "CONFIRMED"),
        ("CANCELLED", "CANCEL", "CANCELLED"),
        ("EXPIRED", "CANCEL", "CANCELLED"),
    ],
)
def test_a_session_that_will_not_take_place_is_taken_off_the_calendar(status: str, method: str, shown: str) -> None:
    assert calendar_method({**SESSION, "status": status}) == method
    assert event(status=status)["STATUS"] == shown


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from('\\;,:"^\n'), min_size=1, max_size=200)


@given(note=TEXTS, name=TEXTS)
def test_any_text_survives_and_no_line_is_too_long(note: str, name: str) -> None:
    body = calendar_invite({**SESSION, "note": note, "coach_name": name})
    assert all(len(line.encode()) <= 75 for line in body.split("\r\n"))
    assert body.endswith("END:VCALENDAR\r\n")
    assert "\n" not in body.replace("\r\n", "")
    read = event(note=note, coach_name=name)
    assert str(read["DESCRIPTION"]) == note
    assert read["SUMMARY"] == f"Coaching: {name} and Jordan Rivera"
    assert read.decoded("DTSTART") == datetime(2027, 3, 8, 14, tzinfo=UTC)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_nothing_that_somebody_typed_makes_a_line_of_its_own(text: str) -> None:
    body = calendar_invite({**SESSION, "note": text, "mentee_name": text})
    assert {line.split(":")[0].split(";")[0] for line in body.split("\r\n") if line and line[0] != " "} == {
        *("BEGIN", "VERSION", "PRODID", "CALSCALE", "METHOD", "UID", "SEQUENCE", "DTSTAMP", "DTSTART", "DTEND"),
        *("STATUS", "SUMMARY", "DESCRIPTION", "ORGANIZER", "ATTENDEE", "TRANSP", "END"),
    }
