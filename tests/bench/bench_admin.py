"""What the lists of ADMINs take at the API, and the plans of what runs: `make bench-admin`, USERS (20,000).

Each user has one to three changes of roles and some ten lines of the audit log, every tenth has asked for a role.
The plans are those of the eighth call on a connection: by then Postgres has decided whether it plans for values any
more. Fails when a p95 passes 100 ms.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from tests.bench.table import machine, say, show
from tests.support.roster import make_roster
from tests.support.stack import SignedIn, Stack, running_stack

USERS, ROUNDS = int(os.environ.get("USERS") or 20_000), int(os.environ.get("ROUNDS") or 40)
BAR_MS = 100.0
FILL = """
alter table user_account disable trigger user;
alter table user_role disable trigger user;
update user_account u set created_at = now() - make_interval(mins => split_part(clerk_id, '_', 3)::integer)
where clerk_id like 'bulk\\_%';
create temporary table bulk as
  select id, split_part(clerk_id, '_', 3)::integer as n, created_at from user_account where clerk_id like 'bulk\\_%';
insert into user_role (user_id, role) select id, 'MENTEE'::role_name from bulk
  union all select id, 'COACH' from bulk where n % 10 = 0 union all select id, 'ADMIN' from bulk where n % 2000 = 0;
alter table user_account enable trigger user;
alter table user_role enable trigger user;
insert into private.role_change (user_id, before, after, reason, occurred_at)
  select id, '{}'::role_name[], '{MENTEE}'::role_name[], null::text, created_at from bulk
  union all select id, '{MENTEE}', '{MENTEE,COACH}', 'Request approved', created_at + interval '1 day' from bulk
    where n % 10 = 0
  union all select id, '{MENTEE}', '{MENTEE,ADMIN}', 'On call', created_at + interval '2 days' from bulk
    where n % 2000 = 0
  order by 5;
insert into role_request (user_id, role, status, statement, decided_at, decided_by, decision_reason, created_at)
  select b.id, 'COACH', s.status, 'Ten years in the trade', case when s.status <> 'REQUESTED' then b.created_at end,
         case when s.status in ('APPROVED', 'REJECTED') then (select id from bulk where n = 1) end,
         case when s.status = 'REJECTED' then 'No licence' end, b.created_at
  from bulk b, lateral (select (array['APPROVED', 'APPROVED', 'REJECTED', 'WITHDRAWN', 'REQUESTED'])
                          [1 + b.n / 10 % 5]::role_request_status as status) s
  where b.n % 10 = 0;
insert into private.audit_log (occurred_at, actor_id, database_role, request_id, action, table_name, row_id, after)
  select b.created_at + make_interval(hours => k), b.id, 'authenticated', format('request-%s-%s', b.n, k / 3),
         (array['INSERT', 'UPDATE', 'UPDATE'])[1 + k % 3],
         (array['user_account', 'member_profile', 'session', 'coach_profile'])[1 + k % 4], b.id::text, '{"version": 2}'
  from bulk b, generate_series(1, 10) k order by 1;
"""


def lists(somebody: str) -> dict[str, tuple[str, str]]:
    """Title → path at the API, and the call that it makes."""
    users, audit = "/api/admin/users", "/api/admin/audit"
    history, asked = "/api/user/role/history", "/api/user/role/requests"
    return {
        "users": (users, "list_accounts()"),
        "users, part of a name": (f"{users}?search=agent1234", "list_accounts(search => 'agent1234')"),
        "users, ADMINs": (f"{users}?role=ADMIN", "list_accounts(wanted_role => 'ADMIN')"),
        "users, suspended": (f"{users}?status=SUSPENDED", "list_accounts(wanted_status => 'SUSPENDED')"),
        "audit": (audit, "list_audit()"),
        "audit of a row": (f"{audit}?rowId={somebody}", f"list_audit(wanted_row => '{somebody}')"),
        "audit of an actor": (f"{audit}?actorId={somebody}", f"list_audit(actor => '{somebody}')"),
        "audit of a request": (f"{audit}?requestId=request-17000-2", "list_audit(wanted_request => 'request-17000-2')"),
        "audit of a table": (f"{audit}?tableName=plan", "list_audit(wanted_table => 'plan')"),
        "role history": (history, "list_role_changes()"),
        "role history of a user": (f"{history}?userId={somebody}", f"list_role_changes(target => '{somebody}')"),
        "role history, ADMIN": (f"{history}?role=ADMIN", "list_role_changes(wanted_role => 'ADMIN')"),
        "requests": (asked, "list_role_requests()"),
        "requests, open": (f"{asked}?status=REQUESTED", "list_role_requests(wanted_status => 'REQUESTED')"),
    }


def main() -> int:
    """Make the users, time the lists, show the plans."""
    with tempfile.TemporaryDirectory(prefix="coachline-bench-") as folder:
        Path(folder).chmod(0o755)
        with running_stack(Path(folder) / "stack", {"DEVSTACK_DEMO_DATA": "0"}) as stack:
            admin = stack.user("ADMIN")
            make_roster(stack, USERS, tag="A")
            with stack.database() as database:
                database.execute(FILL.encode())
                database.execute(
                    "vacuum analyze"
                )  # as autovacuum does in the end: entries of trigram indexes wait for it
                row = database.execute("select id from user_account where clerk_id = 'bulk_A_17000'").fetchone()
            assert row is not None, "USERS has to be at least 17000"
            return measure(stack, admin, lists(str(row["id"])))


def measure(stack: Stack, admin: SignedIn, wanted: dict[str, tuple[str, str]]) -> int:
    times: dict[str, list[float]] = {title: [] for title in wanted}
    since = machine()
    for _ in range(ROUNDS):
        for title, (path, _) in wanted.items():
            begun = time.perf_counter()
            answer = admin.get(path)
            times[title].append((time.perf_counter() - begun) * 1000)
            assert answer.status_code == 200, answer.text
    sorted_times = {title: sorted(each) for title, each in times.items()}
    p95 = {title: each[int(0.95 * ROUNDS)] for title, each in sorted_times.items()}
    rows = [[title, f"{each[ROUNDS // 2]:.1f}", f"{p95[title]:.1f}"] for title, each in sorted_times.items()]
    show(["list", "p50 ms", "p95 ms"], rows)
    say(f"\n{USERS} users; before: {since}; after: {machine()}")
    plans(stack, admin, wanted)
    return int(max(p95.values()) > BAR_MS)


def plans(stack: Stack, admin: SignedIn, wanted: dict[str, tuple[str, str]]) -> None:
    """What auto_explain says of the one statement of each list, as its function runs it."""
    assert stack.directory is not None
    password = (stack.directory / "postgres/password").read_text()
    found: list[str] = []

    def heard(notice: psycopg.errors.Diagnostic) -> None:
        if "jsonb_agg" in (notice.message_primary or ""):
            found.append(notice.message_primary or "")

    with psycopg.connect(
        stack.info["databaseUrl"], user="supabase_admin", password=password, autocommit=True
    ) as database:
        database.add_notice_handler(heard)
        database.execute("load 'auto_explain'")
        for setting in ("log_analyze = on", "log_buffers = on", "log_nested_statements = on", "log_timing = off"):
            database.execute(f"set auto_explain.{setting}".encode())
        database.execute("set client_min_messages = log")
        database.execute("select set_config('request.jwt.claims', %s, false)", [f'{{"sub": "{admin.clerk_id}"}}'])
        for title, (_, call) in wanted.items():
            for number in range(8):
                database.execute(f"set auto_explain.log_min_duration = {0 if number == 7 else -1}".encode())
                database.execute(f"select public.{call}".encode())
            database.execute("set auto_explain.log_min_duration = -1")
            say(f"\n### {title}\n")
            longest: Any = max(found, key=len)
            say("\n".join(f"    {line}" for line in longest.partition("\nResult")[2].splitlines() if line.strip()))
            found.clear()


if __name__ == "__main__":
    sys.exit(main())
