"""Refusals as problem details (RFC 9457): every error that a caller can meet has a status and a stable code."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pydantic import ValidationError


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """An answer that is an error. Subclasses fix `status` and `code`; a keyword overrides either.

    `errors` lists what is wrong with the input: `{"pointer": "#/a/0", "detail": …}` or `{"parameter": …, "detail": …}`.
    `extensions` are further members of the body, such as `reason`; they cannot replace the standard ones.
    """

    status: int = 500
    code: str = "internal_error"
    default_detail: ClassVar[str] = "Something went wrong on our side."

    def __init__(
        self,
        detail: str | None = None,
        *,
        status: int | None = None,
        code: str | None = None,
        title: str | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        self.status = status or self.status
        self.code = code or self.code
        self.title = title or self.code.replace("_", " ").capitalize()
        self.detail = detail or self.default_detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.extensions = dict(extensions or {})
        super().__init__(f"{self.status} {self.code}: {self.detail}")

    def to_body(self, instance: str, request_id: str) -> dict[str, Any]:
        """The JSON body: `instance` is the request's path, `type` a URI reference that is stable for the code."""
        body = {
            **self.extensions,
            "type": f"/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "code": self.code,
            "requestId": request_id,
        }
        return {**body, "errors": self.errors} if self.errors else body


class BadRequest(Problem):
    """400: the request itself cannot be read."""

    status = 400
    code = "malformed_request"
    default_detail = "The request could not be read."


class Unauthenticated(Problem):
    """401, with the challenge that RFC 6750 asks for."""

    status = 401
    code = "unauthenticated"
    default_detail = "A valid session token is needed."

    def __init__(self, detail: str | None = None) -> None:
        challenge = 'Bearer error="invalid_token"' if detail else "Bearer"
        super().__init__(detail, headers={"WWW-Authenticate": challenge})


class Forbidden(Problem):
    """403: known caller, without the right."""

    status = 403
    code = "forbidden"
    default_detail = "You may not do this."


class NotFound(Problem):
    """404: no such thing, or none that the caller may know of."""

    status = 404
    code = "not_found"
    default_detail = "There is nothing here that you can see."


class MethodNotAllowed(Problem):
    """405 with `Allow`: the path exists, the method does not."""

    status = 405
    code = "method_not_allowed"
    default_detail = "This path does not answer that method."

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(headers={"Allow": ", ".join(allowed)})


class Conflict(Problem):
    """409: the state of things forbids it now."""

    status = 409
    code = "conflict"
    default_detail = "The current state does not allow this."


class ContentTooLarge(Problem):
    """413."""

    status = 413
    code = "content_too_large"
    default_detail = "The body is larger than this route accepts."


class UnsupportedMediaType(Problem):
    """415: a body that is not declared as JSON, or is compressed. A header tells what is taken (RFC 9110, 15.5.16)."""

    status = 415
    code = "unsupported_media_type"
    default_detail = "Send the body as application/json."

    def __init__(self, detail: str | None = None, *, encodings: str | None = None) -> None:
        accepted = {"Accept-Encoding": encodings} if encodings else {"Accept": "application/json"}
        super().__init__(detail, headers=accepted)


class Unprocessable(Problem):
    """422: readable, but not acceptable."""

    status = 422
    code = "validation_failed"
    default_detail = "Some of what was sent is not acceptable; `errors` names each place."


class TooManyRequests(Problem):
    """429 with `Retry-After` in whole seconds."""

    status = 429
    code = "rate_limited"
    default_detail = "Too many requests; wait before the next one."

    def __init__(
        self, detail: str | None = None, *, retry_after: int, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail, headers={**(headers or {}), "Retry-After": str(retry_after)})


class Unavailable(Problem):
    """503 with `Retry-After` in whole seconds: something we depend on is down, or writes are paused."""

    status = 503
    code = "unavailable"
    default_detail = "The service cannot answer right now; try again shortly."

    def __init__(self, detail: str | None = None, *, retry_after: int = 5, code: str | None = None) -> None:
        super().__init__(detail, code=code, headers={"Retry-After": str(retry_after)})


def validation_problem(error: "ValidationError") -> Unprocessable:
    """What a model refused, as a 422 that points at each place."""
    return Unprocessable(
        errors=[{"pointer": pointer(found["loc"]), "detail": plain_message(found["msg"])} for found in error.errors()]
    )


def pointer(location: Iterable[int | str]) -> str:
    """A JSON Pointer (RFC 6901) written as a fragment: `#/weekly/0/from`, and `#` for the whole body."""
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def plain_message(message: str) -> str:
    """A message of pydantic's without the name of the Python exception that carried it."""
    return message.removeprefix("Value error, ")
