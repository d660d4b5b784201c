"""scripts/first_admin.py: once, and only for somebody who has signed up."""

import os
import subprocess
import sys

from tests.support.stack import ROOT, Stack


def run(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts/first_admin.py"), *arguments],
        env={**os.environ, "DATABASE_URL": stack.info["databaseUrl"]},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_first_admin_is_made_once(stack: Stack) -> None:
    user, other = stack.user(), stack.user()
    address, another = (each.get("/api/user").json()["data"]["email"] for each in (user, other))
    with stack.database() as database:
        admins = database.execute(
            """update user_account set status = 'SUSPENDED' where status <> 'SUSPENDED' and deleted_at is null
               and id in (select user_id from user_role where role = 'ADMIN') returning id"""
        ).fetchall()
        try:
            unknown = run(stack, "nobody@example.com")
            made = run(stack, address.upper())
            again, second = run(stack, address), run(stack, another)
        finally:
            back = [each["id"] for each in admins]
            database.execute("update user_account set status = 'ACTIVE' where id = any (%s)", [back])
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("Refused: 0 active users have the verified address nobody@example.com.")
    assert (made.returncode, made.stdout) == (0, f"{address.upper()} is ADMIN now: user {user.user_id}.\n"), made.stderr
    assert user.get("/api/user").json()["data"]["roles"] == ["MENTEE", "ADMIN"]
    for refused in (again, second):
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("Refused: There is an ADMIN already.")
    assert other.get("/api/user").json()["data"]["roles"] == ["MENTEE"]
    change = user.get("/api/user/role/history").json()["data"][0]
    assert (change["actorId"], change["reason"], change["after"]) == (None, "The first ADMIN", ["MENTEE", "ADMIN"])


def test_without_an_address_it_says_how_it_is_called(stack: Stack) -> None:
    answer = run(stack)
    assert answer.returncode == 1
    assert "scripts/first_admin.py ada@example.com" in answer.stderr
