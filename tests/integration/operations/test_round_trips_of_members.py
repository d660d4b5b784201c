"""Round trips of the routes of member data and of accounts, counted as in test_round_trips."""

from functools import partial

from tests.integration.members.test_member import licensed
from tests.integration.operations.test_round_trips import trips
from tests.support.stack import Stack
from tests.support.story import APPLICATION


def test_reads_of_members_and_accounts_take_one(stack: Stack) -> None:
    admin, member = stack.user("ADMIN"), stack.user("COACH")
    assert member.put("/api/user/member", licensed()).status_code == 200
    csv = f"MemberEmail,OfficeName\r\n{member.http.get('/api/user').json()['data']['email']},Harbor\r\n"
    made = admin.post("/api/members/import", {"csv": csv, "dryRun": True}).raise_for_status().json()["data"]
    reads = [
        (member, "/api/members/schema"),
        (admin, "/api/members?search=harbor&status=ACTIVE&designation=CRS&limit=100"),
        (admin, f"/api/members/{member.user_id}"),
        (admin, f"/api/members/{member.user_id}/history?asOf=2020-01-01T00:00:00Z"),
        (admin, "/api/members/duplicates?limit=100"),
        (admin, "/api/members/report"),
        (admin, f"/api/members/import/{made['id']}"),
        (admin, f"/api/members/import/{made['id']}/findings"),
        (admin, "/api/admin/users?role=COACH&status=ACTIVE&limit=100"),
        (admin, f"/api/admin/users/{member.user_id}"),
        (admin, f"/api/admin/audit?rowId={member.user_id}&limit=100"),
        (admin, f"/api/user/role/history?userId={member.user_id}"),
        (admin, "/api/user/role/requests?status=REQUESTED"),
        (admin, "/api/user/role/analytics"),
    ]
    counted = {path: trips(stack, partial(who.get, path)) for who, path in reads}
    counted["validate"] = trips(stack, lambda: member.post("/api/members/validate", licensed()).raise_for_status())
    preview = {"userIds": [member.user_id], "remove": ["COACH"]}
    counted["preview"] = trips(stack, lambda: admin.post("/api/user/role/preview", preview).raise_for_status())
    assert counted == dict.fromkeys(counted, 1)


def test_writes_of_members_and_accounts_take_a_read_and_a_write(stack: Stack) -> None:
    admin, member, applicant = stack.user("ADMIN"), stack.user("COACH"), stack.user()
    stored = member.put("/api/user/member", licensed()).raise_for_status().json()["data"]
    asked = applicant.post("/api/user/role/requests", APPLICATION).raise_for_status().json()["data"]
    path, csv = f"/api/members/{member.user_id}", f"MemberKey,OfficeName\r\n{stored['memberKey']},Harbor\r\n"
    counted = {
        "PATCH member": trips(stack, lambda: admin.patch(path, {"bio": "A", "version": 1}).raise_for_status()),
        "PATCH member, refused": trips(stack, lambda: admin.patch(path, {"phone": "1", "version": 2})),
        "revert": trips(
            stack,
            lambda: admin.post(f"{path}/revert", {"asOf": stored["updatedAt"], "version": 2}).raise_for_status(),
        ),
        "import": trips(stack, lambda: admin.post("/api/members/import", {"csv": csv}).raise_for_status()),
        "export": trips(stack, lambda: admin.get("/api/members/export?columns=MemberKey").raise_for_status()),
        "withdraw": trips(
            stack,
            lambda: applicant.post(
                f"/api/user/role/requests/{asked['id']}/withdraw", {"version": 1}
            ).raise_for_status(),
        ),
    }
    assert counted == {
        "PATCH member": 2,
        "PATCH member, refused": 1,
        "revert": 2,
        "import": 2,
        "export": 2,
        "withdraw": 1,
    }
