"""Whether requests left anything behind: every table, before and after."""

import contextlib
from collections.abc import Iterator
from typing import Any

from tests.support.stack import Stack, wait_until

# Derived from rows that are compared, and brought up to date by jobs whenever they run.
DERIVED = ["metric_delta", "metric_day", "coach_listing"]


def contents(stack: Stack) -> dict[str, Any]:
    """How many rows every table holds, and in which versions, all at one instant at which no event is on its way."""
    found: dict[str, Any] = {}

    def settled() -> bool:
        stack.drain()
        with stack.database() as database, database.transaction():
            database.execute("set transaction isolation level repeatable read")
            if database.execute("select from private.outbox_event where published_at is null limit 1").fetchone():
                return False
            tables = database.execute(
                """select format('%%I.%%I', schemaname, tablename) as name
                   from pg_tables where schemaname in ('public', 'private') and tablename <> all (%s)""",
                [DERIVED],
            ).fetchall()
            # Whoever writes a row, were it with what it held, gives it a transaction newer than all before: no other
            # rows have this count and this sum. Reading what they hold took most of the time of those who ask.
            version = "select '{0}' as name, count(*) as rows, sum(xmin::text::bigint) as versions from {0}"
            every = " union all ".join(version.format(row["name"]) for row in tables)
            found.update({row.pop("name"): row for row in database.execute(every.encode())})
            return True

    wait_until(settled, what="every event to be published")
    return found


@contextlib.contextmanager
def nothing_stored(stack: Stack, *, but: frozenset[str] | set[str] = frozenset()) -> Iterator[None]:
    """Whatever the block sends leaves every table as it was, `but` those."""
    before = contents(stack)
    yield
    after = contents(stack)
    changed = sorted(name for name in after if after[name] != before[name] and name not in but)
    assert not changed, f"changed: {changed}"
