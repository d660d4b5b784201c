"""Calendly's own OpenAPI document as the judge of what our client sends and our simulator answers.

The document is of 2024; what is known to have changed since is mended in `_with_drift`, each change beside its source.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import yaml
from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.support.stack import ROOT

SPECIFICATION = ROOT.parent / "shared/data/openapi/calendly.yaml"
BASE = "urn:calendly"


def violations(log: Sequence[Mapping[str, Any]]) -> tuple[Counter[str], list[str]]:
    """How many requests and answers were checked, and what was wrong with any; each logged call is one of both."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    for call in log:
        template, operation = _operation(call)
        where = f"{call['method']} {template or call['path']} {call['status']}"
        if operation is None:
            wrong.append(f"{where}: no such operation")
            continue
        if call["status"] < 400:  # a request that was refused may be wrong on purpose
            counts["requests"] += 1
            wrong += [f"{where}: request: {fault}" for fault in _request_faults(call, operation)]
        counts["responses"] += 1
        wrong += [f"{where}: answer: {fault}" for fault in _answer_faults(call, operation)]
    return counts, wrong


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(SPECIFICATION.read_text())
    return _with_drift(document)


def _with_drift(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document["components"]["schemas"]
    events = ["invitee.created", "invitee.canceled", "invitee_no_show.created", "invitee_no_show.deleted"]
    events += [f"event_type.{what}" for what in ("created", "updated", "deleted")]
    # Webhooks know more events today than three; captured deliveries have location.type `zoom`, answer_choices null.
    schemas["WebhookSubscription"]["properties"]["events"]["items"]["enum"] = events
    create = document["paths"]["/webhook_subscriptions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    create["properties"]["events"]["items"]["enum"] = events
    schemas["EventTypeCustomQuestion"]["properties"]["answer_choices"]["nullable"] = True
    schemas["ZoomConference"]["properties"]["type"]["enum"] = ["zoom", "zoom_conference"]
    # 429 and OAuth's refusals are described in prose only.
    document["components"]["responses"]["LIMITED"] = {
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorResponse"}}}
    }
    return document


@cache
def _registry() -> Registry[Any]:
    registry: Registry[Any] = Registry()
    with_document: Registry[Any] = registry.with_resource(BASE, DRAFT202012.create_resource(_document()))
    return with_document


def _operation(call: Mapping[str, Any]) -> tuple[str, dict[str, Any] | None]:
    path = call["path"].removeprefix("/_sim/calendly")
    for template, methods in _document()["paths"].items():
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path) and call["method"].lower() in methods:
            if template.endswith("/{uuid}") and path.endswith("/me"):
                continue
            return template, methods[call["method"].lower()]
    return "", None


def _faults(schema: Mapping[str, Any], value: Any) -> list[str]:
    absolute = _absolute(schema)
    validator = OAS30Validator(absolute, registry=_registry(), format_checker=OAS30Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message:.200}" for error in validator.iter_errors(value)]


def _absolute(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {
            key: f"{BASE}{value}" if key == "$ref" and str(value).startswith("#") else _absolute(value)
            for key, value in schema.items()
        }
    return [_absolute(item) for item in schema] if isinstance(schema, list) else schema


def _resolved(part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    found: Any = _document()
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    resolved: dict[str, Any] = found
    return resolved


def _request_faults(call: Mapping[str, Any], operation: Mapping[str, Any]) -> list[str]:
    parameters = [_resolved(parameter) for parameter in operation.get("parameters", [])]
    known = {p["name"]: p for p in parameters if p["in"] == "query"}
    given = dict(call["query"])
    found = [f"unknown parameter {name}" for name in given.keys() - known.keys()]
    found += [f"missing {name}" for name, p in known.items() if p.get("required") and name not in given]
    for name in given.keys() & known.keys():
        schema = known[name]["schema"]
        value: Any = given[name]
        if schema.get("type") in ("number", "integer"):
            value = float(value)
        elif schema.get("type") == "boolean":
            value = {"true": True, "false": False}.get(value, value)
        found += _faults(schema, value)
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if call["body"] is not None:
        if content is None or call["type"] != "application/json":
            found.append(f"a body of type {call['type']}")
        else:
            found += _faults(content["schema"], call["body"])
    return found


def _answer_faults(call: Mapping[str, Any], operation: Mapping[str, Any]) -> list[str]:
    status = str(call["status"])
    answer = operation["responses"].get(status)
    if answer is None and status == "429":
        answer = {"$ref": "#/components/responses/LIMITED"}
    if answer is None:
        return [f"status {status} is not described"]
    content = _resolved(answer).get("content", {}).get("application/json")
    if content is None:
        return [] if call["answer"] is None else ["a body where none is described"]
    return _faults(content["schema"], call["answer"])
