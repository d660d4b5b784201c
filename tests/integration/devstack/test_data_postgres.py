"""The Postgres server of the stack: started anywhere, by anybody, and gone with the stack."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

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


def with_server[T](directory: Path, work: Callable[[Postgres], Awaitable[T]], **changes: object) -> T:
    """Start a server in a directory, use it, stop it."""

    async def scenario() -> T:
        processes = Processes(directory)
        postgres = Postgres(Config(root=REPOSITORY, directory=directory), processes)
        try:
            await postgres.start()
            return await work(postgres)
        finally:
            await processes.stop_all()

    return asyncio.run(scenario())


async def query(postgres: Postgres, statement: str) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(postgres.url("postgres", ADMIN), autocommit=True) as connection:
        cursor = await connection.execute(statement.encode())
        return await cursor.fetchall() if cursor.description else []
