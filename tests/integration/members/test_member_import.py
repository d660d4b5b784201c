"""Members in from CSV: what is applied and when nothing is, what is told of each row, and files in the background."""

import itertools
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.members import make_members, many_members
from tests.support.stack import SignedIn, Stack, wait_until

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def admin(stack: Stack) -> SignedIn:
    return stack.user("ADMIN")


@pytest.fixture
def people(stack: Stack) -> list[str]:
    """The addresses of three members, whose keys are the part before the @ with hyphens for dots."""
    return make_members(stack, 3, name=f"i{next(NUMBERS)}{uuid4().hex[:6]}", state="WA")


def key(email: str) -> str:
    return email.partition("@")[0].replace(".", "-")


def text(*rows: str, header: str = "MemberEmail,OfficeName") -> str:
    return "\r\n".join([header, *rows, ""])


def started(admin: SignedIn, csv: str, **more: Any) -> dict[str, Any]:
    answer = admin.post("/api/members/import", {"csv": csv, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["data"]
    return made


def findings(admin: SignedIn, made: dict[str, Any], **query: Any) -> list[tuple[int, str | None, str]]:
    answer = admin.get(f"/api/members/import/{made['id']}/findings", params=query)
    assert answer.status_code == 200, answer.text
    return [(found["row"], found["column"], found["rule"]) for found in answer.json()["data"]]


def offices(stack: Stack, emails: list[str]) -> list[str]:
    with stack.database() as database:
        rows = database.execute(
            """select company_name from member_profile m join user_account u on u.id = m.user_id
               where email = any (%s) order by email""",
            [emails],
        ).fetchall()
    return [row["company_name"] for row in rows]


def uploaded(admin: SignedIn, content: bytes) -> tuple[str, httpx.Response]:
    place = admin.post("/api/members/import/uploads").json()["data"]
    return place["fileKey"], httpx.post(
        place["url"], data=place["fields"], files={"file": ("m.csv", content)}, timeout=60
    )


def finished(stack: Stack, admin: SignedIn, made: dict[str, Any]) -> dict[str, Any]:
    stack.drain()

    def ended() -> Any:
        state = admin.get(f"/api/members/import/{made['id']}").json()["data"]
        return state["finishedAt"] and state

    state: dict[str, Any] = wait_until(ended, seconds=30, what="the end of the import")
    return state


def test_rows_change_the_members_that_they_name(stack: Stack, admin: SignedIn, people: list[str]) -> None:
    newcomer = stack.user()
    email = newcomer.get("/api/user").json()["data"]["email"]
    header = "MemberKey,MemberEmail,OfficeName,MemberDesignation,MemberPreferredPhone,MemberStatus,MemberFax"
    made = started(
        admin,
        text(
            f"{key(people[0])},,By Key,CRS; abr,(212) 555-0199,Active,1",
            f",{people[1].upper()},By Address,,,Inactive,2",
            f'NEW-{uuid4().hex},{email},Newcomer,"Graduate, REALTOR Institute / GRI",+44 20 7946 0958,active,3',
            header=header,
        ),
    )

    assert made["status"] == "COMPLETED", findings(admin, made)
    assert made["rows"] == {"read": 3, "created": 1, "updated": 2, "unchanged": 0, "invalid": 0}
    assert made["ignoredColumns"] == ["MemberFax"]
    assert offices(stack, people) == ["By Key", "By Address", "Harbor Street Realty, LLC"]
    stored = newcomer.get("/api/user/member").json()["data"]
    assert (stored["companyName"], stored["memberStatus"], stored["phone"]) == (
        "Newcomer",
        "ACTIVE",
        "+44 20 7946 0958".replace(" ", ""),
    )
    assert stored["designations"] == ["Graduate, REALTOR Institute / GRI"]
    with stack.database() as database:
        changes = database.execute(
            """select field, new_value, actor_id, reason
               from member_change c join user_account u on u.id = c.user_id where email = %s""",
            [people[1]],
        ).fetchall()
    changed = {change["field"]: change["new_value"] for change in changes}
    assert changed == {
        "company_name": "By Address",
        "designations": [],
        "member_key": None,
        "member_status": "INACTIVE",
        "phone": None,
    }
    assert {str(change["actor_id"]) for change in changes} == {admin.user_id}
    assert {change["reason"] for change in changes} == {f"Import {made['id']}"}


def test_one_bad_row_keeps_all_out_or_only_itself(stack: Stack, admin: SignedIn, people: list[str]) -> None:
    csv = text(
        f"{people[0]},One",
        f"{people[1]},{'x' * 256}",
        "nobody@example.com,Two",
        f"{people[0]},Again",
        f"{people[2]},Three,4",
    )
    before = offices(stack, people)
    told = [
        (3, "OfficeName", "companyName.length"),
        (4, "MemberEmail", "row.unknown"),
        (5, None, "row.repeated"),
        (6, None, "row.fields"),
    ]

    whole = started(admin, csv)
    assert (whole["status"], whole["problem"]["code"]) == ("REFUSED", "rows_invalid")
    assert whole["rows"] == {"read": 5, "created": 0, "updated": 0, "unchanged": 0, "invalid": 4}
    assert offices(stack, people) == before
    assert findings(admin, whole) == told

    valid = started(admin, csv, mode="VALID_ROWS", dryRun=True)
    assert (valid["status"], valid["rows"]["updated"]) == ("COMPLETED", 1)
    assert offices(stack, people) == before

    valid = started(admin, csv, mode="VALID_ROWS")
    assert valid["rows"] == {"read": 5, "created": 0, "updated": 1, "unchanged": 0, "invalid": 4}
    assert offices(stack, people) == ["One", *before[1:]]
    assert findings(admin, valid) == told
    page = admin.get(f"/api/members/import/{valid['id']}/findings", params={"limit": 3}).json()
    assert findings(admin, valid, limit=3, cursor=page["nextCursor"]) == told[3:]
    assert findings(admin, valid, severity="warning") == []


def test_keys_and_licences_stay_unique(stack: Stack, admin: SignedIn, people: list[str]) -> None:
    header = "MemberEmail,MemberKey,MemberStateLicense,MemberStateLicenseState"
    rows = [f"{people[0]},{key(people[2])},A1,NY", f"{people[1]},K{people[1]},A1,NY"]
    made = started(admin, text(*rows, header=header), mode="VALID_ROWS")
    # The first row means the third person: by key before address. So A1 is his, and the second row comes too late.
    assert findings(admin, made) == [
        (2, "MemberEmail", "email.account"),
        (3, "MemberStateLicense", "licenseNumber.unique"),
    ]
    again = started(admin, text(f"{people[0]},A1,ny", header="MemberEmail,MemberStateLicense,MemberStateLicenseState"))
    assert findings(admin, again) == [(2, "MemberStateLicense", "licenseNumber.unique")]


def test_a_file_without_changes_changes_nothing(stack: Stack, admin: SignedIn, people: list[str]) -> None:
    exported = admin.get("/api/members/export?licenseState=WA").text
    with stack.database() as database:
        before = database.execute("select * from member_profile order by user_id").fetchall()
        history = database.execute("select count(*) as n from member_change").fetchone()
    made = started(admin, exported)
    assert made["rows"]["unchanged"] == made["rows"]["read"] >= 3, findings(admin, made)
    with stack.database() as database:
        assert database.execute("select * from member_profile order by user_id").fetchall() == before
        assert database.execute("select count(*) as n from member_change").fetchone() == history


def test_the_same_key_imports_once(stack: Stack, admin: SignedIn, people: list[str]) -> None:
    body, idempotency_key = {"csv": text(f"{people[0]},Once")}, uuid4().hex
    first = admin.post("/api/members/import", body, key=idempotency_key)
    second = admin.post("/api/members/import", body, key=idempotency_key)
    assert first.json() == second.json()
    with stack.database() as database:
        assert (
            len(
                database.execute(
                    "select 1 from private.member_import where id = %s", [first.json()["data"]["id"]]
                ).fetchall()
            )
            == 1
        )
    other = admin.post("/api/members/import", {**body, "dryRun": True}, key=idempotency_key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("csv", "code", "place"),
    [
        ("MemberKey;OfficeName\r\n1;2\r\n", "csv_wrong_delimiter", "Row 1: "),
        ("MemberKy,OfficeName\r\n1,2\r\n", "csv_unknown_column", "Row 1, column 1: "),
        ("OfficeName\r\nx\r\n", "csv_no_key_column", "Row 1: "),
        (",".join(["MemberKey", *(f"x{n}" for n in range(299))]), "csv_too_many_columns", "Row 1: "),
        ('MemberKey,OfficeName\r\n1,"never closed\r\n', "csv_malformed_quotes", "Row 2, column 2: "),
        ("MemberKey,OfficeName\r\n1,a\u0000b\r\n", "validation_failed", ""),
    ],
)
def test_a_text_that_is_no_file_of_members_is_refused(admin: SignedIn, csv: str, code: str, place: str) -> None:
    answer = admin.post("/api/members/import", {"csv": csv})
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    [error] = answer.json()["errors"]
    assert error["pointer"] == "#/csv"
    assert error["detail"].startswith(place)


def test_a_mark_at_the_beginning_is_no_part_of_a_name(admin: SignedIn, people: list[str]) -> None:
    made = started(admin, "\ufeff" + text(f"{people[0]},Marked"))
    assert made["rows"]["updated"] == 1


@pytest.mark.parametrize("role", ["MENTEE", "COACH"])
def test_only_admins_may(stack: Stack, admin: SignedIn, people: list[str], role: str) -> None:
    other = stack.user(role)
    made = started(admin, text(f"{people[0]},x"))
    for body in ({"csv": text(f"{people[0]},Mine")}, {"csv": "x;y"}, {"fileKey": f"imports/{'0' * 32}.csv"}):
        assert other.post("/api/members/import", body).status_code == 403
    assert other.post("/api/members/import/uploads").status_code == 403
    assert other.get(f"/api/members/import/{made['id']}").status_code == 403
    assert other.get(f"/api/members/import/{made['id']}/findings").status_code == 403
    assert admin.get(f"/api/members/import/{uuid4()}").status_code == 404
    assert admin.get(f"/api/members/import/{uuid4()}/findings").status_code == 404


def test_an_uploaded_file_is_worked_off_in_the_background(stack: Stack, admin: SignedIn) -> None:
    with many_members(stack, 1200, name="uploaded") as emails:
        content = text(*(f"{email},Uploaded" for email in emails)).encode()
        file_key, posted = uploaded(admin, content)
        assert posted.status_code == 204, posted.text
        answer = admin.post("/api/members/import", {"fileKey": file_key})
        assert answer.status_code == 201, answer.text
        assert answer.headers["Location"] == f"/api/members/import/{answer.json()['data']['id']}"
        assert answer.json()["data"]["status"] == "QUEUED"
        done = finished(stack, admin, answer.json()["data"])
        assert (done["status"], done["rows"]["updated"]) == ("COMPLETED", 1200), done
        assert set(offices(stack, emails)) == {"Uploaded"}
        # A long text takes the same way.
        more = started(admin, content.decode().replace("Uploaded", "Sent"))
        assert more["status"] == "QUEUED"
        assert finished(stack, admin, more)["rows"]["updated"] == 1200
        with stack.database() as database:
            assert (
                database.execute(
                    "select 1 from private.member_import_row where data is not null or user_id is not null"
                ).fetchall()
                == []
            )


def test_a_bad_file_is_refused_in_the_background_too(stack: Stack, admin: SignedIn, people: list[str]) -> None:
    before = offices(stack, people)
    file_key, _ = uploaded(admin, text(f"{people[0]},Good").encode() + b"\xff\xfe,bad\r\n")
    done = finished(
        stack, admin, admin.post("/api/members/import", {"fileKey": file_key, "mode": "VALID_ROWS"}).json()["data"]
    )
    assert (done["status"], done["problem"]["code"], done["problem"]["row"], done["problem"]["column"]) == (
        "REFUSED",
        "csv_not_utf8",
        3,
        1,
    )
    assert offices(stack, people) == before


def test_a_file_that_is_too_large_is_refused_unread(stack: Stack, admin: SignedIn) -> None:
    content = b"MemberKey,OfficeName\r\n" + b"x" * 50_000_000
    file_key, posted = uploaded(admin, content)
    assert (posted.status_code, "EntityTooLarge" in posted.text) == (400, True)
    missing = admin.post("/api/members/import", {"fileKey": file_key})
    assert (missing.status_code, missing.json()["errors"][0]["pointer"]) == (422, "#/fileKey")
    # And if one were there all the same:
    bucket = admin.post("/api/members/import/uploads").json()["data"]["url"]
    assert httpx.put(f"{bucket.rstrip('/')}/{file_key}", content=content, timeout=60).status_code == 200
    refused = admin.post("/api/members/import", {"fileKey": file_key})
    assert (refused.status_code, refused.json()["code"]) == (413, "content_too_large")
