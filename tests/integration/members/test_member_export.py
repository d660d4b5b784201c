"""Members out as CSV: RESO's names and values, who may, what is written down about it, and large files through S3."""

import csv
import io
from typing import Any

import httpx
import pytest

from tests.support.members import many_members
from tests.support.stack import SignedIn, Stack

CASEY: dict[str, Any] = {
    "memberKey": "M-10442",
    "memberMlsId": "MLS-20817",
    "memberStatus": "PENDING",
    "memberType": "realtor salesperson",
    "designations": ["CRS", "GRI"],
    "licenseNumber": "01234567",
    "licenseState": "CA",
    "licenseExpiration": "2030-06-30",
    "licenseType": "Salesperson",
    "companyName": '=Harbor "Street" Realty, LLC',
    "phone": "(212) 555-0142",
    "nationalAssociationId": "084001234",
    "aor": "Hudson Gateway",
    "languages": ["Spanish", "English"],
    "bio": "Fifteen years\nof waterfront listings.",
}


@pytest.fixture(scope="module")
def admin(stack: Stack) -> SignedIn:
    return stack.user("ADMIN")


@pytest.fixture(scope="module")
def casey(stack: Stack) -> SignedIn:
    casey = stack.user("COACH", first_name="Casey", last_name="Åkerblom")
    assert casey.put("/api/user/member", {**CASEY, "version": 0}).status_code == 200
    return casey


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_a_row_has_reso_s_names_and_values(admin: SignedIn, casey: SignedIn) -> None:
    answer = admin.get("/api/members/export?licenseState=CA")

    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="members-20')
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    [row] = [row for row in table(answer.text) if row["MemberKey"] == "M-10442"]
    email = casey.get("/api/user").json()["data"]["email"]
    assert row.pop("ModificationTimestamp").endswith("Z")
    assert row == {
        "MemberKey": "M-10442",
        "MemberFirstName": "Casey",
        "MemberLastName": "Åkerblom",
        "MemberEmail": email,
        "MemberMlsId": "MLS-20817",
        "MemberStatus": "Inactive",  # RESO has no word for PENDING
        "MemberType": "REALTOR Salesperson",
        "MemberDesignation": "Certified Residential Specialist / CRS;Graduate, REALTOR Institute / GRI",
        "MemberStateLicense": "01234567",
        "MemberStateLicenseState": "CA",
        "MemberStateLicenseExpirationDate": "2030-06-30",
        "MemberStateLicenseType": "Salesperson",
        "OfficeName": '\'=Harbor "Street" Realty, LLC',
        "MemberPreferredPhone": "212-555-0142",
        "MemberNationalAssociationId": "084001234",
        "MemberAOR": "Hudson Gateway",
        "MemberLanguages": "English;Spanish",
        "MemberBio": "Fifteen years\nof waterfront listings.",
    }


def test_columns_filters_and_the_mark_for_excel(admin: SignedIn, casey: SignedIn) -> None:
    query = {"columns": "MemberStatus,MemberKey", "designation": "Graduate, REALTOR Institute / GRI", "bom": "true"}
    answer = admin.get("/api/members/export", params=query)

    assert answer.content.startswith(b"\xef\xbb\xbfMemberStatus,MemberKey\r\n")
    assert "Inactive,M-10442\r\n" in answer.text
    for other in (
        {"status": "SUSPENDED"},
        {"type": "Photographer"},
        {"licenseState": "WY"},
        {"updatedSince": "2090-01-01T00:00:00Z"},
    ):
        assert "M-10442" not in admin.get("/api/members/export", params=other).text
    for same in ({"status": "PENDING"}, {"type": "REALTOR Salesperson"}, {"licenseExpiresBefore": "2030-07-01"}):
        assert "M-10442" in admin.get("/api/members/export", params=same).text


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"columns": "MemberKey,MemberPassword"}, "columns"),
        ({"columns": ""}, "columns"),
        ({"status": "Active"}, "status"),
        ({"licenseExpiresBefore": "soon"}, "licenseExpiresBefore"),
        ({"filter": "x"}, "filter"),
    ],
)
def test_what_cannot_be_asked_is_named(admin: SignedIn, query: dict[str, str], parameter: str) -> None:
    answer = admin.get("/api/members/export", params=query)
    assert answer.status_code == 422
    assert [error["parameter"] for error in answer.json()["errors"]] == [parameter]


@pytest.mark.parametrize("role", ["MENTEE", "COACH"])
def test_only_admins_may(stack: Stack, role: str) -> None:
    assert stack.user(role).get("/api/members/export").status_code == 403


def test_every_export_is_written_down(stack: Stack, admin: SignedIn, casey: SignedIn) -> None:
    answer = admin.get("/api/members/export?licenseState=CA&columns=MemberKey", headers={"X-Request-Id": "export-1"})
    with stack.database() as database:
        [entry] = database.execute("select * from private.audit_log where request_id = 'export-1'").fetchall()
    assert (entry["action"], str(entry["actor_id"]), entry["table_name"]) == ("EXPORT", admin.user_id, "member_profile")
    assert entry["after"]["filter"] == {"license_state": "CA"}
    assert (entry["after"]["columns"], entry["after"]["rows"]) == (["MemberKey"], len(table(answer.text)))


def test_a_large_file_goes_through_a_link_that_ends(stack: Stack, admin: SignedIn) -> None:
    with many_members(stack, 2603, name="bulk", bio="é" * 1020):
        answer = admin.get("/api/members/export")

        assert answer.headers["Content-Type"] == "application/json"
        link = answer.json()["data"]
        file = httpx.get(link["url"])
        assert file.headers["Content-Disposition"].startswith('attachment; filename="members-20')
        rows = table(file.text)
        with stack.database() as database:
            [counted] = database.execute("select count(*) as rows from member_profile").fetchall()
        assert len(file.content) == link["bytes"] > 5_000_000  # more than one part
        assert len(rows) == len({row["MemberEmail"] for row in rows}) == link["rows"] == counted["rows"]
        small = admin.get("/api/members/export?status=SUSPENDED&delivery=LINK")
        assert len(table(httpx.get(small.json()["data"]["url"]).text)) == small.json()["data"]["rows"] < 100
