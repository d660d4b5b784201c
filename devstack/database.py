"""The stack's database: made as Supabase makes one, migrated by Prisma, then given everything of prisma/sql."""

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from devstack.config import Config, Keys, StackError, write_private
from devstack.postgres import ADMIN, Postgres

OWN_SQL = Path(__file__).parent / "sql"
SQL_ORDER = (
    "functions/private/*.sql",
    "guard.sql",
    "functions/*/*.sql",
    "triggers/*.sql",
    "views/*.sql",
    "policies/*.sql",
    "grants.sql",
    "seed/*.sql",
)
SERVER_LOCK = 0xDE75

Connection = psycopg.AsyncConnection[tuple[object, ...]]


async def prepare(postgres: Postgres, config: Config, keys: Keys, say: Callable[[str], None]) -> None:
    """Bring the database up to date; what is up to date already costs a few queries.

    StackError for what a person has to mend: a changed migration, a failing statement (file and line).
    """
    async with await _connect(postgres.url("postgres", ADMIN), autocommit=True) as server:
        # Roles belong to the whole server, and Postgres refuses concurrent changes of one: a stack at a time.
        await server.execute("select pg_advisory_lock(%s)", [SERVER_LOCK])
        await _bootstrap(server, postgres, config, say)
        await _migrate(postgres, config, say)
        await _apply_sql(postgres, config, say)
    await write_settings(postgres, {"gate_key_hash": hashlib.sha256(keys.gate_key.encode()).hexdigest()})


async def create_from_template(postgres: Postgres, template: str, database: str) -> None:
    """Make a copy of a prepared database that nobody is connected to, replacing one of the same name."""
    drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database))
    create = sql.SQL("create database {} template {} owner postgres")
    async with await _connect(postgres.url("postgres", ADMIN), autocommit=True) as server:
        await server.execute(drop)
        await server.execute(create.format(sql.Identifier(database), sql.Identifier(template)))


async def write_settings(postgres: Postgres, settings: Mapping[str, object]) -> None:
    """Set values of private.setting; equal ones are left alone, because every change is audited."""
    async with await _connect(postgres.url()) as connection:
        for key, value in settings.items():
            await connection.execute(
                "select private.set_setting(%(key)s, %(value)s)"
                " where private.setting(%(key)s) is distinct from %(value)s::jsonb",
                {"key": key, "value": Jsonb(value)},
            )


async def _connect(url: str, *, autocommit: bool = False) -> Connection:
    return await psycopg.AsyncConnection.connect(url, autocommit=autocommit)


async def _bootstrap(server: Connection, postgres: Postgres, config: Config, say: Callable[[str], None]) -> None:
    script = (OWN_SQL / "bootstrap.sql").read_text()
    revision = hashlib.sha256(script.encode()).hexdigest()
    found = await server.execute("select 1 from pg_database where datname = %s", [config.database])
    if await found.fetchone() is None:
        say(f"creating the database {config.database}")
        await server.execute(sql.SQL("create database {}").format(sql.Identifier(config.database)))
    async with await _connect(postgres.url(role=ADMIN)) as database:
        kept = await database.execute("select obj_description(to_regnamespace('devstack'), 'pg_namespace')")
        if await kept.fetchone() != (revision,):
            await database.execute("select set_config('devstack.password', %s, true)", [postgres.password])
            await database.execute(script.encode())
            await database.execute(sql.SQL("comment on schema devstack is {}").format(revision))


async def _migrate(postgres: Postgres, config: Config, say: Callable[[str], None]) -> None:
    """Run `prisma migrate deploy` when a migration is pending: looking here first saves starting Node."""
    scripts = sorted((config.root / "prisma/migrations").glob("*/migration.sql"))
    wanted = {path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in scripts}
    async with await _connect(postgres.url(), autocommit=True) as connection:
        applied = await _applied_migrations(connection)
        if changed := [name for name, checksum in applied.items() if wanted.get(name, checksum) != checksum]:
            raise StackError(
                f"these migrations were changed after they had been applied: {', '.join(changed)}.\n"
                "Restore them and add a new migration instead, or run `make reset` to start with an empty database."
            )
        if unknown := [name for name in applied if name not in wanted]:
            say(f"the database has migrations that prisma/migrations lacks (another branch?): {', '.join(unknown)}")
        pending = [name for name in wanted if name not in applied]
        if not pending:
            return
        # Scripts are atomic (prisma.config.ts), so one that failed left nothing and may be tried again.
        await connection.execute(
            """do $$ begin
                 if to_regclass('public._prisma_migrations') is not null then
                   update public._prisma_migrations set rolled_back_at = now()
                   where finished_at is null and rolled_back_at is null;
                 end if;
               end $$"""
        )
    say(f"applying {len(pending)} migration{'s' if len(pending) > 1 else ''}")
    await prisma(postgres, config, "migrate", "deploy")


async def _applied_migrations(connection: Connection) -> dict[str, str]:
    """Name and checksum of every migration that is in force."""
    found = await connection.execute("select to_regclass('public._prisma_migrations')")
    if await found.fetchone() == (None,):
        return {}
    rows = await connection.execute(
        "select migration_name, checksum from public._prisma_migrations"
        " where finished_at is not null and rolled_back_at is null order by migration_name"
    )
    return {str(name): str(checksum) for name, checksum in await rows.fetchall()}


async def prisma(postgres: Postgres, config: Config, *arguments: str) -> None:
    """Run a command of Prisma's; StackError with the end of its output when it fails."""
    node, command = shutil.which("node"), config.root / "node_modules/prisma/build/index.js"
    if not node or not command.exists():
        raise StackError("Prisma Migrate needs Node 20 or later and the packages that `npm ci` installs")
    no_engine = config.directory / "prisma/no-engine"  # an empty file, so that Prisma downloads none
    write_private(no_engine, "")
    no_engine.chmod(0o700)
    settings = {
        "DATABASE_URL": postgres.url(),
        "PRISMA_QUERY_ENGINE_LIBRARY": str(no_engine),
        "PRISMA_SCHEMA_ENGINE_BINARY": str(no_engine),
        "PRISMA_HIDE_UPDATE_MESSAGE": "1",
        "CHECKPOINT_DISABLE": "1",
        "NO_COLOR": "1",
    }
    await postgres.processes.run("prisma", [node, str(command), *arguments], extra_env=settings, cwd=config.root)


async def _apply_sql(postgres: Postgres, config: Config, say: Callable[[str], None]) -> None:
    """Apply prisma/sql and the stack's clock in one transaction, when they differ from what was applied last."""
    files = [*_sql_files(config.root / "prisma/sql"), OWN_SQL / "clock.sql"]
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}\0".encode() + path.read_bytes())
    async with await _connect(postgres.url()) as connection:
        if await _applied_revision(connection) == digest.hexdigest():
            return
        say(f"applying prisma/sql ({len(files)} files)")
        await connection.execute("set local check_function_bodies = off")
        for path in files:
            await _apply_file(connection, path, config.root)
        await connection.execute("delete from private.sql_revision")
        await connection.execute("insert into private.sql_revision values (%s, now())", [digest.hexdigest()])
        await connection.execute("notify pgrst, 'reload config'")
        await connection.execute("notify pgrst, 'reload schema'")


async def _applied_revision(connection: Connection) -> str | None:
    found = await connection.execute("select to_regclass('private.sql_revision')")
    if await found.fetchone() == (None,):
        await connection.execute(
            "create table private.sql_revision (hash text primary key, applied_at timestamptz not null);"
            "alter table private.sql_revision enable row level security, force row level security"
        )
    recorded = await (await connection.execute("select hash from private.sql_revision")).fetchone()
    return str(recorded[0]) if recorded else None


def _sql_files(folder: Path) -> list[Path]:
    """The files of prisma/sql in the order in which they apply; StackError for one that no step would apply."""
    files: dict[Path, None] = {}
    for pattern in SQL_ORDER:
        files.update(dict.fromkeys(sorted(folder.glob(pattern))))
    if strays := sorted(set(folder.rglob("*.sql")) - set(files)):
        raise StackError(f"nothing would apply {', '.join(map(str, strays))}: the folders are {', '.join(SQL_ORDER)}")
    return list(files)


async def _apply_file(connection: Connection, path: Path, root: Path) -> None:
    """Execute one file, statement by statement so that an error can name its line."""
    for line, statement in _statements(path.read_text()):
        try:
            await connection.execute(statement.encode())
        except psycopg.Error as error:
            diagnosis = error.diag
            offset = int(diagnosis.statement_position or 1) - 1
            place = path.relative_to(root) if path.is_relative_to(root) else path
            details = [diagnosis.message_detail, diagnosis.message_hint, diagnosis.context]
            raise StackError(
                f"{place}:{line + statement.count(chr(10), 0, offset)}: {diagnosis.message_primary or error}"
                f" (SQLSTATE {diagnosis.sqlstate})"
                + "".join(f"\n  {detail}" for detail in details if detail)
                + "\nNothing of prisma/sql was applied. Mend the file and start again."
            ) from None


# A piece of SQL in which a semicolon ends no statement: comment, string, name, body; else one that cannot hold one.
_PIECE = re.compile(
    r"--[^\n]*|/\*.*?\*/|\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\"[^\"]*\"|(\$\w*\$).*?\1|[^-/'\"$;eE]+|.", re.DOTALL
)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Split SQL into its statements, each with the line on which it begins. Not for `begin atomic` bodies."""
    start, pieces = 0, [*_PIECE.finditer(text)]
    for piece in pieces:
        if piece[0] == ";" or piece is pieces[-1]:
            statement = text[start : piece.end()]
            code = re.match(r"(?:\s|--[^\n]*|/\*.*?\*/)*", statement, re.DOTALL)
            skipped = code.end() if code else 0
            if statement[skipped:].strip("; \n"):
                yield text.count("\n", 0, start + skipped) + 1, statement[skipped:]
            start = piece.end()
