"""Applies the rule table to a member. Pure: plain values in, everything that is wrong out, all at once.

`clean` brings values into the form that is stored; `check` looks at that form. Values are those of JSON under column
names: text, lists of text, null; dates and phones as text. A CSV cell is such a text, and a list one with `;` or `,`
taken apart by the import.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from coachline.members import phones
from coachline.members.rules import FIELDS, LOOKUPS, RULES, Field, Rule

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """Where a rule is broken: `field` as the API calls it, `index` within a list."""

    rule: Rule
    index: int | None = None

    @property
    def pointer(self) -> str:
        """The place as a JSON Pointer written as a fragment."""
        at = "" if self.index is None else f"/{self.index}"
        return f"#/{_FIELDS[self.rule.field].json}{at}"

    def to_fault(self) -> dict[str, str]:
        """As problem details and dry runs tell it."""
        return {"pointer": self.pointer, "detail": self.rule.message, "rule": self.rule.id}


_FIELDS = {field.name: field for field in FIELDS}


def clean(member: Values) -> dict[str, Any]:
    """Every field in the form that is stored: trimmed, NFC, empty as null, lookups in full, capitals, E.164.

    What cannot be brought into it stays as it is, for `check` to name. Unknown names are dropped.
    """
    return {field.name: _cleaned(field, member.get(field.name)) for field in FIELDS}


def check(member: Values, roles: Collection[str], *, today: date) -> tuple[list[Finding], list[Finding]]:
    """(errors, warnings) of a member as `clean` made it, whose user has these roles. Errors forbid storing it."""
    errors: list[Finding] = []
    warnings: list[Finding] = []
    broken: set[str] = set()
    for rule in RULES:
        # One finding is enough for a value that is not even of its kind.
        if rule.field in broken or not applies(rule, member, roles):
            continue
        for index in _CHECKS[rule.check](member[rule.field], rule, today):
            (errors if rule.severity == "error" else warnings).append(Finding(rule, index))
            if rule.severity == "error":
                broken.add(rule.field)
    return errors, warnings


def applies(rule: Rule, member: Values, roles: Collection[str]) -> bool:
    """Whether a rule is for such a member."""
    return (
        (not rule.roles or not set(rule.roles).isdisjoint(roles))
        and (not rule.statuses or member["member_status"] in rule.statuses)
        and (not rule.states or member["license_state"] in rule.states)
        and (rule.with_field is None or member[rule.with_field] is not None)
    )


def _cleaned(field: Field, value: Any) -> Any:
    if isinstance(value, str):
        value = unicodedata.normalize("NFC", value)
        value = value.strip() if field.kind == "lines" else " ".join(value.split())
    if value is None or value == "":
        return field.empty
    match field.kind:
        case "one" if isinstance(value, str):
            return _values(str(field.lookup)).get(value.casefold(), value)
        case "many" if isinstance(value, list) and all(isinstance(item, str) for item in value):
            known = _values(str(field.lookup))
            items = [known.get(unicodedata.normalize("NFC", item).strip().casefold(), item) for item in value]
            order = {name: place for place, name in enumerate(LOOKUPS[str(field.lookup)])}
            # An unknown one keeps the list as it was sent, so that the finding's index is the sender's.
            return sorted(set(items), key=order.__getitem__) if order.keys() >= set(items) else items
        case "phone" if isinstance(value, str) and len(value) <= 40:
            return phones.parse(value) or value
        case "text" if field.name == "license_number" and isinstance(value, str):
            return value.upper()
    return value


@cache
def _values(lookup: str) -> dict[str, str]:
    """Everything that a value may be called, without regard to capitals: in full, by its name, by its abbreviation."""
    values = LOOKUPS[lookup]
    parts = {part.casefold(): value for value in values if " / " in value for part in value.split(" / ")}
    plain = {value.casefold().replace("-", ""): value for value in values}
    return {**plain, **parts, **{value.casefold(): value for value in values}}


def _whole(holds: Callable[[Any, Rule, date], bool]) -> Callable[[Any, Rule, date], Iterator[int | None]]:
    """A check of a whole value; null, which is no value, satisfies it."""

    def findings(value: Any, rule: Rule, today: date) -> Iterator[int | None]:
        if value is not None and not holds(value, rule, today):
            yield None

    return findings


def _is_text(value: Any, breaks: str = "") -> bool:
    # Cc and Cs: control characters, U+0000 among them, and lone surrogates, which have no UTF-8 form.
    return isinstance(value, str) and not any(
        unicodedata.category(character) in {"Cc", "Cs"} and character not in breaks for character in value
    )


def _is_date(value: Any) -> bool:
    try:
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII)) and bool(date.fromisoformat(value))
    except (TypeError, ValueError):
        return False


def _years_ahead(today: date, years: int) -> str:
    return f"{today.year + years:04d}-{today:%m-%d}"


def _each_known(value: Any, rule: Rule, *_: Any) -> Iterator[int | None]:
    if not isinstance(value, list):
        yield None
        return
    yield from (index for index, item in enumerate(value) if item not in LOOKUPS[rule.argument])


def _missing(value: Any, *_: Any) -> Iterator[int | None]:
    if value is None or value == []:
        yield None


_CHECKS: dict[str, Callable[[Any, Rule, date], Iterator[int | None]]] = {
    "text": _whole(lambda value, *_: _is_text(value)),
    "lines": _whole(lambda value, *_: _is_text(value, "\n\r\t")),
    "length": _whole(lambda value, rule, *_: len(value) <= rule.argument),
    "one": _whole(lambda value, rule, *_: value in LOOKUPS[rule.argument]),
    "many": _each_known,
    "phone": _whole(lambda value, *_: bool(re.fullmatch(r"\+[1-9]\d{1,14}", str(value), re.ASCII))),
    "date": _whole(lambda value, *_: _is_date(value)),
    "since": _whole(lambda value, rule, *_: value >= rule.argument),
    "years_ahead": _whole(lambda value, rule, today: value <= _years_ahead(today, rule.argument)),
    "not_past": _whole(lambda value, _, today: value >= today.isoformat()),
    "matches": _whole(lambda value, rule, *_: bool(re.search(rule.argument, value))),
    "required": _missing,
    "paired": _missing,
    "unique": _whole(lambda *_: True),  # asked of the database
}
