"""What a request carries, read with suspicion: nothing here fails in any way but by a Problem."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from coachline.problems import BadRequest, ContentTooLarge, Problem, UnsupportedMediaType
from coachline.webhooks import raw_body

DEEPEST_NESTING = 64
# Each value of a body can be a fault, and describing one takes 40 µs and more than a kilobyte: a megabyte of `1,1,1,`
# where text belongs kept a function busy for 14 seconds. So a route that takes a long text does not take more values.
BYTES_PER_VALUE = 25
MOST_VALUES = 256 * 1024 // BYTES_PER_VALUE
METHODS_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_BARE_KEY = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]*", re.ASCII)
_QUOTED_KEY = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"', re.ASCII)


@dataclass(frozen=True)
class Request:
    """The parts of an HTTP API event (payload 2.0) that are read before a handler is chosen."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    request_id: str

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> "Request":
        """Read an event; the caller's request id is kept if it is one that is safe to log and to send back."""
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        given = headers.get("x-request-id", "")
        return cls(
            method=event["requestContext"]["http"]["method"].upper(),
            path=event["rawPath"],
            headers=headers,
            query=event.get("queryStringParameters") or {},
            request_id=given if _REQUEST_ID.fullmatch(given) else str(uuid4()),
        )

    @property
    def media_type(self) -> str:
        """The type of the body, without parameters; empty when none is declared."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def json_document(request: Request, event: Mapping[str, Any], largest: int) -> Any:
    """The body as JSON, None when there is none: 413, 415 or 400 when it cannot be had, in this order."""
    if request.method in METHODS_WITHOUT_BODY:
        return None
    raw = sized_body(event, largest)
    if not raw.strip():
        return None
    if request.media_type != "application/json":
        raise UnsupportedMediaType
    if request.headers.get("content-encoding", "").strip().lower() not in {"", "identity"}:
        raise UnsupportedMediaType("Send the body as it is, without Content-Encoding.", encodings="identity")
    document = parsed(raw)
    if _measured(document)[1] > min(largest // BYTES_PER_VALUE, MOST_VALUES):
        raise ContentTooLarge("The body holds more values than this route accepts.")
    return document


def parsed(raw: bytes) -> Any:
    """JSON as RFC 8259 has it, which Python's parser alone is too lenient for, and not endlessly deep; else 400."""
    try:
        document = json.loads(raw.decode(), parse_constant=_not_json, parse_float=_finite)
    except (ValueError, RecursionError):  # among them bad UTF-8, and integers too long for Python to convert
        raise BadRequest("The body is not well-formed JSON in UTF-8.", code="malformed_json") from None
    if _measured(document)[0] > DEEPEST_NESTING:
        raise BadRequest(f"The body is nested deeper than {DEEPEST_NESTING} levels.", code="malformed_json")
    return document


def sized_body(event: Mapping[str, Any], largest: int) -> bytes:
    """The raw body, if it is at most `largest` bytes long."""
    raw = raw_body(event)
    if len(raw) > largest:
        raise ContentTooLarge(f"The body is larger than the {largest} bytes that this route accepts.")
    return raw


def idempotency_key(request: Request, *, required: bool) -> str | None:
    """The key of a POST, bare or as a structured-field string (RFC 8941, 3.3.3); 400 if malformed or missing."""
    given = request.headers.get("idempotency-key")
    if given is None:
        if required:
            raise Problem(
                "Send an Idempotency-Key, so that a repeated request is answered and not carried out again.",
                status=400,
                code="idempotency_key_required",
            )
        return None
    text = given.strip(" \t")
    if quoted := _QUOTED_KEY.fullmatch(text):
        key = re.sub(r"\\(.)", r"\1", quoted[1])
    else:
        key = text if _BARE_KEY.fullmatch(text) else ""
    # The key travels on as a header, where spaces around it would be lost or are refused.
    if not 1 <= len(key) <= 255 or key != key.strip(" "):
        raise Problem(
            "Idempotency-Key must be 1 to 255 printable ASCII characters, no space around them, bare or in quotes.",
            status=400,
            code="idempotency_key_invalid",
        )
    return key


def _not_json(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("the number is too large")
    return value


def _measured(document: Any) -> tuple[int, int]:
    """How many levels deep a document is, and how many values it holds."""
    depth, values, level = 0, 1, [document]
    while level := [part for part in level if isinstance(part, dict | list)]:
        level = [item for part in level for item in (part.values() if isinstance(part, dict) else part)]
        depth, values = depth + 1, values + len(level)
    return depth, values


def allowed_methods(path: str, routes: Iterable[tuple[str, str]]) -> list[str]:
    """The methods that `path` answers, given (method, path template) pairs; empty when no route has such a path."""
    parts = path.split("/")
    return sorted({method for method, template in routes if _fits(template.split("/"), parts)})


def _fits(template: list[str], parts: list[str]) -> bool:
    return len(template) == len(parts) and all(
        part == expected or (expected.startswith("{") and part != "")
        for expected, part in zip(template, parts, strict=True)
    )
