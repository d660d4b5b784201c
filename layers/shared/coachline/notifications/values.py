"""What stands in the braces of a text, made of an event's payload for one reader."""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from coachline.money import CURRENCIES

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_TWELVE_HOURS = {"US", "CA", "AU", "NZ", "IN", "PH"}  # where English is written with AM and PM
_MONTH_FIRST = {"US", "PH"}
_INSTANTS = {
    "start": "when",
    "previousStart": "previousWhen",
    "endsAt": "endsAt",
    "nextAttempt": "nextAttempt",
    "dueAt": "dueAt",
}
_AHEAD = {"24h": "24 hours", "1h": "one hour"}
_LONGEST = 300


class Values(dict[str, str]):
    """Values by name; one that this event does not have is empty."""

    def __missing__(self, key: str) -> str:
        return ""


def values_of(
    payload: Mapping[str, Any], names: Mapping[str, Any], *, reader: str, timezone: str, locale: str
) -> Values:
    """Every value for the reader (a user's id), whose time zone (IANA) and locale (BCP 47) instants are written in."""
    found = Values({name: plain(value) for name, value in payload.items() if value is not None})
    coach, mentee = plain(names.get("coach")) or "your coach", plain(names.get("mentee")) or "your mentee"
    is_coach = reader == payload.get("coachId")
    people = {"COACH": "you" if is_coach else coach, "MENTEE": mentee if is_coach else "you", "ADMIN": "Coachline"}
    found.update(coach=coach, mentee=mentee, other=mentee if is_coach else coach)
    found["user"] = plain(names.get("user")) or "A user"
    found["actor"] = people.get(found["actor"], "Coachline")
    found["absent"] = people.get(found["noShowBy"], "somebody")
    for name in ("before", "after", "role", "status"):  # words of enumerations
        found[name] = found[name].replace("_", " ").lower()
    if payload.get("month") and payload.get("year"):
        found["expires"] = f"{_MONTHS[payload['month'] - 1]} {payload['year']}"
    found["ahead"] = _AHEAD.get(found["kind"], "a while")
    for name, target in _INSTANTS.items():
        if payload.get(name):
            found[target] = moment(payload[name], timezone, locale)
    if payload.get("start"):
        found["shortWhen"] = moment(payload["start"], timezone, locale, short=True)
    found["price"] = money(payload.get("price"))
    found["amountDue"] = money(payload.get("amountDue"))
    found["refund"] = money((payload.get("refund") or {}).get("amount"))
    return found


def plain(value: Any) -> str:
    """A value as one line of text: no control or direction-changing characters, nothing endless."""
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    text = "" if value is None else str(value)
    text = "".join(c for c in text if c.isspace() or unicodedata.category(c) not in {"Cc", "Cf", "Cs"})
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def money(value: Any) -> str:
    """`{amount, currency}` in minor units as 150.00 USD; nothing of nothing, or of 0."""
    if not isinstance(value, Mapping) or not value.get("amount"):
        return ""
    currency = CURRENCIES.get(value["currency"])
    places = currency.exponent if currency else 2
    whole, part = divmod(value["amount"], 10**places)
    return f"{whole:,}{f'.{part:0{places}}' if places else ''} {value['currency']}"


def moment(instant: str, timezone: str, locale: str, *, short: bool = False) -> str:
    """An instant as a reader's clock and calendar show it, always with its zone; `short` for subjects."""
    at = datetime.fromisoformat(instant).astimezone(_zone(timezone))
    region = locale.replace("_", "-").rpartition("-")[2].upper()
    day, month, weekday = at.day, _MONTHS[at.month - 1], _DAYS[at.weekday()]
    if short:
        month, weekday = month[:3], weekday[:3]
    date = f"{month} {day}" if region in _MONTH_FIRST else f"{day} {month}"
    half = f"{at.hour % 12 or 12}:{at:%M} {'AM' if at.hour < 12 else 'PM'}"
    clock = half if region in _TWELVE_HOURS else f"{at:%H:%M}"
    name, offset = at.tzname() or "", f"{at:%z}"
    abbreviation = name if name.isalpha() else f"UTC{offset[:3]}:{offset[3:5]}"
    if short:
        return f"{weekday} {date}, {clock} {abbreviation}"
    year = f", {at.year}" if region in _MONTH_FIRST else f" {at.year}"
    return f"{weekday}, {date}{year}, {clock} {abbreviation} ({timezone})"


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # a zone that was renamed since must keep nobody from being told
        return UTC
