"""Runs one Postgres server for all test workers, with a migrated template database, until its standard input closes.

Prints the server's URL once the template is ready. Databases are created from it in a fraction of a second.
"""

import asyncio
import dataclasses
import sys
from pathlib import Path

from devstack import database
from devstack.config import Config, Keys
from devstack.postgres import Postgres
from devstack.processes import Processes

TEMPLATE = "coachline_template"


async def main(directory: Path) -> None:
    config = dataclasses.replace(Config.from_env(), directory=directory, database=TEMPLATE, postgres_url=None)
    processes = Processes(directory)
    postgres = Postgres(config, processes)
    try:
        await postgres.start()
        await database.prepare(postgres, config, Keys.load(directory), lambda line: print(line, file=sys.stderr))
        print(postgres.url("postgres", role="supabase_admin"), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    finally:
        await processes.stop_all()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
