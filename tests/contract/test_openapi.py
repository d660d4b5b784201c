"""docs/openapi.json: every body and answer has an example, and every example is one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

DOCUMENT = json.loads((Path(__file__).parents[2] / "docs/openapi.json").read_text())
SCHEMAS = DOCUMENT["components"]["schemas"]
BASE = "urn:coachline"
REGISTRY: Registry[Any] = Registry().with_resource(BASE, DRAFT202012.create_resource(DOCUMENT))


def operations() -> Iterator[Any]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield pytest.param(operation, id=f"{method.upper()} {path}")


def validator(schema: dict[str, Any]) -> OAS31Validator:
    return OAS31Validator(schema, registry=REGISTRY, format_checker=OAS31Validator.FORMAT_CHECKER)


def examples(schema: dict[str, Any]) -> list[Any]:
    """Of a schema, or of what its answer wraps: a resource in `data`, or a page of them."""
    if "$ref" in schema:
        schema = SCHEMAS[schema["$ref"].rsplit("/", 1)[1]]
    if "examples" not in schema and "data" in schema.get("properties", {}):
        inner = schema["properties"]["data"]
        return examples(inner.get("items", inner))
    found: list[Any] = schema.get("examples", [])
    return found


@pytest.mark.parametrize("name", sorted(name for name, schema in SCHEMAS.items() if "examples" in schema))
def test_an_example_is_what_it_shows(name: str) -> None:
    for example in SCHEMAS[name]["examples"]:
        reference = {"$ref": f"{BASE}#/components/schemas/{name}"}
        assert [error.message for error in validator(reference).iter_errors(example)] == []


@pytest.mark.parametrize("operation", list(operations()))
def test_an_operation_shows_what_goes_in_and_what_comes_out(operation: dict[str, Any]) -> None:
    content = [operation["requestBody"]["content"]] if "requestBody" in operation else []
    content += [
        answer["content"] for status, answer in operation["responses"].items() if "content" in answer and status < "3"
    ]
    for each in content:
        schema = each.get("application/json", {}).get("schema")
        assert not (schema and "$ref" in schema) or examples(schema), schema
