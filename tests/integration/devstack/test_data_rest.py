"""Supabase's REST endpoint: keys become roles, limits hold, and a dead PostgREST is an answer, not a hang."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from devstack.postgres import free_port
from devstack.rest import Rest
from tests.integration.devstack.data_stack import DataStack, running

SQL = """
create or replace function public.me() returns jsonb language sql as $$
  select jsonb_build_object('role', current_user, 'claims', current_setting('request.jwt.claims', true)::jsonb)
$$;
create or replace function public.sleep(seconds float) returns void language sql as 'select pg_sleep(seconds)';
create or replace function public.size(body text) returns int language sql as 'select length(body)';
insert into public.thing (id, name) select i, 'thing ' || i from generate_series(1, 1500) i;
"""


class Door:
    """A running /rest/v1 of a stack, and what tests send to it."""

    def __init__(self, stack: DataStack, rest: Rest, base: str, session: aiohttp.ClientSession) -> None:
        self.stack, self.rest, self.base, self.session = stack, rest, base, session

    async def call(
        self, path: str, key: str | None = None, *, method: str = "GET", body: Any = None, **headers: str
    ) -> tuple[int, Any, Any]:
        """Status, decoded body, headers."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()} | ({"apikey": key} if key else {})
        async with self.session.request(method, self.base + path, headers=sent, json=body) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None, answer.headers


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataStack]:
    with running(tmp_path_factory.mktemp("rest")) as stack:
        stack.sql(SQL)
        yield stack


@asynccontextmanager
async def opened(stack: DataStack, rest: Rest) -> AsyncIterator[Door]:
    app = web.Application()
    app.router.add_route("*", "/rest/v1{path:.*}", rest.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as session:
        yield Door(stack, rest, f"http://127.0.0.1:{port}/rest/v1", session)
    await runner.cleanup()


@pytest.fixture(scope="module")
def rest(stack: DataStack) -> Iterator[Rest]:
    rest = Rest(stack.config, stack.keys, stack.postgres, stack.processes)
    stack.run(rest.start())
    yield rest
    stack.run(rest.close())


Through = Callable[[Callable[[Door], Awaitable[Any]]], Any]


@pytest.fixture
def through(stack: DataStack, rest: Rest) -> Through:
    """Runs a coroutine function on an open door."""

    def run(work: Callable[[Door], Awaitable[Any]]) -> Any:
        async def scenario() -> Any:
            async with opened(stack, rest) as door:
                return await work(door)

        return stack.run(scenario())

    return run


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_set(*keys: rsa.RSAPrivateKey) -> dict[str, Any]:
    return {"keys": [RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) for key in keys]}


def user_token(key: rsa.RSAPrivateKey) -> str:
    return jwt.encode({"role": "authenticated", "sub": "user_1", "exp": time.time() + 60}, key, "RS256")


def test_a_call_without_a_known_key_is_refused(through: Through) -> None:
    async def calls(door: Door) -> list[tuple[int, Any, Any]]:
        return [await door.call("/rpc/me"), await door.call("/rpc/me", "sb_secret_guess")]

    missing, unknown = through(calls)

    assert (missing[0], missing[1]["message"]) == (401, "No API key found in request")
    assert (unknown[0], unknown[1]["message"]) == (401, "Invalid API key")


def test_keys_and_tokens_set_the_role(through: Through, stack: DataStack) -> None:
    clerk = new_key()
    publishable, secret = stack.keys.publishable_key, stack.keys.secret_key
    token = user_token(clerk)

    async def roles(door: Door) -> list[str]:
        await door.rest.trust(key_set(clerk))
        calls = [
            await door.call("/rpc/me", publishable),
            await door.call("/rpc/me", publishable, Authorization=f"Bearer {publishable}"),  # as the stock client does
            await door.call("/rpc/me", publishable, Authorization=f"Bearer {token}"),
            await door.call("/rpc/me", secret),
            await door.call("/rpc/me", secret, Authorization=f"Bearer {secret}"),
            await door.call("/rpc/me", secret, Authorization=f"Bearer {token}"),
        ]
        service = calls[3][1]["claims"]
        assert service["iss"] == "supabase"
        assert "sub" not in service
        assert service["exp"] > time.time()
        return [body["role"] for _, body, _ in calls]

    assert through(roles) == ["anon", "anon", "authenticated", "service_role", "service_role", "authenticated"]


def test_a_token_that_is_none_is_not_taken_for_a_key(through: Through, stack: DataStack) -> None:
    async def call(door: Door) -> tuple[int, Any, Any]:
        return await door.call("/rpc/me", stack.keys.publishable_key, Authorization=f"Bearer {stack.keys.secret_key}")

    status, body, _ = through(call)

    assert (status, body["code"]) == (401, "PGRST301")


def test_keys_are_rotated_without_a_restart(through: Through, stack: DataStack) -> None:
    first, second = new_key(), new_key()
    publishable = stack.keys.publishable_key

    async def rotate(door: Door) -> list[int]:
        statuses = []
        for trusted in (key_set(first), key_set(first, second), key_set(second)):
            await door.rest.trust(trusted)
            for key in (first, second):
                status, _, _ = await door.call("/rpc/me", publishable, Authorization=f"Bearer {user_token(key)}")
                statuses.append(status)
        return statuses

    assert through(rotate) == [200, 401, 200, 200, 401, 200]


def test_no_answer_has_more_than_a_thousand_rows(through: Through, stack: DataStack) -> None:
    async def read(door: Door) -> tuple[int, Any, Any]:
        return await door.call("/thing?select=id", stack.keys.secret_key, Prefer="count=exact")

    status, rows, headers = through(read)

    assert (status, len(rows), headers["Content-Range"]) == (206, 1000, "0-999/1500")


def test_requests_and_answers_pass_unchanged(through: Through, stack: DataStack) -> None:
    secret = stack.keys.secret_key

    async def calls(door: Door) -> None:
        odd = "/thing?select=id&name=eq.%22a%2Cb%2F%25%C3%A9%22&or=(id.eq.1,id.eq.2)"
        status, rows, headers = await door.call(odd, secret)
        assert (status, rows, headers["Server"]) == (200, [], "postgrest/12.0.2")
        status, body, headers = await door.call("/thing?id=lt.3", secret, method="HEAD")
        assert (status, body, headers["Content-Range"]) == (200, None, "0-1/*")
        assert (await door.call("/thing?id=eq.0", secret, method="DELETE"))[:2] == (204, None)
        large = "x" * 3_000_000
        assert (await door.call("/rpc/size", secret, method="POST", body={"body": large}))[:2] == (200, 3_000_000)
        status, body, _ = await door.call("/rpc/size", secret, method="POST", body={"other": 1})
        assert (status, body["code"]) == (404, "PGRST202")

    through(calls)


def test_a_browsers_preflight_needs_no_key(through: Through) -> None:
    async def call(door: Door) -> tuple[int, Any, Any]:
        return await door.call("/thing", method="OPTIONS", Origin="http://x", Access_Control_Request_Method="GET")

    status, _, headers = through(call)

    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "*")


def test_what_the_schema_gains_is_served_after_a_notification(through: Through, stack: DataStack) -> None:
    stack.sql("create table public.late (id int)")
    stack.sql("notify pgrst, 'reload schema'")

    async def until_served(door: Door) -> Any:
        query = (
            "/late?select=id,thing(id)"  # an embedding is looked up in the schema cache: 400 until a relation exists
        )
        stack.sql("alter table public.late add foreign key (id) references public.thing (id)")
        stack.sql("notify pgrst, 'reload schema'")
        async with asyncio.timeout(10):
            while (answer := await door.call(query, stack.keys.secret_key))[0] != 200:
                await asyncio.sleep(0.01)
        return answer[1]

    assert through(until_served) == []


def test_statements_end_after_the_time_of_their_role(through: Through, stack: DataStack) -> None:
    async def call(door: Door) -> tuple[int, Any, Any]:
        return await door.call("/rpc/sleep?seconds=3.5", stack.keys.publishable_key)

    status, body, _ = through(call)

    assert (status, body["code"]) == (500, "57014")


def test_many_calls_wait_for_the_pool_and_are_served(through: Through, stack: DataStack) -> None:
    async def calls(door: Door) -> set[int]:
        answers = await asyncio.gather(
            *(door.call("/rpc/sleep?seconds=0.05", stack.keys.secret_key) for _ in range(150))
        )
        return {status for status, _, _ in answers}

    assert through(calls) == {204}


def test_without_postgrest_the_answer_is_503_and_a_new_one_is_used_at_once(stack: DataStack) -> None:
    rest = Rest(stack.config, stack.keys, stack.postgres, stack.processes)

    async def scenario() -> list[int]:
        await stack.processes.stop("postgrest")
        await rest.start()
        async with opened(stack, rest) as door:
            statuses = [(await door.call("/rpc/me", stack.keys.secret_key))[0]]
            await stack.processes.stop("postgrest")
            down = await door.call("/rpc/me", stack.keys.secret_key)
            assert down[1] == {"message": "The upstream server is currently unavailable"}
            await rest.start()
            statuses += [down[0], (await door.call("/rpc/me", stack.keys.secret_key))[0]]
        await rest.close()
        return statuses

    assert stack.run(scenario()) == [200, 503, 200]


def test_an_answer_that_breaks_off_does_not_look_whole(stack: DataStack) -> None:
    async def scenario() -> None:
        released = asyncio.Event()

        async def half_an_answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            await released.wait()
            writer.close()

        server = await asyncio.start_server(half_an_answer, "127.0.0.1", 0)
        rest = Rest(stack.config, stack.keys, stack.postgres, stack.processes)
        await stack.processes.stop("postgrest")
        await rest.start()
        rest.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with (
            opened(stack, rest) as door,
            door.session.get(door.base + "/thing", headers={"apikey": stack.keys.secret_key}) as answer,
        ):
            assert await answer.content.readany() == b"abc"  # streamed: the rest has not been sent yet
            released.set()
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.content.read()
        await rest.close()
        server.close()

    stack.run(scenario())


def test_without_postgres_the_answer_is_503_and_its_return_is_noticed(stack: DataStack) -> None:
    rest = Rest(stack.config, stack.keys, stack.postgres, stack.processes)

    async def scenario() -> None:
        await stack.processes.stop("postgrest")
        await rest.start()
        async with opened(stack, rest) as door:
            assert (await door.call("/rpc/me", stack.keys.secret_key))[0] == 200
            await stack.processes.stop("postgres")
            assert (await door.call("/rpc/me", stack.keys.secret_key))[0] == 503
            await stack.postgres.start()
            async with asyncio.timeout(10):
                while (await door.call("/rpc/me", stack.keys.secret_key))[0] != 200:
                    await asyncio.sleep(0.01)
        await rest.close()

    stack.run(scenario())


def test_a_postgrest_that_does_not_answer_is_504(stack: DataStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devstack.rest.READ_SECONDS", 0.3)
    rest = Rest(stack.config, stack.keys, stack.postgres, stack.processes)

    async def scenario() -> tuple[int, Any, Any]:
        await stack.processes.stop("postgrest")
        await rest.start()
        async with opened(stack, rest) as door:
            answer = await door.call("/rpc/sleep?seconds=2", stack.keys.secret_key)
        await rest.close()
        return answer

    assert stack.run(scenario())[:2] == (504, {"message": "The upstream server is timing out"})
