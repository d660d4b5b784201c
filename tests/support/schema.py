"""Whether a database is what prisma/schema.prisma says."""

from devstack.config import Config, write_private
from devstack.database import prisma
from devstack.postgres import Postgres


async def schema_difference(postgres: Postgres, config: Config) -> str:
    """SQL that would turn the database's tables into those of schema.prisma; empty when they agree.

    Reads the database back into a schema file first: with an adapter, `migrate diff` compares only files.
    """
    schema = config.root / "prisma/schema.prisma"
    live, difference = config.directory / "prisma/live.prisma", config.directory / "prisma/difference.sql"
    write_private(live, schema.read_text())
    await prisma(postgres, config, "db", "pull", "--force", f"--schema={live}")
    files = [f"--from-schema-datamodel={live}", f"--to-schema-datamodel={schema}"]
    await prisma(postgres, config, "migrate", "diff", *files, "--script", f"--output={difference}")
    lines = difference.read_text().splitlines()
    return "\n".join(line for line in lines if line and line != "-- This is an empty migration.")
