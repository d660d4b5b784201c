"""A worker that is killed at a step of its choice."""

from typing import Any

from postgrest import SyncPostgrestClient

from coachline.database import Database, http_client
from tests.support.stack import Stack


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
