"""The entrypoint of every HTTP function: request id, token, validation and problem details, the same everywhere.

What happens to a request, in this order: the token (401), the body's size, type and form (413, 415, 400), the
Idempotency-Key (400), validation of everything at once (422), then the handler.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from operator import itemgetter
from typing import Any, Literal, TypeVar

from aws_lambda_powertools.event_handler.api_gateway import APIGatewayHttpResolver, Response, Route
from aws_lambda_powertools.event_handler.exceptions import NotFoundError, ServiceError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError, ResponseValidationError
from pydantic import BaseModel

from coachline import auth, validation
from coachline.incoming import Request, idempotency_key, json_document, sized_body
from coachline.logs import logger
from coachline.models import Data, replayed
from coachline.problems import NotFound, Problem, Unprocessable

T = TypeVar("T")
LambdaHandler = Callable[[dict[str, Any], Any], dict[str, Any]]

LARGEST_BODY = 256 * 1024

_STANDARD_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True)
class Caller:
    """Who calls what: all that the database needs to decide whether they may, and to answer a repeated call.

    `answer_headers` collects what the database wants the caller to be told besides the answer (rate limits).
    """

    principal: auth.Principal | None
    permission: str | None
    request_id: str
    method: str
    route: str
    path: str
    idempotency_key: str | None
    fingerprint: str | None = None
    answer_headers: dict[str, str] = field(default_factory=dict)


class App(APIGatewayHttpResolver):
    """Powertools' resolver for payload 2.0, which can also say what it would match and describe itself correctly."""

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes in the order in which they are tried."""
        return (*self._static_routes, *self._dynamic_routes)

    def match(self, method: str, path: str) -> Route | None:
        """The route that `resolve` will choose, known beforehand so that a token is asked for before a body is read."""
        return next((route for route in self.routes if route.method == method and route.rule.match(path)), None)

    def get_openapi_json_schema(self, **options: Any) -> str:
        """The OpenAPI 3.1 document of this function's routes."""
        from coachline import openapi  # noqa: PLC0415 - a document is made at build time, not on a request

        return openapi.describe(self, super().get_openapi_json_schema, **options)


class requires:  # noqa: N801 - reads as a word of the route's declaration
    """Marks a route as one that needs a token, and names the permission that the database checks in the same call.

    `permission` None means any signed-in caller. As a middleware it does nothing: `entrypoint` reads it.
    """

    def __init__(
        self, permission: str | None = None, *, idempotency_key: Literal["optional", "required"] = "optional"
    ) -> None:
        self.__name__ = f"requires {permission}"
        self.permission = permission
        self.needs_idempotency_key = idempotency_key == "required"

    def __call__(self, app: App, next_middleware: NextMiddleware) -> Response[Any]:
        return next_middleware(app)

    @staticmethod
    def of(route: Route | None) -> "requires | None":
        """What a route is marked with, if it is."""
        return next((mark for mark in route.middlewares if isinstance(mark, requires)), None) if route else None


def create_app() -> App:
    """A resolver that validates requests (422) and responses (500), and answers failures as problem details."""
    app = App(
        enable_validation=True,
        response_validation_error_http_code=500,
        serializer=_to_json,
        json_body_deserializer=itemgetter(0),  # of what _with_document put there
        debug=False,
    )

    @app.exception_handler(Exception)  # type: ignore[untyped-decorator]  # Powertools'
    def refuse(error: Exception) -> Response[Any]:
        told = _as_problem(error, app.context)
        if told is error:
            raise error
        raise told from None

    def refuse_faults(app: App, next_middleware: NextMiddleware) -> Response[Any]:
        if faults := app.context["faults"]:
            raise Unprocessable(errors=validation.distinct(faults))
        return next_middleware(app)

    app.use([refuse_faults])
    return app


def entrypoint(app: App, *, public: bool = False, raw: bool = False, largest_body: int = LARGEST_BODY) -> LambdaHandler:
    """The Lambda handler of an app; it never raises, whatever the request says.

    `public`: routes without `requires` need no token. `raw`: the handler reads the body itself (signed webhooks).
    """
    if not public and (open_routes := [route.path for route in app.routes if not requires.of(route)]):
        raise TypeError(f"neither public nor marked by `requires`: {open_routes}")

    def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        started = time.perf_counter()
        request = Request.of(event)
        route = app.match(request.method, request.path)
        caller: Caller | None = None
        replayed.set(False)
        with logger.append_context_keys(request_id=request.request_id):
            try:
                caller = _identify(request, route, public=public)
                document, faults = None, []
                if raw:
                    sized_body(event, largest_body)
                elif route:
                    document = json_document(request, event, largest_body)
                    caller = _with_idempotency_key(caller, request, route)
                    faults = validation.beforehand(route, request.query, document)
                    event = _with_document(event, request, document)
                app.context.update(caller=caller, document=document, faults=faults)
                response = app.resolve(event, context)
            except Problem as problem:
                response = _refusal(problem, request)
            except Exception:  # noqa: BLE001 - the last resort: the cause goes to the log, never to the caller
                logger.exception("request.failed")
                response = _refusal(Problem(), request)
            response["body"] = response["body"] or ""
            told = caller.answer_headers if caller else {}
            response["headers"] = _STANDARD_HEADERS | response["headers"] | told | {"X-Request-Id": request.request_id}
            logger.info(
                "request.handled",
                method=request.method,
                route=route.openapi_path if route else None,
                status=response["statusCode"],
                ms=round((time.perf_counter() - started) * 1000, 1),
                user=caller.principal.clerk_id if caller and caller.principal else None,
            )
        return response

    return lambda_handler


def doc(
    summary: str,
    *,
    tag: str,
    status: int = 200,
    problems: Sequence[int] = (),
    description: str | None = None,
    example: Any = None,
    body_example: Any = None,
    content: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What OpenAPI says of a route: `@app.get(path, **doc("List my sessions", tag="Sessions", problems=[404]))`.

    `problems` beyond those that every route has; the examples are of the whole answer and of the whole body. `content`:
    the answer's media types, when it is not JSON alone.
    """
    examples = {"x-example": example, "x-body-example": body_example}
    return {
        "summary": summary,
        "description": description,
        "tags": [tag],
        "status_code": status,
        "responses": {code: {"description": HTTPStatus(code).phrase} for code in problems}
        | {status: {"description": HTTPStatus(status).phrase} | ({"content": content} if content else {})},
        "openapi_extensions": {name: value for name, value in examples.items() if value is not None},
    }


def caller(app: App, *sent: BaseModel) -> Caller:
    """Who calls; with what was validated also its fingerprint, by which a repeated key is told from a reused one."""
    who: Caller = app.context["caller"]
    if not sent:
        return who
    documents = [each.model_dump(mode="json", by_alias=True) for each in sent]
    canonical = "\n".join(json.dumps(each, sort_keys=True, separators=(",", ":")) for each in documents)
    return replace(who, fingerprint=hashlib.sha256(f"{who.method} {who.path}\n{canonical}".encode()).hexdigest())


def created(model: T, location: str) -> Response[Data[T]]:
    """201 with the resource and where it can be read."""
    return Response(201, "application/json", {"data": model}, {"Location": location})  # type: ignore[arg-type]  # made JSON later


def accepted(model: T) -> Response[Data[T]]:
    """202 with the resource as it is while the rest is still to come."""
    return Response(202, "application/json", {"data": model})  # type: ignore[arg-type]  # made JSON later


def unkept(model: T) -> Response[Data[T]]:
    """200 with what nobody on the way may keep."""
    return Response(200, "application/json", {"data": model}, {"Cache-Control": "no-store"})  # type: ignore[arg-type]  # made JSON later


def no_content() -> Response[None]:
    """204, without a body."""
    return Response(204)


def _identify(request: Request, route: Route | None, *, public: bool) -> Caller:
    """The caller, whose token is looked at only where one is needed: a stale one must not close a public page."""
    mark = requires.of(route)
    needs_token = mark is not None or not public
    return Caller(
        principal=auth.principal_of(request.headers.get("authorization")) if needs_token else None,
        permission=mark.permission if mark else None,
        request_id=request.request_id,
        method=request.method,
        route=route.openapi_path if route else request.path,
        path=request.path,
        idempotency_key=None,
    )


def _with_idempotency_key(caller: Caller, request: Request, route: Route) -> Caller:
    mark = requires.of(route)
    if mark is None or request.method != "POST":
        return caller
    return replace(caller, idempotency_key=idempotency_key(request, required=mark.needs_idempotency_key))


def _with_document(event: dict[str, Any], request: Request, document: Any) -> dict[str, Any]:
    """The event as Powertools shall see it: with the parsed document in a list, which is true even for `{}`."""
    return {
        **event,
        "headers": {**request.headers, "content-type": "application/json"},
        "body": [document] if isinstance(document, dict) else None,
        "isBase64Encoded": False,
    }


def _as_problem(error: Exception, context: Mapping[str, Any]) -> Exception:
    """What the caller is told; an error that is nobody's business but ours stays as it is."""
    match error:
        case RequestValidationError():
            if validation.names_nothing(error.errors()):
                return NotFound()
            described = validation.described(error.errors(), context["document"])
            return Unprocessable(errors=validation.distinct([*context["faults"], *described]))
        case ResponseValidationError():
            # Its own text quotes the values, which may be personal and would reach the log.
            places = "; ".join(f"{fault['loc']}: {fault['type']}" for fault in error.errors())
            return TypeError(f"the response does not fit its model: {places}")
        case NotFoundError():
            return NotFound("There is no such route.")
        case ServiceError():
            phrase = HTTPStatus(error.status_code).phrase
            return Problem(phrase, status=error.status_code, code=phrase.lower().replace(" ", "_").replace("-", "_"))
    return error


def _refusal(problem: Problem, request: Request) -> dict[str, Any]:
    return {
        "statusCode": problem.status,
        "headers": {**problem.headers, "Content-Type": "application/problem+json"},
        "body": _to_json(problem.to_body(request.path, request.request_id)),
        "isBase64Encoded": False,
    }


def _to_json(value: Any) -> str:
    # A lone surrogate, which a caller can send as "\ud800" and a message may repeat, has no UTF-8 form.
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace").decode()
