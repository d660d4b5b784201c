"""What stands in the braces of a text, made of an event's payload for one reader."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
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
    "dueBy": "dueBy",
}
_AHEAD = {"24h": "24 hours", "1h": "one hour"}
_AT_CALENDLY = {  # what prisma/sql/functions/integrations/calendly_bookings.sql says of a booking
    "time": "Something else of yours takes place then",
    "person": "You or your guest have another session then",
    "duration": "A length that you do not offer",
    "notice": "Shorter notice than you ask for",
    "window": "Further ahead than you allow",
    "daily_cap": "More sessions on that day than you allow",
}
_MONTH = re.compile(r"(\d{4})-(\d\d)")
_LONGEST = 300
_ONE = {"listings": "listing", "clients": "client", "sessions": "session", "hours": "hour", "reviews": "review"}
_DECIDED = {"warning closed": "closed, and nothing was taken"}
_IMPORTED = {
    "COMPLETED": "The members of the file that you uploaded have been imported.",
    "REFUSED": "The file that you uploaded was not imported, because rows of it have faults.",
}
_CHECKED = "The file that you uploaded has been checked. Nothing was imported, as you had asked."


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
    found["payer"] = plain(names.get("mentee"))
    found["user"] = plain(names.get("user")) or "A user"
    found["actor"] = people.get(found["actor"], "Coachline")
    found["absent"] = people.get(found["noShowBy"], "somebody")
    for name in (
        "before",
        "after",
        "role",
        "status",
        "disputeKind",
        "disputeStatus",
        "disputeReason",
        "failureReason",
    ):  # words of enumerations
        found[name] = found[name].replace("_", " ").lower()
    found["disputeStatus"] = _DECIDED.get(found["disputeStatus"], found["disputeStatus"])
    found["code"] = found["reason"].replace("_", " ")
    found["imported"] = _CHECKED if payload.get("dryRun") else _IMPORTED.get(payload.get("status", ""), "")
    if payload.get("month") and payload.get("year"):
        found["expires"] = f"{_MONTHS[payload['month'] - 1]} {payload['year']}"
    found["ahead"] = _AHEAD.get(found["kind"], "a while")
    found["breaks"] = ", ".join(_AT_CALENDLY.get(flag, plain(flag)) for flag in payload.get("flags") or ())
    found["detail"] = _AT_CALENDLY.get(found["detail"], found["detail"])
    found["period"] = _period(found["period"])
    found.update(_of_a_goal(payload, locale))
    for name, target in _INSTANTS.items():
        if payload.get(name):
            found[target] = moment(payload[name], timezone, locale)
    if payload.get("start"):
        found["shortWhen"] = moment(payload["start"], timezone, locale, short=True)
    found["price"], found["reward"] = money(payload.get("price")), money(payload.get("reward"))
    for name in ("amountDue", "amount", "credit"):
        found[name] = money(payload.get(name))
    if payload.get("included"):
        found |= {"amount": "", "credit": "", "plan": "gets the session back"}
    found["flags"] = found["flags"].replace("_", " ").lower()
    found["refund"] = money((payload.get("refund") or {}).get("amount"))
    return found


def _period(name: str) -> str:
    """A year, a month of one, or nothing for all time."""
    month = _MONTH.fullmatch(name)
    return f"{_MONTHS[int(month[2]) - 1]} {month[1]}" if month else name.replace("ALL", "")


def _of_a_goal(payload: Mapping[str, Any], locale: str) -> dict[str, str]:
    """How far a goal is, and until when: `progress`, `milestone`, `deadline`, `left`."""
    found = {"left": {1: "one day"}.get(payload.get("days", 0), f"{payload.get('days', 'a few')} days")}
    if payload.get("target") is not None:
        found["progress"] = f"{number(payload['value'], payload)} of {quantity(payload['target'], payload)}"
    if payload.get("milestone") is not None:
        found["milestone"] = quantity(payload["milestone"], payload)
    if payload.get("deadline"):
        found["deadline"] = day(date.fromisoformat(payload["deadline"]), locale)
    return found


def quantity(value: float, goal: Mapping[str, Any]) -> str:
    """So much of what the goal counts: 1,200 calls, 1 hour, 5,000.00 USD."""
    unit = plain(goal["unit"])
    return f"{number(value, goal)} {_ONE.get(unit, unit) if value == 1 else unit}"


def number(value: float, goal: Mapping[str, Any]) -> str:
    """Without its unit. REVENUE counts minor units of a currency."""
    if goal.get("type") == "REVENUE":
        places = CURRENCIES[goal["unit"]].exponent
        return f"{value / 10**places:,.{places}f}"
    return f"{value:,.2f}".rstrip("0").rstrip(".")


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
    half = f"{at.hour % 12 or 12}:{at:%M} {'AM' if at.hour < 12 else 'PM'}"
    clock = half if _region(locale) in _TWELVE_HOURS else f"{at:%H:%M}"
    name, offset = at.tzname() or "", f"{at:%z}"
    abbreviation = name if name.isalpha() else f"UTC{offset[:3]}:{offset[3:5]}"
    said = f"{day(at, locale, short=short)}, {clock} {abbreviation}"
    return said if short else f"{said} ({timezone})"


def day(on: date, locale: str, *, short: bool = False) -> str:
    """A date as a reader writes it; without its year if it is `short`."""
    month, weekday, month_first = _MONTHS[on.month - 1], _DAYS[on.weekday()], _region(locale) in _MONTH_FIRST
    if short:
        month, weekday = month[:3], weekday[:3]
        return f"{weekday} {month} {on.day}" if month_first else f"{weekday} {on.day} {month}"
    return f"{weekday}, {month} {on.day}, {on.year}" if month_first else f"{weekday}, {on.day} {month} {on.year}"


def _region(locale: str) -> str:
    return locale.replace("_", "-").rpartition("-")[2].upper()


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # a zone that was renamed since must keep nobody from being told
        return UTC
