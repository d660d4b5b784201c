"""The way to Postgres: PostgREST, through the very client that `supabase` wraps, which costs half of its import.

`as_caller` acts with the caller's own token, so the guard and row-level security apply; `as_webhook`, and
`coachline.service` for consumers and jobs, act with the secret key. All speak to functions of the database only: `read`
calls a STABLE one in a read-only transaction, `write` one that answers `{status, body}` or `{status, problem}`.
"""

import json
from typing import Any
from uuid import UUID

import httpx
from postgrest import SyncPostgrestClient

from coachline import models, secrets
from coachline.api import Caller
from coachline.logs import logger
from coachline.problems import Conflict, Forbidden, NotFound, Problem, Unauthenticated, Unavailable, Unprocessable
from coachline.settings import api_settings

GATE_HEADER = "x-coachline-gate"
_TIMEOUT = httpx.Timeout(10.0, connect=2.0)  # above the database's own statement timeout of 8 s, below Lambda's
_REPLAYED = "Idempotent-Replayed"
_FOR_THE_CALLER = ("RateLimit-Policy", "RateLimit", "Retry-After", _REPLAYED)
_DEADLOCK, _UNIQUE, _EXCLUDED = "40P01", "23505", "23P01"


class Database:
    """One caller's (or the service's) view of the database. Refusals arrive as `Problem`s, whatever refused."""

    def __init__(self, client: SyncPostgrestClient, caller: Caller | None = None) -> None:
        self._client = client
        self._caller = caller

    def read(self, function: str, **arguments: Any) -> Any:
        """Call a STABLE function. Arguments that are None are left to their defaults.

        With POST: in a URL, PostgREST takes an argument such as `gt. Gatsby` for a filter, whoever wrote it.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            return self._call(function, given)
        except _ConnectionLost:
            return self._call(function, given)  # a pooled connection that the other side had closed

    def write(self, function: str, **arguments: Any) -> Any:
        """Call a function that changes rows; the body of its answer, or the refusal it answered as a `Problem`."""
        try:
            answer = self._call(function, arguments)
        except _Deadlock:
            answer = self._call(function, arguments)
        return unwrap(answer)

    def refuse(self, status: int, problem: dict[str, Any]) -> Any:
        """Raise a refusal; with an Idempotency-Key it is stored first, or a former answer of that key given."""
        if self._caller and self._caller.idempotency_key:
            return self.write("record_refusal", status=status, problem=problem)
        raise _refusal(status, problem)

    @property
    def caller_id(self) -> UUID | None:
        """The caller's user id as the guard reported it with the last answer."""
        return UUID(_last_headers["x-coachline-user"]) if "x-coachline-user" in _last_headers else None

    def _call(self, function: str, arguments: dict[str, Any]) -> Any:
        try:
            return self._execute(function, arguments)
        except Problem as refusal:
            if refusal.code != "user_unknown":
                raise
            # The first request came before Clerk's webhook, and the guard cannot create a user in a read.
            self._execute("ensure_user", {})
            return self._execute(function, arguments)

    def _execute(self, function: str, arguments: dict[str, Any]) -> Any:
        _last_headers.clear()
        try:
            data = self._client.rpc(function, arguments).execute().data
        except httpx.ConnectError as error:
            raise Unavailable("The database cannot be reached; try again shortly.") from error
        except httpx.TimeoutException as error:
            raise Unavailable("The database took too long; try again shortly.") from error
        except httpx.TransportError as error:
            raise _ConnectionLost from error
        if self._caller:
            told = {name: _last_headers[name] for name in _FOR_THE_CALLER if name in _last_headers}
            self._caller.answer_headers.update(told)
            if _REPLAYED in told:
                models.replayed.set(True)
        return data


def unwrap(answer: dict[str, Any]) -> Any:
    """The body of a write's answer, or its refusal raised."""
    if "problem" not in answer:
        return answer.get("body")
    raise _refusal(answer["status"], answer["problem"])


def _refusal(status: int, problem: dict[str, Any]) -> Problem:
    extensions = {key: value for key, value in problem.items() if key not in {"code", "detail", "errors"}}
    return Problem(
        problem["detail"], status=status, code=problem["code"], errors=problem.get("errors", ()), extensions=extensions
    )


class _ConnectionLost(Unavailable):
    """The connection broke in mid-request: a read may be sent again, a write may already have happened."""


class _Deadlock(Conflict):
    """Postgres chose this transaction to end a deadlock; nothing of it remains."""

    code = "conflict"
    default_detail = "Someone changed the same thing at the same moment. Try again."


def _raise_for_status(response: httpx.Response) -> None:
    """Turn PostgREST's answer into a `Problem`, by HTTP status and SQLSTATE: its own codes change between versions."""
    if response.is_success:
        return
    response.read()
    try:
        error = response.json()
    except ValueError:
        error = {}
    sqlstate = str(error.get("code") or "")
    detail = str(error.get("details") or "") or None
    if sqlstate.startswith("PT"):
        raise _ours(response.status_code, str(error["message"]), detail, error.get("hint"))
    if sqlstate == _DEADLOCK:
        raise _Deadlock
    if sqlstate in {_UNIQUE, _EXCLUDED}:
        raise Conflict("This clashes with what is stored already.")
    if sqlstate[:2] in {"22", "23"}:
        raise Unprocessable("A value is outside of what can be stored.")
    match response.status_code:
        case 400 if error.get("code") == "":  # Postgres went away in the middle of a statement, and left no SQLSTATE
            raise _ConnectionLost
        case 401:
            raise Unauthenticated("The session token was not accepted.")
        case 403:
            raise Forbidden
        case 404 | 400 | 406:
            raise RuntimeError(f"PostgREST refused our call: {response.status_code} {sqlstate}")
        case _:
            logger.warning("database.failed", status=response.status_code, code=error.get("code"))
            raise Unavailable("The database cannot answer right now; try again shortly.")


def _ours(status: int, code: str, detail: str | None, hint: str | None) -> Problem:
    """A refusal raised by `private.refuse`: code in the message, further members as JSON in the hint."""
    if code == "gate_closed":
        return Unavailable(
            "The API and its database disagree on the gate key; operators have been told.", code="gate_closed"
        )
    extra: dict[str, Any] = json.loads(hint) if hint else {}
    if status == Unavailable.status:
        return Unavailable(detail, retry_after=extra.get("retryAfter", 5), code=code)
    if status == Unauthenticated.status:
        return Unauthenticated(detail)
    if status == NotFound.status:
        return NotFound(detail)
    return _refusal(status, {**extra, "code": code, "detail": detail or ""})


_last_headers = httpx.Headers()


def _remember_headers(response: httpx.Response) -> None:
    _last_headers.clear()
    _last_headers.update(response.headers)


def patient_client(timeout: httpx.Timeout) -> httpx.Client:
    """A pool of connections whose answers become refusals here, and which waits that long for them."""
    return httpx.Client(timeout=timeout, event_hooks={"response": [_remember_headers, _raise_for_status]})


# One pool of kept-alive connections per execution environment. Made while the function is loaded, when Lambda gives it
# more processor: the import of httpcore and the certificates were two thirds of what a first request computed.
http_client = patient_client(_TIMEOUT)


def _client(api_key: str, headers: dict[str, str]) -> SyncPostgrestClient:
    return SyncPostgrestClient(
        f"{api_settings().supabase_url}/rest/v1",
        headers={"apikey": api_key, **headers},
        http_client=http_client,
        retry_enabled=False,
    )


def as_caller(caller: Caller) -> Database:
    """The database as this caller may see it; the permission he needs travels with the call and is checked there."""
    settings = api_settings()
    headers = {GATE_HEADER: settings.api_gate_key, "x-request-id": caller.request_id}
    if caller.principal:
        headers["Authorization"] = f"Bearer {caller.principal.token}"
    if caller.permission:
        headers["x-coachline-permission"] = caller.permission
    if caller.idempotency_key:
        headers["x-coachline-idempotency-key"] = caller.idempotency_key
        headers["x-coachline-route"] = caller.route
        headers["x-coachline-fingerprint"] = caller.fingerprint or ""
    return Database(_client(settings.supabase_publishable_key, headers), caller)


def as_webhook() -> Database:
    """The database with the secret key, past row-level security; webhooks cannot afford `coachline.service`."""
    return Database(_client(secrets.load().supabase_secret_key, {}))
