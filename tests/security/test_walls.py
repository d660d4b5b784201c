"""The two walls of the database, tried with the stock Supabase client: the guard (our gate), then row-level security.

PostgREST is a second front door: anyone who is signed in can send it a session token and the publishable key.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from postgrest.exceptions import APIError
from supabase import Client, create_client
from supabase.lib.client_options import SyncClientOptions

from tests.support.exposed import HIDDEN_COLUMNS, KEYED_BY_USER, LOGS, PUBLIC_FUNCTIONS, SERVICE_FUNCTIONS, TABLES
from tests.support.growth import give_credit
from tests.support.notifications import told
from tests.support.stack import ROOT, SignedIn, Stack
from tests.support.story import APPLICATION, GOAL, at, book, complete_sessions, next_weekday, published_coach


@dataclass(frozen=True)
class Story:
    """A coach, her mentee and their session; a stranger to both, another coach, an admin."""

    coach: SignedIn
    mentee: SignedIn
    stranger: SignedIn
    other_coach: SignedIn
    admin: SignedIn


@pytest.fixture(scope="module")
def story(stack: Stack) -> Story:
    coach, mentee, stranger = published_coach(stack), stack.user(), stack.user()
    assert book(mentee, coach, at(next_weekday(), "10:00")).status_code == 201
    complete_sessions(stack, coach)
    session = mentee.get("/api/sessions").json()["data"][0]
    assert mentee.post(f"/api/sessions/{session['id']}/review", {"rating": 5}).status_code == 201
    shared = mentee.post("/api/goals", {**GOAL, "shared": True})
    assert shared.status_code == 201, shared.text
    assert mentee.post(f"/api/goals/{shared.json()['data']['id']}/progress", {"amount": 1}).status_code == 201
    admin = stack.user("ADMIN")
    for member in (mentee, stranger):
        assert told(stack, member, choosing=True)
        give_credit(stack, member)
        granted = {"userId": member.user_id, "code": "first_goal", "reason": "By hand"}
        assert admin.post("/api/achievements/grants", granted).status_code == 201
        assert member.put("/api/user/member", {"companyName": "Harbor Street", "version": 0}).status_code == 200
        assert member.post("/api/user/role/requests", APPLICATION).status_code == 201
    return Story(coach, mentee, stranger, published_coach(stack), admin)


@cache  # making one takes longer than what most tests ask of it
def client(stack: Stack, token: str | None = None, *, gate: bool, key: str = "publishableKey") -> Client:
    info = stack.info
    headers = {info["gate"]["header"]: info["gate"]["value"]} if gate else {}
    made = create_client(info["supabaseUrl"], info[key], SyncClientOptions(headers=headers))
    if token:
        made.postgrest.auth(token)
    return made


def catalogue(stack: Stack) -> Iterator[tuple[str, dict[str, str], list[str]]]:
    """Every function of the exposed schema: name, arguments that fit their types, and who may call it."""
    query = """
        select p.proname as name,
               array(select case format_type(t, null)
                       when 'uuid' then '00000000-0000-0000-0000-000000000000'
                       when 'integer' then '1' when 'jsonb' then '{}'
                       when 'timestamp with time zone' then '2030-01-01T00:00:00Z' when 'boolean' then 'true'
                       when 'date' then '2030-01-01'
                       when 'text[]' then '{}' when 'uuid[]' then '{}' else 'x' end
                     from unnest(p.proargtypes) t) as given,
               p.proargnames as names,
               array(select r.rolname from pg_roles r where r.rolname in ('anon', 'authenticated', 'service_role')
                     and has_function_privilege(r.rolname, p.oid, 'execute') order by 1) as allowed
        from pg_proc p where p.pronamespace = 'public'::regnamespace order by 1"""
    with stack.database() as database:
        for row in database.execute(query):
            arguments = dict(zip(row["names"] or [], row["given"], strict=False))
            yield row["name"], arguments, row["allowed"]


def refusal(call: Any) -> APIError:
    with pytest.raises(APIError) as caught:
        call.execute()
    return caught.value


def test_the_lists_above_name_every_table_and_function(stack: Stack) -> None:
    with stack.database() as database:
        rows = database.execute(
            """select c.relname as name, c.relrowsecurity and c.relforcerowsecurity as closed, n.nspname as schema
               from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where n.nspname in ('public', 'private') and c.relkind in ('r', 'p', 'v', 'm')"""
        ).fetchall()
    open_tables = {row["name"] for row in rows if not row["closed"]} - {"_prisma_migrations"}
    assert open_tables == set()
    assert {row["name"] for row in rows if row["schema"] == "public"} == set(TABLES) | {"_prisma_migrations"}
    service = {name for name, _, allowed in catalogue(stack) if "service_role" in allowed}
    anonymous = {name for name, _, allowed in catalogue(stack) if "anon" in allowed}
    assert (service, anonymous) == (SERVICE_FUNCTIONS, PUBLIC_FUNCTIONS)


def test_without_the_gate_everything_is_refused_to_everyone(stack: Stack, story: Story) -> None:
    tried = 0
    for token in (None, story.mentee.token, story.coach.token, story.admin.token):
        outsider = client(stack, token, gate=False)
        for table in TABLES:
            assert refusal(outsider.table(table).select("*")).message in {
                "gate_closed",
                f"permission denied for table {table}",
            }
            tried += 1
        for name, arguments, _ in catalogue(stack):
            assert refusal(outsider.rpc(name, arguments)).message == "gate_closed", name
            tried += 1
    print(f"{tried} calls without the gate, {tried} refused")


@pytest.mark.parametrize("table", sorted(TABLES))
def test_behind_the_gate_a_table_shows_a_caller_his_own_rows_alone(stack: Stack, story: Story, table: str) -> None:
    def ids(who: SignedIn, of: set[str] | None = None) -> set[str]:
        key = {"user_account": "id", "session": "coach_id", "session_transition": "session_id", "user_role": "user_id"}
        key |= {
            "goal": "user_id",
            "goal_event": "goal_id",
            "goal_progress": "goal_id",
            "achievement_definition": "code",
        }
        column = key.get(table, "user_id" if table in KEYED_BY_USER else "coach_id")
        asked = client(stack, who.token, gate=True).table(table).select(column)
        # An admin's answer ends at PostgREST's limit, so he is asked for certain ones.
        rows: list[Any] = (asked if of is None else asked.in_(column, sorted(of))).execute().data
        return {str(row[column]) for row in rows}

    match TABLES[table]:
        case "self":
            assert ids(story.mentee) == {story.mentee.user_id}
            assert ids(story.stranger) == {story.stranger.user_id}
        case "everyone":
            assert ids(story.mentee) == ids(story.stranger) != set()
        case "coach":
            assert ids(story.coach) == {story.coach.user_id}
            assert ids(story.mentee) == ids(story.stranger) == set()
            assert ids(story.other_coach) == {story.other_coach.user_id}
        case "participants":
            assert len(ids(story.mentee)) == len(ids(story.coach)) == 1
            assert ids(story.mentee) == ids(story.coach)
            assert ids(story.stranger) == ids(story.other_coach) == set()
    assert ids(story.admin, of=ids(story.coach)) == ids(story.coach)
    error = refusal(client(stack, gate=True).table(table).select("*"))
    assert error.message == f"permission denied for table {table}"


@pytest.mark.parametrize("table", sorted(TABLES))
def test_nobody_writes_a_table_not_even_the_service(stack: Stack, story: Story, table: str) -> None:
    callers = [
        client(stack, story.mentee.token, gate=True),
        client(stack, story.admin.token, gate=True),
        client(stack, gate=True),
        client(stack, gate=True, key="secretKey"),
    ]
    column = {"session_transition": "session_id", "goal_event": "goal_id"}.get(table) or (
        "user_id" if table in KEYED_BY_USER else "id"
    )
    nobody = "00000000-0000-0000-0000-000000000000"
    for caller in callers:
        for call in (
            caller.table(table).insert({}),
            caller.table(table).update({column: nobody}).eq(column, nobody),
            caller.table(table).delete().eq(column, nobody),
        ):
            assert refusal(call).code == "42501"


@pytest.mark.parametrize("table", sorted(HIDDEN_COLUMNS))
def test_columns_that_are_nobodys_business_cannot_be_read(stack: Stack, story: Story, table: str) -> None:
    mine = client(stack, story.coach.token, gate=True)
    for column in HIDDEN_COLUMNS[table]:
        assert refusal(mine.table(table).select(column)).code == "42501"


def test_private_tables_are_not_exposed_at_all(stack: Stack, story: Story) -> None:
    for made in (client(stack, story.admin.token, gate=True), client(stack, gate=True, key="secretKey")):
        for table in (*LOGS, "setting", "outbox_event", "webhook_event", "idempotency_key", "rate_limit"):
            error = refusal(made.schema("private").table(table).select("*"))
            assert "schema must be one of" in (error.message or "")


def test_functions_run_only_for_those_they_are_granted_to(stack: Stack, story: Story) -> None:
    callers = {
        "anon": client(stack, gate=True),
        "authenticated": client(stack, story.stranger.token, gate=True),
        "service_role": client(stack, gate=True, key="secretKey"),
    }
    denied = 0
    for name, arguments, allowed in catalogue(stack):
        for role, caller in callers.items():
            if role not in allowed:
                assert refusal(caller.rpc(name, arguments)).code == "42501", (name, role)
                denied += 1
    assert denied > 30


def test_what_the_api_reads_with_cannot_write(stack: Stack) -> None:
    sources = [path.read_text() for group in ("layers", "functions") for path in (ROOT / group).rglob("*.py")]
    called = {name for text in sources for name in re.findall(r'\.read\(\s*"(\w+)"', text)}
    with stack.database() as database:
        stable = database.execute(
            "select proname from pg_proc where pronamespace = 'public'::regnamespace and provolatile = 's'"
        )
        assert called <= {row["proname"] for row in stable}
    assert {"list_coaches", "booking_context"} <= called


def test_a_mentee_cannot_do_an_admins_or_a_coachs_work_behind_the_gate(stack: Stack, story: Story) -> None:
    mine = client(stack, story.stranger.token, gate=True)
    grab = {"target": story.stranger.user_id, "wanted": ["ADMIN"], "reason": "me", "expected_version": 1}
    for name, arguments in (
        ("set_user_roles", grab),
        ("preview_user_roles", {"targets": [story.stranger.user_id], "given": ["ADMIN"], "taken": []}),
        ("create_coach_profile", {"input": {}}),
        ("create_schedule", {"input": {}}),
        ("update_coach_profile", {"patch": {}, "expected_version": 1}),
    ):
        assert refusal(mine.rpc(name, arguments)).message == "forbidden", name
    with stack.database() as database:
        session = database.execute("select id from session where mentee_id = %s", [story.mentee.user_id]).fetchone()
    assert session is not None
    assert refusal(mine.rpc("get_session", {"session_id": str(session["id"])})).message == "not_found"
    assert refusal(mine.rpc("cancel_session", {"session_id": str(session["id"])})).message == "not_found"


def test_the_audit_log_cannot_be_edited_by_its_owner_either(stack: Stack) -> None:
    with stack.database() as database:
        for statement in (
            "update private.audit_log set reason = 'x'",
            "delete from private.audit_log",
            "truncate private.audit_log",
        ):
            with pytest.raises(Exception, match="append-only"):
                database.execute(statement)


def test_a_suspended_user_is_refused_everywhere_at_once(stack: Stack) -> None:
    user = stack.user("ADMIN", "COACH")
    with stack.database() as database:
        database.execute("update user_account set status = 'SUSPENDED' where id = %s", [user.user_id])
    answer = user.get("/api/user")
    assert (answer.status_code, answer.json()["code"]) == (403, "user_suspended")
    error = refusal(client(stack, user.token, gate=True).table("user_account").select("id"))
    assert error.message == "user_suspended"


def test_maintenance_stops_writes_and_lets_reads_and_webhooks_through(stack: Stack) -> None:
    user = stack.user()
    with stack.database() as database:
        database.execute("""select private.set_setting('maintenance', '{"enabled": true, "retryAfter": 90}')""")
        try:
            refused = user.patch("/api/user", {"timezone": "UTC", "version": 1})
            assert user.get("/api/user").status_code == 200
            newcomer = stack.user()  # signs up through Clerk's webhook
        finally:
            database.execute("""select private.set_setting('maintenance', '{"enabled": false}')""")
    assert (refused.status_code, refused.headers["retry-after"], refused.json()["code"]) == (503, "90", "maintenance")
    assert newcomer.get("/api/user").status_code == 200
