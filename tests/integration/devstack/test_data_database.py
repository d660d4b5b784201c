"""What the stack makes of an empty database: Supabase's roles, the migrations, prisma/sql, the movable clock."""

import hashlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from devstack import database
from devstack.config import StackError
from devstack.postgres import ADMIN
from tests.integration.devstack.data_stack import PROJECT, DataStack, running
from tests.support.schema import schema_difference

FIRST = "prisma/migrations/20270101000000_first/migration.sql"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataStack]:
    with running(tmp_path_factory.mktemp("data")) as stack:
        yield stack


@pytest.fixture
def stack(server: DataStack, request: pytest.FixtureRequest) -> Iterator[DataStack]:
    """A prepared database of the test's own; the project's files are put back afterwards."""
    name = "t_" + re.sub(r"\W+", "_", request.node.name)[:50]
    server.run(database.create_from_template(server.postgres, "coachline", name))
    yield server.on(name)
    root = server.config.root
    for path in [*root.glob("prisma/**/*.sql")]:
        path.unlink()
    for file, text in PROJECT.items():
        (root / file).write_text(text)


def migration(stack: DataStack, name: str, text: str) -> Path:
    path = stack.config.root / "prisma/migrations" / name / "migration.sql"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def sql_file(stack: DataStack, name: str, text: str) -> Path:
    path = stack.config.root / "prisma/sql" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_an_empty_server_gets_everything_once(server: DataStack) -> None:
    fresh = server.on("fresh")

    assert fresh.prepare() == [
        "creating the database fresh",
        "applying 1 migration",
        "applying prisma/sql (3 files)",
    ]
    began = time.monotonic()
    assert fresh.prepare() == []
    assert time.monotonic() - began < 1  # Node was not started


def test_roles_are_as_on_supabase(server: DataStack) -> None:
    roles = server.sql(
        "select rolname, rolsuper, rolcanlogin, rolbypassrls, rolinherit from pg_roles"
        " where rolname !~ '^pg_' order by 1"
    )

    assert roles == [
        ("anon", False, False, False, True),
        ("authenticated", False, False, False, True),
        ("authenticator", False, True, False, False),
        ("postgres", False, True, True, True),
        ("service_role", False, False, True, True),
        (ADMIN, True, True, True, True),
    ]
    assert server.sql("show statement_timeout", role="authenticator") == [("8s",)]
    assert server.sql("show search_path") == [('"$user", public, extensions',)]
    limits = "select rolname, rolconfig from pg_roles where rolname like 'a%' order by 1"
    assert server.sql(limits) == [
        ("anon", ["statement_timeout=3s"]),
        ("authenticated", ["statement_timeout=8s"]),
        ("authenticator", ["statement_timeout=8s", "lock_timeout=8s"]),
    ]


def test_postgres_may_do_what_migrations_need_and_no_more(stack: DataStack) -> None:
    stack.sql("alter role authenticator set pgrst.db_pre_request = 'private.guard'")
    stack.sql("alter role authenticator reset pgrst.db_pre_request")
    stack.sql("create extension pg_trgm with schema extensions")
    stack.sql("set role service_role; set role anon")

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        stack.sql("select pg_read_file('/etc/hostname')")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        stack.sql("create table auth.users ()")


def test_new_objects_in_public_are_open_until_revoked_as_on_supabase(stack: DataStack) -> None:
    stack.sql("create table public.fresh (id int); create function public.f() returns int language sql as 'select 1'")

    for role in ("anon", "authenticated", "service_role"):
        [granted] = stack.sql(
            f"select has_table_privilege('{role}', 'public.fresh', 'delete'),"
            f" has_function_privilege('{role}', 'public.f()', 'execute')"
        )
        assert granted == (True, True)
    assert stack.sql("select has_schema_privilege('anon', 'private', 'usage')") == [(False,)]


def test_the_auth_functions_read_the_claims_of_the_request(stack: DataStack) -> None:
    user = "0b7e0e2c-5a0e-4d8f-9a4e-0d8a8f6f2f11"
    read = "select auth.jwt() ->> 'iss', auth.uid()::text, auth.role()"

    assert stack.sql(read) == [(None, None, None)]
    with psycopg.connect(stack.postgres.url()) as connection:
        claims = f'{{"iss": "me", "sub": "{user}", "role": "authenticated"}}'
        connection.execute("select set_config('request.jwt.claims', %s, true)", [claims])
        connection.execute("set local role authenticated")
        assert connection.execute(read).fetchone() == ("me", user, "authenticated")


def test_a_pending_migration_is_applied(stack: DataStack) -> None:
    migration(stack, "20270102000000_second", "alter table public.thing add note text;")

    assert stack.prepare() == ["applying 1 migration"]
    assert stack.sql("select note from public.thing") == []


def test_a_changed_migration_is_refused(stack: DataStack) -> None:
    path = stack.config.root / FIRST
    path.write_text(path.read_text() + "-- an afterthought\n")

    with pytest.raises(StackError, match=r"changed after they had been applied: 20270101000000_first\.\n.*make reset"):
        stack.prepare()


def test_a_migration_of_another_branch_is_mentioned(stack: DataStack) -> None:
    stack.sql("update public._prisma_migrations set migration_name = '20261231000000_elsewhere'")
    (stack.config.root / FIRST).unlink()

    assert stack.prepare() == [
        "the database has migrations that prisma/migrations lacks (another branch?): 20261231000000_elsewhere"
    ]


def test_a_failing_migration_names_its_line_leaves_nothing_and_can_be_mended(stack: DataStack) -> None:
    path = migration(stack, "20270102000000_second", "create table public.half (id int);\n\nselect nothing;\n")

    with pytest.raises(StackError, match=r'line 3: column "nothing" does not exist \(SQLSTATE 42703\)'):
        stack.prepare()

    assert stack.sql("select to_regclass('public.half')") == [(None,)]
    path.write_text("create table public.half (id int);")
    assert stack.prepare() == ["applying 1 migration"]
    assert stack.sql("select count(*) from public.half") == [(0,)]


def test_edited_sql_is_applied_again_and_only_then(stack: DataStack) -> None:
    answer = "create or replace function public.answer() returns int language sql as 'select {}';"
    sql_file(stack, "functions/things/answer.sql", answer.format(41))
    assert stack.prepare() == ["applying prisma/sql (4 files)"]

    sql_file(stack, "functions/things/answer.sql", answer.format(42))
    assert stack.prepare() == ["applying prisma/sql (4 files)"]

    assert stack.sql("select public.answer()") == [(42,)]
    assert stack.prepare() == []


def test_files_apply_in_the_order_of_the_steps(stack: DataStack) -> None:
    for name in (
        "seed/a",
        "grants",
        "policies/a",
        "views/a",
        "triggers/a",
        "functions/a/a",
        "guard",
        "functions/private/z",
    ):
        sql_file(stack, f"{name}.sql", f"call public.step('{name}');")
    stack.sql(
        "create table public.done (id int generated always as identity, name text);"
        "create procedure public.step(name text) language sql as 'insert into public.done (name) values (name)'"
    )

    stack.prepare()

    assert [name for (name,) in stack.sql("select name from public.done order by id")] == [
        *("functions/private/z", "guard", "functions/a/a", "triggers/a", "views/a", "policies/a", "grants", "seed/a")
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("select 1;\n\nselect missing;\n", 3, 'column "missing" does not exist (SQLSTATE 42703)'),
        ("-- a; b\nselect ';', $$;\n;$$;\n\ncreate table public.thing ();", 5, 'relation "thing" already exists'),
        ("select 1;\n/* why;\n not */ select 1\n / 0;", 3, "division by zero"),
        (
            "do $do$ begin\n raise exception 'no; way'\n using hint = 'think';\nend $do$;",
            1,
            "no; way (SQLSTATE P0001)\n  think",
        ),
        ('select E\'it\\\'s;\', "a;b" from (select 1 as "a;b") x;\nselect\n  1 +;', 3, 'syntax error at or near ";"'),
    ],
)
def test_a_failing_file_is_named_with_its_line_and_nothing_is_applied(
    stack: DataStack, text: str, line: int, message: str
) -> None:
    sql_file(
        stack, "functions/things/early.sql", "create function public.early() returns int language sql as 'select 1'"
    )
    sql_file(stack, "policies/broken.sql", text)

    with pytest.raises(StackError) as refused:
        stack.prepare()

    assert str(refused.value).startswith(f"prisma/sql/policies/broken.sql:{line}: {message}")
    assert str(refused.value).endswith("Nothing of prisma/sql was applied. Mend the file and start again.")
    assert stack.sql("select to_regproc('public.early')") == [(None,)]


def test_a_file_that_no_step_would_apply_is_an_error(stack: DataStack) -> None:
    sql_file(stack, "function/typo.sql", "select 1;")

    with pytest.raises(StackError, match=r"nothing would apply .*function/typo\.sql"):
        stack.prepare()


def test_the_clock_of_the_database_stands_still_when_pinned(stack: DataStack) -> None:
    stack.sql("update devstack.clock set fixed_at = '2027-03-14T07:00:00Z'")
    pinned = "select public.moment() = '2027-03-14T07:00:00Z'"
    with psycopg.connect(stack.postgres.url()) as connection:
        connection.execute("set local role anon")
        assert connection.execute(pinned).fetchone() == (True,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select * from devstack.clock")

    stack.sql("update devstack.clock set fixed_at = null")

    assert stack.sql("select abs(extract(epoch from private.now() - now())) < 1") == [(True,)]


def test_the_guard_learns_the_hash_of_the_gates_key(stack: DataStack) -> None:
    stack.prepare()

    expected = hashlib.sha256(stack.keys.gate_key.encode()).hexdigest()
    assert stack.sql("select value from private.setting where key = 'gate_key_hash'") == [(expected,)]


def test_a_setting_is_written_when_it_differs_and_only_then(stack: DataStack) -> None:
    stack.sql(
        "create function public.count_writes() returns trigger language plpgsql as"
        " $$ begin insert into public.thing (id, name) values (new.value::int, 'write'); return new; end $$"
    )
    stack.sql(
        "create trigger writes after insert or update on private.setting"
        " for each row when (new.key = 'probe') execute function public.count_writes()"
    )

    for value in (1, 1, 2, 2):
        stack.run(database.write_settings(stack.postgres, {"probe": value}))

    assert stack.sql("select id from public.thing order by id") == [(1,), (2,)]


def test_the_schema_is_compared_with_the_live_database(stack: DataStack) -> None:
    stack.sql("alter table public.thing add forgotten int; drop index public.thing_name_idx")

    difference = stack.run(schema_difference(stack.postgres, stack.config))

    assert [line for line in difference.splitlines() if not line.startswith("--")] == [
        'ALTER TABLE "thing" DROP COLUMN "forgotten";',
        'CREATE INDEX "thing_name_idx" ON "thing"("name");',
    ]


def test_prisma_never_takes_the_real_database_for_a_shadow(stack: DataStack) -> None:
    stack.sql("insert into public.thing (id, name) values (1, 'kept')")
    migrations = f"--from-migrations={stack.config.root / 'prisma/migrations'}"

    with pytest.raises(StackError, match="There is no shadow database"):
        stack.run(database.prisma(stack.postgres, stack.config, "migrate", "diff", migrations, "--to-empty"))

    assert stack.sql("select name from public.thing") == [("kept",)]


def test_a_copy_of_a_database_is_ready_at_once(stack: DataStack) -> None:
    copy = stack.on("copy")
    for _ in range(2):  # the second replaces the first
        stack.run(database.create_from_template(stack.postgres, stack.config.database, "copy"))
        assert copy.prepare() == []
        copy.sql("create table public.only_here ()")
