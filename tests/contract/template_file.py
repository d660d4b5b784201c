"""What the template tests read: template.yaml as it stands, and the routes that the functions' code declares."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
GROUPS = ("api", "webhooks", "consumers", "jobs")
# Functions that act as the caller and move files: all that they may do besides, and nobody else may.
FILE_FUNCTIONS = {"MemberExportFunction", "MemberImportFunction"}
FILES = {"${MemberFilesBucket.Arn}/exports/*", "${MemberFilesBucket.Arn}/imports/*"}
METHODS = ("get", "post", "put", "patch", "delete", "head", "options")


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short tags: !Ref X becomes {"Ref": "X"}, !Sub X becomes {"Fn::Sub": "X"}."""


def _intrinsic(loader: Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    key = name if name == "Ref" else f"Fn::{name}"
    if isinstance(node, yaml.SequenceNode):
        return {key: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.ScalarNode), f"!{name} of a mapping"
    return {key: loader.construct_scalar(node)}


def _mapping(loader: Loader, node: yaml.MappingNode) -> dict[str, Any]:
    """A key that is there twice is a fault that YAML's readers let pass: the last one wins."""
    made: dict[str, Any] = {}
    for key, value in node.value:
        name = loader.construct_object(key, deep=True)
        assert name not in made, f"{name} is there twice in one mapping, {key.start_mark}"
        made[name] = loader.construct_object(value, deep=True)
    return made


Loader.add_multi_constructor("!", _intrinsic)
Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


@cache
def text() -> str:
    return (ROOT / "template.yaml").read_text()


@cache
def template() -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(text(), Loader)  # noqa: S506 - a SafeLoader
    return document


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """Properties by logical id, of one type."""
    found = template()["Resources"].items()
    return {name: resource.get("Properties", {}) for name, resource in found if resource["Type"] == kind}


def functions() -> dict[str, dict[str, Any]]:
    return resources("AWS::Serverless::Function")


def folder(function: dict[str, Any]) -> Path:
    return Path(function["CodeUri"])


def group(function: dict[str, Any]) -> str:
    return folder(function).parts[1]


def statements(role: str) -> list[dict[str, Any]]:
    """What a role may do."""
    found = resources("AWS::IAM::Role")[role]
    return [statement for policy in found["Policies"] for statement in policy["PolicyDocument"]["Statement"]]


def listed(value: Any) -> list[Any]:
    """IAM takes one for a list of one."""
    return value if isinstance(value, list) else [value]


def events(function: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [event["Properties"] for event in function["Events"].values() if event["Type"] == kind]


def routes(function: dict[str, Any]) -> set[tuple[str, str]]:
    """(method, path) as the template declares them."""
    return {(event["Method"], event["Path"]) for event in events(function, "HttpApi")}


def declared_routes(app: Path) -> dict[tuple[str, str], bool]:
    """(method, path) as app.py declares them by its decorators, and whether they are open to everyone.

    Open are the routes without `requires` of an app whose entrypoint says `public=True`.
    """
    tree = ast.parse(app.read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    public = any(_called(call) == "entrypoint" and _is_true(call, "public") for call in calls)
    found = {}
    for decorator in _decorators(tree):
        assert decorator.args, f"{app}: a route without a path"
        assert isinstance(decorator.args[0], ast.Constant), f"{app}: a route whose path is not written out"
        guarded = any(_called(call) == "requires" for call in ast.walk(decorator) if isinstance(call, ast.Call))
        found[_called(decorator).upper(), _path(str(decorator.args[0].value))] = public and not guarded
    return found


def _decorators(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and _called(decorator) in METHODS:
                    yield decorator


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def _is_true(call: ast.Call, keyword: str) -> bool:
    return any(k.arg == keyword and isinstance(k.value, ast.Constant) and k.value.value is True for k in call.keywords)


def _path(path: str) -> str:
    """Powertools' <schedule_id> is API Gateway's {scheduleId}."""
    camel = re.sub(r"_(\w)", lambda match: match[1].upper(), path) if "<" in path else path
    return camel.replace("<", "{").replace(">", "}")


def environment(function: dict[str, Any]) -> dict[str, Any]:
    own = function.get("Environment", {}).get("Variables", {})
    return {**template()["Globals"]["Function"]["Environment"]["Variables"], **own}
