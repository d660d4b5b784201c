"""The OpenAPI 3.1 document of a function's routes: what Powertools makes, with what every route has in common."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from coachline.incoming import METHODS_WITHOUT_BODY

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler.api_gateway import Route

    from coachline.api import App

SCHEMA_REF = "#/components/schemas/{model}"
_POWERTOOLS_ERRORS = ("ValidationError", "HTTPValidationError", "ResponseValidationError")
_ANY_ROUTE = (422, 500, 503)
_WITH_TOKEN = (401, 403)
_WITH_BODY = (400, 413, 415)

_PROBLEM = {
    "title": "Problem",
    "description": "Problem details, RFC 9457.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code", "requestId"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "examples": ["/problems/not_found"]},
        "title": {"type": "string", "examples": ["Not found"]},
        "status": {"type": "integer", "examples": [404]},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "The path that was asked for."},
        "code": {"type": "string", "pattern": "^[a-z0-9_]+$", "examples": ["not_found"]},
        "requestId": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "Each place that is wrong: a JSON Pointer into the body, or the name of a parameter.",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "pointer": {"type": "string", "examples": ["#/weekly/0/intervals/1/from"]},
                    "parameter": {"type": "string", "examples": ["limit"]},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}


def describe(app: "App", build: Callable[..., str], **options: Any) -> str:
    """Complete what `build(**options)` makes of an app; returns the document's JSON text."""
    from coachline.api import requires  # noqa: PLC0415 - api asks for this module, not the other way round

    document = json.loads(build(**options))
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in _POWERTOOLS_ERRORS:
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    statuses: set[int] = set()
    for route in app.routes:
        operation = document["paths"].get(route.openapi_path, {}).get(route.method.lower())
        if operation:
            statuses |= _complete(operation, route, requires.of(route), schemas)
    components["responses"] = {_response_name(status): _problem_response(status) for status in sorted(statuses)}
    components["securitySchemes"] = {"clerk": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    document["security"] = [{"clerk": []}]
    return json.dumps(_tidy(document), indent=2, ensure_ascii=False)


def _tidy(document: dict[str, Any]) -> dict[str, Any]:
    """Call `Data[Session]` SessionData, and leave out the schemas that nothing refers to (those of query models)."""
    text = json.dumps(document)
    for name, schema in document["components"]["schemas"].items():
        if name.endswith("_"):
            text = text.replace(f'/{name}"', f'/{schema["title"]}"').replace(f'"{name}":', f'"{schema["title"]}":')
    tidied: dict[str, Any] = json.loads(text)
    schemas = tidied["components"]["schemas"]
    while unused := [name for name in schemas if f'{SCHEMA_REF.format(model=name)}"' not in json.dumps(tidied)]:
        for name in unused:
            del schemas[name]
    return tidied


def _complete(operation: dict[str, Any], route: "Route", mark: Any, schemas: dict[str, Any]) -> set[int]:
    """Add to one operation what follows from its route; returns the statuses of the problems that it may answer."""
    responses, success = operation["responses"], str(route.status_code)
    declared = {int(status) for status in route.responses or {} if int(status) >= 400}
    problems = {*_ANY_ROUTE, *declared, *(_WITH_TOKEN if mark else ()), *({404} if "{" in route.openapi_path else ())}
    if route.method not in METHODS_WITHOUT_BODY:
        problems |= {*_WITH_BODY}
    operation["responses"] = {success: _success(responses[success], operation, route.status_code)} | {
        str(status): {"$ref": f"#/components/responses/{_response_name(status)}"} for status in sorted(problems)
    }
    parameters = [p for p in operation.get("parameters", []) if p["in"] != "query"]
    parameters += _query_parameters(route, operation.get("parameters", []), schemas)
    if mark:
        operation["x-permission"] = mark.permission
        if route.method == "POST":
            parameters.append(_idempotency_key(required=mark.needs_idempotency_key))
    else:
        operation["security"] = []
    if parameters:
        operation["parameters"] = parameters
    body_example = operation.pop("x-body-example", None)
    if body_example is not None:
        operation["requestBody"]["content"]["application/json"]["example"] = body_example
    return problems


def _success(response: dict[str, Any], operation: dict[str, Any], status: int) -> dict[str, Any]:
    example = operation.pop("x-example", None)
    if status == HTTPStatus.NO_CONTENT:
        response.pop("content", None)
    if example is not None:
        response["content"]["application/json"]["example"] = example
    if status == HTTPStatus.CREATED:
        response["headers"] = {"Location": {"schema": {"type": "string", "format": "uri-reference"}}}
    return response


def _query_parameters(route: "Route", generated: list[dict[str, Any]], schemas: dict[str, Any]) -> list[dict[str, Any]]:
    """Powertools gives the fields of a query model bare types only: their limits, defaults and enums come from here."""
    described: dict[str, dict[str, Any]] = {}
    for field in route.dependant.query_params:
        model = field.type_
        if isinstance(model, type) and issubclass(model, BaseModel):
            schema = model.model_json_schema(ref_template=SCHEMA_REF)
            schemas.update(schema.get("$defs", {}))
            described |= schema["properties"]
    parameters = [parameter for parameter in generated if parameter["in"] == "query"]
    for parameter in parameters:
        if parameter["name"] in described:
            parameter["schema"] = described[parameter["name"]]
            if "description" in parameter["schema"]:
                parameter["description"] = parameter["schema"].pop("description")
    return parameters


def _idempotency_key(*, required: bool) -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": required,
        "description": "Repeating a request with its key replays the first answer for 24 hours: as it was, without "
        "fields that were added since, and with `Idempotent-Replayed: true`.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    }


def _response_name(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")


def _problem_response(status: int) -> dict[str, Any]:
    return {
        "description": HTTPStatus(status).phrase,
        "content": {"application/problem+json": {"schema": {"$ref": SCHEMA_REF.format(model="Problem")}}},
    }
