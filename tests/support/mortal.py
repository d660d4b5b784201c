"""Workers that are killed: at a step of their choice, or in the middle of a transaction."""

import multiprocessing
from collections.abc import Callable
from typing import Any

from postgrest import SyncPostgrestClient

from coachline.database import Database, http_client
from tests.support.stack import Stack, wait_until

_HELD_UP = "select 1 from pg_stat_activity where %s = any(pg_blocking_pids(pid))"
_RUNNING = """
    select 1 from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'"""


class Killed(BaseException):
    """As a killed process: nothing catches it."""


class Mortal(Database):
    """The service's database, whose caller dies before or after its n-th step."""

    def __init__(self, stack: Stack, step: int | None = None, *, after: bool = False) -> None:
        key = stack.info["secretKey"]
        url = f"{stack.info['supabaseUrl']}/rest/v1"
        client = SyncPostgrestClient(url, headers={"apikey": key}, http_client=http_client, retry_enabled=False)
        super().__init__(client)
        self._left, self._after = step, after

    def write(self, function: str, **arguments: Any) -> Any:
        if self._left is None:
            return super().write(function, **arguments)
        self._left -= 1
        if self._left < 0 and not self._after:
            raise Killed
        answer = super().write(function, **arguments)
        if self._left < 0:
            raise Killed
        return answer


def killed_in_mid_transaction(stack: Stack, row: str, row_id: str, work: Callable[..., Any], *arguments: Any) -> None:
    """Kill a process that does `work` while it waits for a row that somebody holds, and wait until it has ended.

    `row`: a table. Spawned, the process shares nothing with the test: `work` gets a `Stack` of its own first.
    """
    with stack.database() as database, stack.database() as holder:
        holder.execute("begin")
        holder.execute(f"select from {row} where id = %s for update", [row_id])
        worker = multiprocessing.get_context("spawn").Process(target=_run, args=(stack.base_url, work, arguments))
        worker.start()
        mine = [holder.info.backend_pid]
        wait_until(lambda: database.execute(_HELD_UP, mine).fetchone(), seconds=30, what="the worker, held up")
        worker.kill()
        worker.join()
        assert worker.exitcode == -9
        holder.execute("rollback")
        wait_until(lambda: not database.execute(_RUNNING).fetchone(), what="the end of its transaction")


def _run(base_url: str, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    work(Stack(base_url), *arguments)
