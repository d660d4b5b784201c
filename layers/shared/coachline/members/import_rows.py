"""What each row of an import would do. Pure: rows and the people that they name in, outcomes and findings out.

A cell that shows what an export shows of the member changes nothing, so a file that was exported and comes back
unchanged changes nobody: PENDING is exported as RESO's Inactive, and that is read as PENDING again. An empty cell
empties its field; a column that is not there leaves its field alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from coachline.members import checks
from coachline.members.columns import COLUMNS, Header
from coachline.members.csv_text import Row
from coachline.members.rules import FIELDS

_RESO = {field.name: field.reso for field in FIELDS}
_STATUS_READ = {"active": "ACTIVE", "inactive": "INACTIVE"}
_NOBODY = "No member has this MemberKey, and no user has signed up with this e-mail and verified it."
_SEVERAL = "Several users have this e-mail. Give the MemberKey of the one who is meant."


def wanted(rows: Iterable[Row], header: Header) -> list[dict[str, Any]]:
    """What the database needs to know to say whom each row means: {row, key, email}."""
    return [
        {"row": row.number, "key": _cell(row, header, "MemberKey"), "email": _cell(row, header, "MemberEmail")}
        for row in rows
        if len(row.values) == header.width
    ]


def staged(
    rows: Iterable[Row], header: Header, people: Iterable[Mapping[str, Any]], today: date
) -> Iterator[dict[str, Any]]:
    """Each row as it is stored until it is applied: {row, user_id, version, roles, data, outcome, findings}."""
    matches = {match["row"]: match for match in people}
    for row in rows:
        match = matches.get(row.number)
        if match is None:
            detail = f"The row has {len(row.values)} fields, the header {header.width}."
            yield _refused(row, _finding(None, "row.fields", detail))
        elif match["found"] != 1:
            detail = _SEVERAL if match["found"] else _NOBODY
            column = "MemberKey" if _cell(row, header, "MemberKey") else "MemberEmail"
            yield _refused(row, _finding(column, "row.unknown", detail))
        else:
            yield _checked(row, header, match["member"], today)


def _checked(row: Row, header: Header, member: Mapping[str, Any], today: date) -> dict[str, Any]:
    before = {name: member[name] for name in _RESO}
    changes = {
        column.name: _STATUS_READ.get(cell.strip().lower(), cell)
        if column.name == "member_status"
        else column.read(cell)
        for column, cell in ((COLUMNS[name], row.values[place]) for name, place in header.places.items())
        if column.field and (cell != column.shown(member) or (member["version"] == 0 and cell))
    }
    after = checks.clean({**before, **changes})
    errors, warnings = checks.check(after, member["roles"], today=today)
    findings = [
        _finding(_RESO[found.rule.field], found.rule.id, found.rule.message, severity)
        for severity, several in (("error", errors), ("warning", warnings))
        for found in several
    ]
    email = _cell(row, header, "MemberEmail")
    if email and email.casefold() != (member["email"] or "").casefold():
        detail = "Differs from the account's, which is changed where the member signs in. It stays as it is."
        findings.append(_finding("MemberEmail", "email.account", detail, "warning"))
    outcome = "CREATE" if member["version"] == 0 else "UNCHANGED" if after == before else "UPDATE"
    return {
        "row": row.number,
        "user_id": member["user_id"],
        "version": member["version"],
        "roles": member["roles"],
        "data": None if errors or outcome == "UNCHANGED" else after,
        "outcome": "INVALID" if errors else outcome,
        "findings": findings,
    }


def _refused(row: Row, finding: dict[str, Any]) -> dict[str, Any]:
    nobody = {"user_id": None, "version": None, "roles": None, "data": None}
    return {"row": row.number, **nobody, "outcome": "INVALID", "findings": [finding]}


def _finding(column: str | None, rule: str, message: str, severity: str = "error") -> dict[str, Any]:
    return {"column": column, "rule": rule, "severity": severity, "message": message}


def _cell(row: Row, header: Header, name: str) -> str | None:
    """The text of one of the two cells that name a person; None when the file has none."""
    place = header.places.get(name)
    return (row.values[place].strip() or None) if place is not None else None
