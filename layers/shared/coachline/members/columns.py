"""Member data as columns of a file: RESO's names and values outside, ours inside. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from typing import Any

from coachline.members import phones
from coachline.members.csv_text import CsvFault, Row
from coachline.members.rules import FIELDS, LOOKUPS, ON_ACCOUNT, STATUSES, Field

LIST_SEPARATOR = ";"  # no value of RESO's lists holds one; commas some do


@dataclass(frozen=True)
class Column:
    """A column: RESO's name, where its value is in a member's row, and whether an import may change it."""

    reso: str
    name: str
    field: Field | None = None

    def shown(self, member: Mapping[str, Any]) -> str:
        """The member's value as the file says it; empty for none."""
        value = member[self.name]
        match value:
            case None:
                return ""
            case list():
                return LIST_SEPARATOR.join(value)
        match self.name:
            case "member_status":
                return STATUSES[value]
            case "phone":
                return phones.shown(value)
            case "updated_at":
                return str(value).replace("+00:00", "Z")
        return str(value)

    def read(self, cell: str) -> Any:
        """What a cell of this column says, not checked yet."""
        if self.field is None or self.field.kind != "many":
            return cell
        known = {value.casefold() for value in LOOKUPS[str(self.field.lookup)]}
        parts = [part.strip() for part in cell.split(LIST_SEPARATOR)]
        # Some separate by commas, which one designation has in its name.
        taken = [[part] if part.casefold() in known else [item.strip() for item in part.split(",")] for part in parts]
        return [item for items in taken for item in items if item]


_EDITED = {field.reso: Column(field.reso, field.name, field) for field in FIELDS}
_READ_ONLY = {
    **{field.reso: Column(field.reso, field.name) for field in ON_ACCOUNT},
    "ModificationTimestamp": Column("ModificationTimestamp", "updated_at"),
}
COLUMNS: dict[str, Column] = {
    "MemberKey": _EDITED["MemberKey"],
    **{name: column for name, column in _READ_ONLY.items() if name != "ModificationTimestamp"},
    **_EDITED,
    **_READ_ONLY,
}
"""Every column that an export can have, in its order; those without `field` are for reading."""

# RESO's other names, of which we store nothing: a file of another system may have them.
_NOT_STORED = frozenset(resources.files(__package__).joinpath("not_stored.txt").read_text("utf-8").split())


@dataclass(frozen=True)
class Header:
    """What the columns of a file mean: the place of each that is read, and the names of those that are not."""

    places: Mapping[str, int]
    width: int
    ignored: tuple[str, ...]


def header_of(first: Row) -> Header:
    """The header's meaning; CsvFault for names that are not RESO's, and when nothing says whom a row is about."""
    places: dict[str, int] = {}
    ignored: list[str] = []
    for place, name in enumerate(first.values):
        if name in COLUMNS:
            places[name] = place
        elif name not in _NOT_STORED:
            near = get_close_matches(name, [*COLUMNS, *_NOT_STORED], 1)
            hint = f" Is it {near[0]}?" if near else ""
            detail = f"RESO's Data Dictionary has no field {name[:60]!r} for members.{hint}"
            raise CsvFault("csv_unknown_column", detail, first.number, place + 1)
        if name not in COLUMNS or COLUMNS[name].field is None:
            ignored.append(name)
    if not {"MemberKey", "MemberEmail"} & places.keys():
        detail = "A column MemberKey or MemberEmail has to say whom each row is about."
        raise CsvFault("csv_no_key_column", detail, first.number)
    return Header(places, len(first.values), tuple(name for name in ignored if name != "MemberEmail"))


def line(columns: Sequence[Column], member: Mapping[str, Any]) -> list[str]:
    """A member as the texts of a file's row."""
    return [column.shown(member) for column in columns]
