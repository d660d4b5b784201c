"""Every function describes its own routes, completely and in OpenAPI 3.1."""

import json
from typing import Any

import pytest
from openapi_spec_validator import validate

from tests.unit.api import shop


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    described: dict[str, Any] = json.loads(shop.app.get_openapi_json_schema(title="Shop", version="1.0.0"))
    return described


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)

    assert document["openapi"].startswith("3.1")
    assert document["info"] == {"title": "Shop", "version": "1.0.0"}
    assert set(document["paths"]) == {route.openapi_path for route in shop.app.routes}


def test_components_have_readable_names_and_each_is_used(document: dict[str, Any]) -> None:
    assert set(document["components"]["schemas"]) == {
        "Day",
        "Interval",
        "Item",
        "ItemData",
        "ItemPage",
        "Money",
        "NewItem",
        "Price",
        "Problem",
    }


def test_a_route_that_needs_a_token_says_so_and_which_permission(document: dict[str, Any]) -> None:
    add, anyone = document["paths"]["/api/items"]["post"], document["paths"]["/api/open"]["get"]

    assert document["security"] == [{"clerk": []}]
    assert document["components"]["securitySchemes"]["clerk"]["scheme"] == "bearer"
    assert ("security" in add, add["x-permission"]) == (False, "item:create")
    assert (anyone["security"], "x-permission" in anyone) == ([], False)


def test_a_post_documents_its_key_body_answer_and_problems(document: dict[str, Any]) -> None:
    add = document["paths"]["/api/items"]["post"]

    assert (add["summary"], add["tags"]) == ("Add an item", ["Items"])
    (key,) = add["parameters"]
    assert (key["name"], key["in"], key["required"]) == ("Idempotency-Key", "header", True)
    assert add["requestBody"]["required"] is True
    assert add["requestBody"]["content"]["application/json"]["example"]["name"] == "Tea"
    answer = add["responses"]["201"]
    assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ItemData"}
    assert answer["content"]["application/json"]["example"]["data"]["name"] == "Tea"
    assert "Location" in answer["headers"]
    assert set(add["responses"]) == {"201", "400", "401", "403", "409", "413", "415", "422", "500", "503"}


def test_every_problem_is_described_once(document: dict[str, Any]) -> None:
    for operations in document["paths"].values():
        for operation in operations.values():
            problems = {status: said for status, said in operation["responses"].items() if status >= "400"}
            assert all(list(said) == ["$ref"] for said in problems.values())
    content = document["components"]["responses"]["Conflict"]["content"]
    assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def test_the_examples_fit_their_models() -> None:
    route = next(route for route in shop.app.routes if route.func is shop.add)
    examples = route.openapi_extensions or {}

    assert shop.NewItem.model_validate(examples["x-body-example"])
    assert shop.Item.model_validate(examples["x-example"]["data"])


def test_query_parameters_keep_their_limits_defaults_and_descriptions(document: dict[str, Any]) -> None:
    parameters = {parameter["name"]: parameter for parameter in document["paths"]["/api/items"]["get"]["parameters"]}

    assert set(parameters) == {"limit", "cursor", "since", "colour-of"}
    assert parameters["limit"]["schema"].items() >= {"minimum": 1, "maximum": 100, "default": 25}.items()
    assert parameters["limit"]["description"] == "How many to answer with."
    assert parameters["since"]["schema"]["anyOf"][0] == {"type": "string", "format": "date-time"}


def test_no_content_has_no_content_and_an_id_in_the_path_may_name_nothing(document: dict[str, Any]) -> None:
    remove = document["paths"]["/api/items/{itemId}"]["delete"]

    assert remove["responses"]["204"] == {"description": "No Content"}
    assert "404" in remove["responses"]
    assert remove["parameters"][0]["schema"]["format"] == "uuid"
