"""schema.prisma, the migrations and prisma/sql agree; all of it can be applied twice; the newest can be undone."""

import asyncio
import dataclasses
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devstack import database
from devstack.config import Config, Keys
from devstack.postgres import Postgres
from devstack.processes import Processes
from tests.support.postgres_server import TEMPLATE
from tests.support.schema import schema_difference

# What makes a database: everything that a migration or prisma/sql could have changed, in words.
CATALOGUE = """
    select 'table ' || table_schema || '.' || table_name || ' ' || privilege_type || ' ' || grantee as it
      from information_schema.table_privileges where table_schema in ('public', 'private')
    union all select
      concat_ws(' ', 'column', table_schema, table_name, column_name, data_type, is_nullable, column_default)
      from information_schema.columns where table_schema in ('public', 'private')
    union all select concat_ws(' ', 'column privilege', table_name, column_name, privilege_type, grantee)
      from information_schema.column_privileges where table_schema in ('public', 'private')
    union all select 'constraint ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
      where connamespace in ('public'::regnamespace, 'private'::regnamespace)
    union all select 'index ' || indexdef from pg_indexes where schemaname in ('public', 'private')
    union all select concat_ws(' ', 'function', p.oid::regprocedure, md5(pg_get_functiondef(p.oid)), p.proacl::text)
      from pg_proc p where pronamespace in ('public'::regnamespace, 'private'::regnamespace)
    union all select 'trigger ' || pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
    union all select 'policy ' || tablename || ' ' || policyname || ' ' || coalesce(qual, '') from pg_policies
    union all select 'closed ' || oid::regclass || relrowsecurity || relforcerowsecurity from pg_class
      where relkind = 'r' and relnamespace in ('public'::regnamespace, 'private'::regnamespace)
    union all select 'enum ' || t.typname || ' ' || e.enumlabel from pg_enum e join pg_type t on t.oid = e.enumtypid
    order by 1"""


@dataclass(frozen=True)
class Copy:
    """A copy of the migrated template, on the test run's server."""

    config: Config
    keys: Keys
    postgres: Postgres

    def prepare(self) -> list[str]:
        said: list[str] = []
        asyncio.run(database.prepare(self.postgres, self.config, self.keys, said.append))
        return said

    def run(self, script: str) -> None:
        with psycopg.connect(self.postgres.url(), autocommit=True) as connection:
            connection.execute(script.encode())

    def catalogue(self) -> list[str]:
        with psycopg.connect(self.postgres.url()) as connection:
            rows: list[Any] = connection.execute(CATALOGUE).fetchall()
        return [row[0] for row in rows]


@pytest.fixture
def copy(tmp_path: Path, worker_id: str) -> Iterator[Copy]:
    config = dataclasses.replace(
        Config.from_env(),
        directory=tmp_path,
        database=f"migrations_{worker_id}",
        postgres_url=os.environ["COACHLINE_TEST_SERVER"],
    )
    processes = Processes(tmp_path)
    postgres = Postgres(config, processes)

    async def make() -> None:
        await postgres.start()
        await database.create_from_template(postgres, TEMPLATE, config.database)

    asyncio.run(make())
    yield Copy(config, Keys.load(tmp_path), postgres)
    asyncio.run(processes.stop_all())


def test_schema_prisma_is_what_the_migrations_make(copy: Copy) -> None:
    assert asyncio.run(schema_difference(copy.postgres, copy.config)) == ""


def test_prisma_sql_can_be_applied_again_and_changes_nothing(copy: Copy) -> None:
    before = copy.catalogue()
    copy.run("delete from private.sql_revision")
    assert any("prisma/sql" in line for line in copy.prepare())
    assert copy.catalogue() == before


def test_the_newest_migration_can_be_undone_and_applied_again(copy: Copy) -> None:
    newest = max((copy.config.root / "prisma/migrations").glob("*/"))
    before = copy.catalogue()
    copy.run((newest / "down.sql").read_text())
    undone = copy.catalogue()
    assert undone != before
    made = re.findall(r"^create table (\w+)\.(\w+)", (newest / "migration.sql").read_text(), re.MULTILINE)
    assert not [
        line for line in undone if line.startswith(tuple(f"column {schema} {table} " for schema, table in made))
    ]
    copy.run(
        """delete from public._prisma_migrations
           where migration_name = (select max(migration_name) from public._prisma_migrations);
           delete from private.sql_revision"""
    )
    copy.prepare()
    assert copy.catalogue() == before
