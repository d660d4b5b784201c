"""The local stack's own routes, /_dev/*: users and tokens at once, any function, time, and a look inside."""

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import psycopg
from aiohttp import web

from devstack.clock import rfc3339

if TYPE_CHECKING:
    from devstack.stack import Stack

GATE_HEADER = "x-coachline-gate"
ROLES = ("MENTEE", "COACH", "ADMIN")
USER_FIELDS = {"email", "firstName", "lastName", "roles"}
APPEAR_SECONDS = 10
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
SET_ROLES = """
with removed as (delete from public.user_role where user_id = %(user)s and not role::text = any(%(roles)s))
insert into public.user_role (user_id, role) select %(user)s, unnest(%(roles)s::public.role_name[])
on conflict do nothing
"""


class DevRoutes:
    def __init__(self, stack: "Stack") -> None:
        self._stack = stack
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._connecting = asyncio.Lock()
        self.app = web.Application()
        handlers: dict[str, Callable[[web.Request], Awaitable[Any]]] = {
            "GET /info": self._info,
            "POST /users": self._users,
            "POST /token": self._token,
            "POST /invoke/{function}": self._invoke,
            "POST /drain": self._drain,
            "POST /clock": self._clock,
            "GET /emails": self._emails,
            "GET /events": self._events,
            "GET /queues": self._queues,
        }
        for route, handler in handlers.items():
            method, path = route.split()
            self.app.router.add_route(method, path, _answered(handler))

    async def sql(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Run one statement, which may run twice, as the database's owner, past every wall."""
        connection = await self._connected()
        try:
            cursor = await connection.execute(query.encode(), parameters)
        except psycopg.OperationalError:
            if not connection.closed:
                raise
            connection = await self._connected()  # the server had closed it: a restart, or a test
            cursor = await connection.execute(query.encode(), parameters)
        return await cursor.fetchall() if cursor.description else []

    async def _connected(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        async with self._connecting:
            if self._connection is None or self._connection.closed:
                url = self._stack.postgres.url()
                self._connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
            return self._connection

    async def close(self) -> None:
        if self._connection:
            await self._connection.close()

    async def _info(self, _: web.Request) -> Any:
        stack = self._stack
        url = stack.url
        return {
            "apiUrl": url,
            "supabaseUrl": url,
            "publishableKey": stack.keys.publishable_key,
            "secretKey": stack.keys.secret_key,
            "gate": {"header": GATE_HEADER, "value": stack.keys.gate_key},
            "databaseUrl": stack.postgres.url(),
            "jwksUrl": f"{stack.clerk.issuer}/.well-known/jwks.json",
            "issuer": stack.clerk.issuer,
            "webhookSecrets": {
                "stripe": [stack.keys.stripe_webhook_secret, stack.keys.stripe_connect_secret],
                "zoom": stack.keys.zoom_webhook_secret,
                "calendly": stack.keys.calendly_webhook_key,
                "clerk": stack.keys.clerk_webhook_secret,
            },
            "simulators": {
                "stripe": f"{url}/_sim/stripe",
                "zoom": f"{url}/_sim/zoom",
                "calendly": f"{url}/_sim/calendly",
                "clerk": stack.clerk.issuer,
            },
            "awsEndpointUrl": stack.aws.endpoint,
            "variables": stack.variables(),
            "functions": sorted(stack.template.functions),
            "revision": _revision(stack.config.root),
        }

    async def _users(self, request: web.Request) -> Any:
        body = await _json(request)
        email, roles = body.get("email"), body.get("roles", ["MENTEE"])
        names = {"first_name": body.get("firstName"), "last_name": body.get("lastName")}
        if unknown := body.keys() - USER_FIELDS:
            raise ValueError(f"Unknown: {', '.join(sorted(unknown))}.")
        if not isinstance(email, str) or not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
            raise ValueError("email has to be an e-mail address.")
        if not all(name is None or isinstance(name, str) for name in names.values()):
            raise ValueError("firstName and lastName have to be strings.")
        if not isinstance(roles, list) or not roles or not all(role in ROLES for role in roles):
            raise ValueError(f"roles has to be a list of {', '.join(ROLES)}, at least one of them.")
        clerk = self._stack.clerk
        if user := clerk.find_user(email):  # signing up again with the same address is signing in
            clerk.change_user(user, **{key: value for key, value in names.items() if value})
        else:
            user = clerk.create_user({"email_address": [email], **names})
        async with asyncio.timeout(APPEAR_SECONDS):
            while not (
                row := await self.sql("select id from public.user_account where clerk_id = %(id)s", id=user["id"])
            ):
                await asyncio.sleep(0.005)
        await self.sql(SET_ROLES, user=row[0][0], roles=roles)
        return {"userId": str(row[0][0]), "clerkId": user["id"], "token": self._sign_in(user["id"])}

    async def _token(self, request: web.Request) -> Any:
        user_id = (await _json(request)).get("userId")
        if not isinstance(user_id, str) or not UUID.fullmatch(user_id):
            raise ValueError("userId has to be a uuid.")
        rows = await self.sql("select clerk_id from public.user_account where id = %(id)s", id=user_id)
        if not rows or not self._stack.clerk.store.get("user", rows[0][0]):
            raise LookupError(f"There is no user {user_id}.")
        return {"token": self._sign_in(rows[0][0])}

    def _sign_in(self, clerk_id: str) -> str:
        return self._stack.clerk.sign_in(clerk_id, int(os.environ.get("DEVSTACK_TOKEN_SECONDS") or 3600))

    async def _invoke(self, request: web.Request) -> Any:
        name = request.match_info["function"]
        if name not in self._stack.template.functions:
            raise LookupError(f"There is no function {name}.")
        event = json.dumps(json.loads(await request.read() or b"{}")).encode()
        result = await self._stack.workers.invoke(name, event)
        return {"error": result.error} if result.error else {"result": result.value()}

    async def _drain(self, _: web.Request) -> Any:
        return await self._stack.triggers.drain()

    async def _clock(self, request: web.Request) -> Any:
        body = await _json(request)
        now = body.get("now", "")
        at = datetime.fromisoformat(now) if isinstance(now, str) and now else None
        if now is not None and (at is None or at.tzinfo is None):
            raise ValueError('now has to be an instant such as "2027-03-08T14:00:00Z", or null.')
        await self._stack.clock.pin(at)
        return {"now": rfc3339(self._stack.clock.now()), "pinned": at is not None}

    async def _emails(self, request: web.Request) -> Any:
        return {"emails": await self._stack.aws.emails(request.query.get("to"))}

    async def _events(self, _: web.Request) -> Any:
        return {"events": await self._stack.aws.events()}

    async def _queues(self, _: web.Request) -> Any:
        depths, dead_letters = await self._stack.aws.depths(), self._stack.template.dead_letters
        return {
            "queues": [
                {"name": name, **depths[name], "deadLetters": depths[dead_letters[name]]["visible"]}
                for name in (queue.name for queue in self._stack.template.queues)
                if name in dead_letters
            ]
        }


def _answered(handler: Callable[[web.Request], Awaitable[Any]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        try:
            return web.json_response(await handler(request))
        except ValueError as error:
            status, message = 400, str(error)
        except LookupError as error:
            status, message = 404, str(error.args[0])
        except TimeoutError:
            status, message = 504, "This took too long. The logs of the functions and GET /_dev/queues may say why."
        except (psycopg.OperationalError, aiohttp.ClientError):
            status, message = 503, "A part of the stack is away. It is started again; the console says more."
        except psycopg.Error as error:
            status, message = 500, f"The database refused: {error}"
        return web.json_response({"error": message}, status=status)

    return answer


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ValueError("The body has to be a JSON object.")
    return body


def _revision(root: Path) -> str:
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
    return git.stdout.strip() or "unknown"
