"""A data side of its own for the tests of it: a small Prisma project in a temporary folder, and a real Postgres."""

import asyncio
import shutil
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg

from devstack import database
from devstack.config import Config, Keys
from devstack.postgres import ADMIN, Postgres
from devstack.processes import Processes

REPOSITORY = Path(__file__).parents[3]
PROJECT = {
    "prisma/schema.prisma": """
datasource db {
  provider = "postgresql"
  url      = env("DATABASE_URL")
  schemas  = ["public", "private"]
}

enum Kind {
  SMALL
  LARGE

  @@map("kind")
  @@schema("public")
}

model Thing {
  id       Int      @id
  name     String   @db.Citext
  kind     Kind     @default(SMALL)
  made     DateTime @default(now()) @db.Timestamptz(6)
  parentId Int?     @map("parent_id")
  parent   Thing?   @relation("parent", fields: [parentId], references: [id], onDelete: Cascade)
  children Thing[]  @relation("parent")

  @@index([name])
  @@map("thing")
  @@schema("public")
}

model Setting {
  key   String @id
  value Json

  @@map("setting")
  @@schema("private")
}

model SqlRevision {
  hash      String   @id
  appliedAt DateTime @map("applied_at") @db.Timestamptz(6)

  @@map("sql_revision")
  @@schema("private")
}
""",
    "prisma/migrations/migration_lock.toml": 'provider = "postgresql"\n',
    "prisma/migrations/20270101000000_first/migration.sql": """
-- Not split at semicolons; not here either.
create schema private;
create extension citext with schema extensions;
create type public.kind as enum ('SMALL', 'LARGE');
create table public.thing (
  id integer not null,
  name extensions.citext not null,
  kind public.kind not null default 'SMALL',
  made timestamptz(6) not null default now(),
  parent_id integer,
  constraint thing_pkey primary key (id),
  constraint thing_name_check check (name <> ''),
  constraint thing_parent_id_fkey foreign key (parent_id) references public.thing (id)
    on update cascade on delete cascade
);
create index thing_name_idx on public.thing (name);
create table private.setting (key text not null, value jsonb not null, constraint setting_pkey primary key (key));
create function private.twice(n integer) returns integer language plpgsql as $$ begin n := n * 2; return n; end; $$;
""",
    "prisma/sql/functions/private/setting.sql": """
create or replace function private.now() returns timestamptz language sql stable as $$ select pg_catalog.now() $$;

create or replace function private.setting(wanted text) returns jsonb language sql stable as
'select s.value from private.setting s where s.key = wanted';

create or replace function private.set_setting(key text, value jsonb) returns void language sql as $body$
  insert into private.setting as s (key, value) values (set_setting.key, set_setting.value)
  on conflict on constraint setting_pkey do update set value = excluded.value;
$body$;
""",
    "prisma/sql/functions/things/moment.sql": """
create or replace function public.moment() returns timestamptz language sql stable security definer
as $$ select private.now() $$;
""",
}


def make_project(root: Path) -> Path:
    """Write the project, on the repository's own prisma.config.ts and packages."""
    for name, text in PROJECT.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "node_modules").symlink_to(REPOSITORY / "node_modules")
    # A copy: Prisma would follow a link and work on the repository's own migrations.
    shutil.copy(REPOSITORY / "prisma.config.ts", root)
    return root


class DataStack:
    """A running server; databases on it are prepared as the stack does. Coroutines run on one loop of its own."""

    def __init__(self, folder: Path) -> None:
        self.runner = asyncio.Runner()
        self.config = Config(root=make_project(folder / "project"), directory=folder / "stack")
        self.keys = Keys.load(self.config.directory)
        self.processes = Processes(self.config.directory)
        self.postgres = Postgres(self.config, self.processes)
        self.said: list[str] = []

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def on(self, name: str) -> "DataStack":
        """The same server and project, with another database."""
        other = object.__new__(DataStack)
        other.__dict__.update(self.__dict__, config=replace(self.config, database=name), said=[])
        other.config = replace(other.config, postgres_url=self.postgres.url("postgres", ADMIN))
        other.postgres = Postgres(other.config, self.processes)
        self.run(other.postgres.start())
        return other

    def prepare(self) -> list[str]:
        """Prepare the database; what was said."""
        self.said.clear()
        self.run(database.prepare(self.postgres, self.config, self.keys, self.said.append))
        return list(self.said)

    def sql(self, query: str, role: str = "postgres") -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.url(role=role), autocommit=True) as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        self.run(self.processes.stop_all())
        self.runner.close()


@contextmanager
def running(folder: Path) -> Iterator[DataStack]:
    """A started server in an empty folder, with a prepared database `coachline`."""
    stack = DataStack(folder)
    try:
        stack.run(stack.postgres.start())
        stack.prepare()
        yield stack
    finally:
        stack.close()
