"""Rows of an import, decided without a database; above all that what was exported comes back without a change."""

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachline.members import checks
from coachline.members.columns import COLUMNS, header_of, line
from coachline.members.csv_text import CsvFault, Row, encoded, header, read
from coachline.members.import_rows import staged, wanted
from coachline.members.rules import FIELDS, LOOKUPS
from tests.contract.template_file import ROOT

TODAY = date(2027, 3, 8)
NOBODY = dict.fromkeys([field.name for field in FIELDS])
DICTIONARY = Path(os.environ.get("RESO_MEMBER_JSON") or ROOT.parent.parent / "shared/data/reso_member.json")

NASTY = st.text(st.sampled_from("=+-@\t\r\n'\",;| aé中\U0001f3e0\u2028\uff1d0"), max_size=10)
ENTERED = st.fixed_dictionaries(
    {
        field.name: {
            "text": NASTY.map(lambda text: text.replace("\n", "").replace("\r", "").replace("\t", "")),
            "lines": NASTY,
            "one": st.sampled_from(LOOKUPS[field.lookup or "MemberStatus"]),
            "many": st.lists(st.sampled_from(LOOKUPS[field.lookup or "MemberStatus"]), max_size=4),
            "phone": st.sampled_from([None, "+12125550142", "+442079460958"]),
            "date": st.sampled_from([None, "2028-06-30"]),
        }[field.kind]
        for field in FIELDS
    }
)


def stored(**fields: Any) -> dict[str, Any]:
    """A member as the database's row."""
    account = {"first_name": "=Casey", "last_name": None, "email": "casey@example.com", "roles": ["COACH"]}
    return {
        "user_id": "u1",
        **account,
        **checks.clean({**NOBODY, **fields}),
        "version": 3,
        "updated_at": "2027-03-01T10:00:00.5+00:00",
    }


def decided(content: bytes, *members: dict[str, Any]) -> list[dict[str, Any]]:
    """What an import of a file decides when its rows mean these members, one after the other."""
    rows = read([content])
    first = header_of(header(rows))
    batch = list(rows)
    people = [
        {"row": want["row"], "found": 1, "member": member}
        for want, member in zip(wanted(batch, first), members, strict=False)
    ]
    return list(staged(batch, first, people, TODAY))


@given(ENTERED, st.booleans())
def test_what_was_exported_comes_back_without_a_change(fields: dict[str, Any], bom: bool) -> None:
    member = stored(**fields)
    if checks.check({name: member[name] for name in NOBODY}, member["roles"], today=TODAY)[0]:
        return
    columns = list(COLUMNS.values())
    content = encoded([list(COLUMNS), line(columns, member)], bom=bom)

    [row] = decided(content, member)

    assert (row["outcome"], row["data"]) == ("UNCHANGED", None)


def test_a_value_that_is_not_the_exported_one_is_taken() -> None:
    member = stored(member_status="SUSPENDED", phone="+12125550142", company_name="=Old", bio="x")
    header_line = b"MemberEmail,MemberStatus,MemberPreferredPhone,OfficeName,MemberBio\r\n"
    [row] = decided(header_line + b"casey@example.com,Active,(212) 555-0199,'=New,\r\n", member)
    assert (row["outcome"], row["data"]) == ("INVALID", None)  # an active coach needs a licence
    [row] = decided(header_line + b"casey@example.com,Inactive,(212) 555-0199,'=New,\r\n", member)
    assert row["outcome"] == "UPDATE"
    changed = {name: value for name, value in row["data"].items() if value != member[name]}
    assert changed == {"phone": "+12125550199", "company_name": "=New", "bio": None}


def test_another_way_to_write_the_same_changes_nothing() -> None:
    member = stored(phone="+12125550142", company_name="Harbor Realty")
    [row] = decided(
        b"MemberEmail,MemberPreferredPhone,OfficeName\r\ncasey@example.com,+1 (212) 555-0142, Harbor  Realty \r\n",
        member,
    )
    assert (row["outcome"], row["data"], row["findings"]) == ("UNCHANGED", None, [])


def test_a_row_shows_values_as_reso_has_them() -> None:
    member = stored(phone="+12125550142", member_status="PENDING", designations=["CRS", "e-PRO"])
    shown = dict(zip(COLUMNS, line(list(COLUMNS.values()), member), strict=True))
    assert (shown["MemberPreferredPhone"], shown["MemberStatus"]) == ("212-555-0142", "Inactive")
    assert shown["MemberDesignation"] == "Certified Residential Specialist / CRS;e-PRO"
    assert shown["ModificationTimestamp"] == "2027-03-01T10:00:00.5Z"


def test_what_nobody_has_stored_yet_is_created() -> None:
    member = stored() | {"version": 0}
    [row] = decided(b"MemberEmail,MemberStatus\r\ncasey@example.com,Inactive\r\n", member)
    assert (row["outcome"], row["data"]["member_status"], row["version"]) == ("CREATE", "INACTIVE", 0)


@pytest.mark.parametrize(
    ("cell", "values"),
    [
        (b"CRS;e-PRO", ["Certified Residential Specialist / CRS", "e-PRO"]),
        (b'"CRS, gri"', ["Certified Residential Specialist / CRS", "Graduate, REALTOR Institute / GRI"]),
        (b'"Graduate, REALTOR Institute / GRI"', ["Graduate, REALTOR Institute / GRI"]),
        (b"", []),
    ],
)
def test_a_list_is_separated_by_semicolons_or_else_by_commas(cell: bytes, values: list[str]) -> None:
    member = stored(designations=["ABR"])
    [row] = decided(b"MemberEmail,MemberDesignation\r\nx," + cell + b"\r\n", member)
    assert row["data"]["designations"] == values


def test_an_address_that_differs_is_a_warning() -> None:
    [row] = decided(b"MemberKey,MemberEmail\r\nM-1,other@example.com\r\n", stored())
    assert row["outcome"] == "UPDATE"
    assert [(found["rule"], found["severity"]) for found in row["findings"]] == [("email.account", "warning")]


@pytest.mark.parametrize(
    ("names", "code", "column"),
    [
        (("MemberKey", "MemberStats"), "csv_unknown_column", 2),
        (("memberkey", "OfficeName"), "csv_unknown_column", 1),
        (("OfficeName",), "csv_no_key_column", None),
    ],
)
def test_a_header_that_does_not_fit_is_refused(names: tuple[str, ...], code: str, column: int | None) -> None:
    with pytest.raises(CsvFault) as caught:
        header_of(Row(1, names))
    assert (caught.value.code, caught.value.column) == (code, column)
    assert code != "csv_unknown_column" or "Is it Member" in caught.value.detail


def test_columns_of_reso_s_that_are_not_stored_are_named_as_ignored() -> None:
    assert header_of(Row(1, ("MemberKey", "MemberFax", "MemberFirstName"))).ignored == ("MemberFax", "MemberFirstName")


@pytest.mark.skipif(not DICTIONARY.exists(), reason="RESO's dictionary is not here: RESO_MEMBER_JSON names its file")
def test_names_and_values_are_those_of_reso_s_dictionary() -> None:
    dictionary = json.loads(DICTIONARY.read_text())
    fields = {field["name"]: field for field in dictionary["fields"]}
    not_stored = set((Path(checks.__file__).with_name("not_stored.txt")).read_text().split())
    added = {field["name"] for field in dictionary["dd21Additions"]}
    assert COLUMNS.keys() | not_stored == fields.keys() | added
    assert not COLUMNS.keys() & not_stored
    for name, column in COLUMNS.items():
        if column.field and column.field.length:
            assert column.field.length == fields[name]["maxLength"], name
        if column.field and column.field.lookup:
            entered = [[value] if column.field.kind == "many" else value for value in LOOKUPS[column.field.lookup]]
            shown = {column.shown(stored(**{column.name: value})) for value in entered}
            assert shown == {value["value"] for value in dictionary["lookups"][column.field.lookup]["values"]}, name
