"""The Postgres server of the stack: started anywhere, by anybody, and gone with the stack."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devstack import watchdog
from devstack.config import Config, StackError
from devstack.postgres import ADMIN, Postgres
from devstack.processes import Processes
from tests.integration.devstack.data_stack import REPOSITORY

STACK = """
import asyncio, sys
from pathlib import Path
from devstack.config import Config
from devstack.postgres import ADMIN, Postgres
from devstack.processes import Processes

async def main():
    processes = Processes(Path(sys.argv[1]))
    postgres = Postgres(Config(root=Path.cwd(), directory=Path(sys.argv[1])), processes)
    await postgres.start()
    print(processes._token, postgres.url("postgres", ADMIN), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
BUSY = "do $$ begin loop perform 1; end loop; end $$"


def with_server(directory: Path, work: Callable[[Postgres], Awaitable[Any]]) -> Any:
    """Start a server in a directory, use it, stop it."""

    async def scenario() -> Any:
        processes = Processes(directory)
        postgres = Postgres(Config(root=REPOSITORY, directory=directory), processes)
        try:
            await postgres.start()
            return await work(postgres)
        finally:
            await processes.stop_all()

    return asyncio.run(scenario())


async def query(postgres: Postgres, statement: str) -> list[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(postgres.url("postgres", ADMIN), autocommit=True) as connection:
        cursor = await connection.execute(statement.encode())
        return await cursor.fetchall() if cursor.description else []


def lives(pid: int) -> bool:
    """Whether a process still runs: one that only waits for its parent to notice its end does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stack's folder, with a path longer than a unix socket's may be."""
    return tmp_path_factory.mktemp("postgres") / ("d" * 120)


def test_data_outlives_a_restart(directory: Path) -> None:
    async def write(postgres: Postgres) -> None:
        await query(postgres, "create table kept as select 7 as n")

    async def read(postgres: Postgres) -> list[tuple[Any, ...]]:
        return await query(postgres, "select n, version() from kept")

    with_server(directory, write)
    [(number, version)] = with_server(directory, read)

    assert number == 7
    assert version.startswith("PostgreSQL 17")


def test_strings_sort_as_on_supabase(directory: Path) -> None:
    async def read(postgres: Postgres) -> list[tuple[Any, ...]]:
        return await query(
            postgres, "select string_agg(s, '' order by s), upper('ß') from unnest('{b,a,B,é,z}'::text[]) s"
        )

    assert with_server(directory, read) == [("abBéz", "SS")]


def test_it_listens_on_the_loopback_only_and_wants_a_password(directory: Path) -> None:
    async def look(postgres: Postgres) -> list[tuple[Any, ...]]:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            await psycopg.AsyncConnection.connect(postgres.url("postgres", ADMIN).replace(postgres.password, "guess"))
        return await query(postgres, "show listen_addresses")

    assert with_server(directory, look) == [("127.0.0.1",)]
    assert (directory / "postgres/password").stat().st_mode & 0o777 == 0o600


def test_a_server_starts_beside_nothing_that_a_killed_one_left(directory: Path) -> None:
    async def kill_and_start(postgres: Postgres) -> None:
        url = postgres.url("postgres", ADMIN)
        client = subprocess.Popen([sys.executable, "-c", f"import psycopg; psycopg.connect({url!r}).execute({BUSY!r})"])
        find = "select pid from pg_stat_activity where query like 'do %loop perform 1%' and pid <> pg_backend_pid()"
        while not (busy := await query(postgres, find)):
            pass
        server, _ = postgres.processes._running["postgres"]
        server.kill()
        await server.wait()
        assert lives(busy[0][0])
        await postgres.start()
        assert not lives(busy[0][0])
        assert postgres.url("postgres", ADMIN) == url
        assert await query(postgres, "select 1") == [(1,)]
        assert client.wait() == 1

    with_server(directory, kill_and_start)


def test_the_lock_of_a_killed_server_whose_number_was_reused_is_no_obstacle(directory: Path) -> None:
    (directory / "postgres/data/postmaster.pid").write_text(f"{os.getpid()}\n{directory}\n0\n5432\n\n\n\n\n")

    async def read(postgres: Postgres) -> list[tuple[Any, ...]]:
        return await query(postgres, "select 1")

    assert with_server(directory, read) == [(1,)]


def test_nothing_survives_when_the_stack_is_killed_not_even_a_busy_query(directory: Path) -> None:
    stack = subprocess.Popen(
        [sys.executable, "-c", STACK, str(directory)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert stack.stdout
    token, url = stack.stdout.readline().split()
    client = subprocess.Popen([sys.executable, "-c", f"import psycopg; psycopg.connect({url!r}).execute({BUSY!r})"])
    with psycopg.connect(url) as connection:
        while not connection.execute("select 1 from pg_stat_activity where query = %s", [BUSY]).fetchone():
            connection.rollback()
    family = watchdog.members(token)
    assert len(family) > 5

    stack.kill()
    began = time.monotonic()
    stack.wait()
    while left := [pid for pid in family if lives(pid)]:
        assert time.monotonic() - began < 2, left

    assert client.wait() == 1
    with_server(directory, lambda postgres: query(postgres, "select 1"))


def test_a_server_that_cannot_start_says_why(directory: Path) -> None:
    version = directory / "postgres/data/PG_VERSION"
    kept = version.read_text()
    version.write_text("12\n")
    try:
        with pytest.raises(StackError, match=r"(?s)postgres did not start:.*version 12.*postgres\.log"):
            with_server(directory, lambda postgres: query(postgres, "select 1"))
    finally:
        version.write_text(kept)


def test_an_interrupted_first_start_leaves_no_half_cluster(tmp_path: Path) -> None:
    (tmp_path / "postgres/data.new/base").mkdir(parents=True)

    assert with_server(tmp_path, lambda postgres: query(postgres, "select 1")) == [(1,)]


def test_packages_that_are_not_installed_are_named(tmp_path: Path) -> None:
    async def start() -> None:
        await Postgres(Config(root=tmp_path, directory=tmp_path), Processes(tmp_path)).start()

    with pytest.raises(StackError, match="npm ci"):
        asyncio.run(start())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may not run Postgres as it is")
def test_root_without_namespaces_or_a_user_to_become_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("unshare", "setpriv"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    with pytest.raises(StackError, match="Run the stack as a normal user"):
        with_server(tmp_path / "stack", lambda postgres: query(postgres, "select 1"))


def test_a_running_server_can_be_used_instead(directory: Path, tmp_path: Path) -> None:
    async def use(postgres: Postgres) -> list[tuple[Any, ...]]:
        config = Config(root=tmp_path, directory=tmp_path, postgres_url=postgres.url("postgres", ADMIN))
        other = Postgres(config, Processes(tmp_path))
        await other.start()
        assert other.url("postgres", ADMIN) == postgres.url("postgres", ADMIN)
        return await query(other, "select 1")

    assert with_server(directory, use) == [(1,)]


def test_the_server_stops_while_clients_are_connected(directory: Path) -> None:
    async def leave_open(postgres: Postgres) -> float:
        await psycopg.AsyncConnection.connect(postgres.url("postgres", ADMIN))
        return time.monotonic()

    stopping = with_server(directory, leave_open)

    assert time.monotonic() - stopping < 3
