"""Calls of providers' APIs over HTTP: bounded in time, repeated where that is safe, and failing in a few known ways.

What a provider answers decides who tries again. RetryLater is for the queue, with the provider's own idea of when;
PermanentFailure (Refused, Missing, Unauthorized) is for people. No body, address or token is logged or put in an error.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any

import httpx
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from coachline import clock
from coachline.events import PermanentFailure, RetryLater
from coachline.logs import logger

TIMEOUT = httpx.Timeout(8.0, connect=3.0)
ATTEMPTS = 3  # of a call that may be repeated
LONGEST_PAUSE = 2.0  # what a provider asks for beyond this is the queue's to wait for
DEFAULT_DELAY = 15  # seconds, when a provider does not say how long
LONGEST_ASKED = 24 * 3600
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})  # RFC 9110, 9.2.2


class Refused(PermanentFailure):
    """The provider understood the call and will not do it: `status` of HTTP, `code` and `detail` in its own words."""

    def __init__(self, provider: str, status: int, code: str, detail: str = "") -> None:
        super().__init__(f"{provider} refused: {status} {code}")
        self.status = status
        self.code = code
        self.detail = detail


class Missing(Refused):
    """404 or 410: what the call was about does not exist there."""


class Unauthorized(Refused):
    """401 also with a new token: our credentials are not accepted any more."""


class Overloaded(RetryLater):
    """429, with the instant that the provider named or a guess; `daily` when it is a limit that ends with the day."""

    def __init__(self, provider: str, seconds: int, *, daily: bool = False) -> None:
        super().__init__(seconds, f"{provider} limits our calls for {seconds} s", exact=True)
        self.daily = daily


@dataclass(frozen=True)
class Provider:
    """One API of a provider. Keep it for the life of the execution environment: it holds the connections.

    `token` gives the bearer token for a call; given the one that was just rejected, it gets another or gives the same
    back, when it has none. `code_of` finds the provider's error code and message in its error body.
    """

    name: str
    base_url: str
    token: Callable[[str | None], str] | None = None
    code_of: Callable[[Any], tuple[str, str]] = lambda _: ("", "")
    headers: Mapping[str, str] = field(default_factory=dict)

    def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        basic: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> Any:
        """The JSON of a successful answer, None for an empty one.

        `repeatable` says that the call may be carried out twice (default: by method, so never a POST or PATCH). Raises
        RetryLater (Overloaded for 429), Missing, Unauthorized, Refused.
        """
        request = _Request(method, path, {"json": json, "data": form, "params": params, "auth": basic}, headers or {})
        attempts = ATTEMPTS if (method in _REPEATABLE if repeatable is None else repeatable) else 1
        started = time.perf_counter()
        try:
            answer = self._authorized(request, attempts)
        except Exception as error:
            self._measure(_outcome(error), started)
            raise
        self._measure("ok", started)
        return answer

    def _authorized(self, request: "_Request", attempts: int) -> Any:
        token = self.token(None) if self.token else None
        try:
            return self._repeated(request, token, attempts)
        except Unauthorized:
            renewed = self.token(token) if self.token else None
            if renewed == token:
                raise
            return self._repeated(request, renewed, attempts)  # a 401 did nothing, so a POST may be sent again too

    def _repeated(self, request: "_Request", token: str | None, attempts: int) -> Any:
        for attempt in range(1, attempts + 1):
            try:
                return self._once(request, token)
            except RetryLater as later:
                pause = random.uniform(0.5, 1.5) * 0.2 * 2 ** (attempt - 1)  # noqa: S311 - jitter is no secret
                if isinstance(later, Overloaded):
                    pause += later.seconds
                if attempt == attempts or pause > LONGEST_PAUSE:
                    raise
                time.sleep(pause)
        raise AssertionError("unreachable")

    def _once(self, request: "_Request", token: str | None) -> Any:
        headers = {**self.headers, **request.headers}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            options = {name: value for name, value in request.options.items() if value is not None}
            response = self._client.request(request.method, request.path, headers=headers, **options)
        except httpx.TimeoutException:
            raise RetryLater(DEFAULT_DELAY, f"{self.name} took too long") from None
        except httpx.TransportError as error:  # refused, reset, closed half-way: whether it arrived is not known
            raise RetryLater(DEFAULT_DELAY, f"{self.name} cannot be reached: {type(error).__name__}") from None
        return self._read(response)

    def _read(self, response: httpx.Response) -> Any:
        status = response.status_code
        try:
            body = response.json() if response.content else None
        except ValueError:
            if response.is_success:
                raise RetryLater(DEFAULT_DELAY, f"{self.name} answered what is no JSON") from None
            body = None
        if response.is_success:
            return body
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            seconds, daily = wait_of(response.headers, clock.now())
            raise Overloaded(self.name, seconds, daily=daily)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
            asked = response.headers.get("Retry-After")
            wait = seconds_until(asked, clock.now()) if asked else None
            raise RetryLater(wait or DEFAULT_DELAY, f"{self.name} failed: {status}", exact=wait is not None)
        code, detail = self.code_of(body) if isinstance(body, dict) else ("", "")
        kind = {401: Unauthorized, 404: Missing, 410: Missing}.get(status, Refused)
        raise kind(self.name, status, code, detail)

    def _measure(self, outcome: str, started: float) -> None:
        milliseconds = round((time.perf_counter() - started) * 1000, 1)
        dimensions = {"provider": self.name, "outcome": outcome}
        unit = MetricUnit.Milliseconds
        with single_metric(name="ProviderCall", unit=unit, value=milliseconds, default_dimensions=dimensions):
            pass
        if outcome != "ok":
            logger.warning("provider.failed", provider=self.name, outcome=outcome, ms=milliseconds)

    @cached_property
    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.base_url, timeout=TIMEOUT, follow_redirects=False)


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    options: Mapping[str, Any]
    headers: Mapping[str, str]


def wait_of(headers: Mapping[str, str], now: datetime) -> tuple[int, bool]:
    """How many seconds a 429 asks to wait, and whether it is a daily limit.

    Read from Retry-After in each of its forms, else X-RateLimit-Reset, which is an instant at Zoom and a number of
    seconds at Calendly.
    """
    daily = headers.get("X-RateLimit-Type", "").lower().startswith("daily")
    for name in ("Retry-After", "X-RateLimit-Reset"):
        if (value := headers.get(name)) and (seconds := seconds_until(value, now)) is not None:
            return seconds, daily
    return DEFAULT_DELAY, daily


def seconds_until(value: str, now: datetime) -> int | None:
    """Seconds from `now` to what a header names, at least 1 and at most a day; None when it makes no sense.

    Forms: seconds, Unix seconds, an HTTP date (RFC 9110, 10.2.3), ISO 8601 (Zoom's daily limits).
    """
    text = value.strip()
    if text.isascii() and text.isdigit() and len(text) < 12:
        number = int(text)
        wait = number - now.timestamp() if number > 10**9 else float(number)
    else:
        at = _instant(text)
        if at is None:
            return None
        wait = (at - now).total_seconds()
    return min(max(int(wait + 0.999), 1), LONGEST_ASKED)


def _instant(text: str) -> datetime | None:
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            at = parse(text)
        except (ValueError, TypeError, IndexError):
            continue
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return None


def _outcome(error: Exception) -> str:
    match error:
        case Overloaded():
            return "limited"
        case Unauthorized():
            return "unauthorized"
        case Refused():
            return "refused"
        case RetryLater():
            return "unavailable"
    return "error"
