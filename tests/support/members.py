"""Members in numbers, made in the database."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from tests.runtime.local import sample
from tests.support.stack import SignedIn, Stack

TABLES = ("user_account", "user_role", "member_profile", "member_change")


@contextlib.contextmanager
def many_members(stack: Stack, count: int, *, name: str, bio: str = "") -> Iterator[list[str]]:
    """`make_members`, who are gone afterwards: other tests on this stack list everybody on one page."""
    try:
        yield make_members(stack, count, name=name, **({"bio": bio} if bio else {}))
    finally:
        with stack.database() as database, database.transaction():
            for table in TABLES:
                database.execute(f"alter table {table} disable trigger user".encode())
            for table in reversed(TABLES[1:]):
                database.execute(
                    f"""delete from {table} t using user_account u
                        where u.id = t.user_id and split_part(u.clerk_id, '_', 1) = %s""".encode(),  # noqa: S608 - ours
                    [name],
                )
            database.execute("delete from user_account where split_part(clerk_id, '_', 1) = %s", [name])
            for table in TABLES:
                database.execute(f"alter table {table} enable trigger user".encode())


def make_members(
    stack: Stack,
    count: int,
    *,
    name: str = "bulk",
    state: str = "NY",
    bio: str = "Fifteen years of waterfront listings.",
) -> list[str]:
    """So many users, with member data; their addresses are `<name>.<number>@example.com`."""
    fields = {
        "member_key": f"'{name}-' || n",
        "member_status": "'ACTIVE'",
        "member_type": "'REALTOR Salesperson'",
        "designations": "array['Certified Residential Specialist / CRS', 'Graduate, REALTOR Institute / GRI']",
        "license_number": f"upper('{name}') || n",
        "license_state": f"'{state}'",
        "company_name": "'Harbor Street Realty, LLC'",
        "phone": "'+1212555' || lpad(mod(n, 10000)::text, 4, '0')",
        "languages": "array['English', 'Spanish']",
        "bio": "%(bio)s::text",
    }
    with stack.database() as database, database.transaction():
        for table in TABLES:  # no history of how thousands came to be
            database.execute(f"alter table {table} disable trigger user".encode())
        database.execute(
            """with made as (
                 insert into user_account (clerk_id, email, email_verified, first_name, last_name)
                 select %(name)s || '_' || n, %(name)s || '.' || n || '@example.com', true, 'Bulk', 'Member ' || n
                 from generate_series(1, %(count)s) n returning id)
               insert into user_role (user_id, role) select id, 'MENTEE' from made""",
            {"name": name, "count": count},
        )
        database.execute(
            f"""insert into member_profile (user_id, {", ".join(fields)})
                select id, {", ".join(fields.values())}
                from (select id, split_part(clerk_id, '_', 2)::integer as n from user_account
                      where clerk_id like %(name)s || '\\_%%') u""".encode(),  # noqa: S608 - our own words
            {"name": name, "bio": bio},
        )
        for table in TABLES:
            database.execute(f"alter table {table} enable trigger user".encode())
    return [f"{name}.{number}@example.com" for number in range(1, count + 1)]


def unheard_import(stack: Stack, admin: SignedIn, content: str, mode: str) -> tuple[str, Any]:
    """The id of an import of this file, and the message that asks for it, which no queue was sent."""
    place = admin.post("/api/members/import/uploads").json()["data"]
    posted = stack.http.post(place["url"], data=place["fields"], files={"file": ("m.csv", content.encode())})
    assert posted.status_code == 204, posted.text
    with stack.database() as database:
        row = database.execute(
            """insert into private.member_import (created_by, mode, dry_run, file_key)
               values (%s, %s, false, %s) returning id::text""",
            [admin.user_id, mode, place["fileKey"]],
        ).fetchone()
    assert row is not None
    event = sample("member_imports")
    event["Records"][0]["body"] = json.dumps({"importId": row["id"]})
    return row["id"], event
