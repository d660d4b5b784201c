"""CloudFormation's YAML tags and intrinsic functions, as far as templates of this kind use them."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

ACCOUNT = "123456789012"
REGION = "us-east-1"
_PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::NoValue": None,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": "coachline-local",
    "AWS::URLSuffix": "amazonaws.com",
}
_ARNS = {
    "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:",
    "AWS::Events::EventBus": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/",
    "AWS::S3::Bucket": "arn:aws:s3:::",
    "AWS::SecretsManager::Secret": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:",
    "AWS::Serverless::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:",
}


class Loader(yaml.CSafeLoader):
    """A safe YAML loader that knows the short tags: !Ref X is read as {"Ref": "X"}."""


def _tag(loader: Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        raise TypeError(f"!{suffix} is neither a text, a list nor a mapping: {node}")
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", _tag)


class Intrinsics:
    """Resolves the values of one document. KeyError when they name what the document does not have."""

    def __init__(self, document: dict[str, Any], endpoint: str, parameters: Mapping[str, str]) -> None:
        self._document = document
        self._parameters = parameters
        self._endpoint = endpoint
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self.ref,
            "Fn::Sub": self._sub,
            "Fn::GetAtt": lambda value: self._attribute(*(value.split(".", 1) if isinstance(value, str) else value)),
            "Fn::If": lambda value: self.resolve(value[1 if self.condition(value[0]) else 2]),
            "Fn::Join": lambda value: str(value[0]).join(map(str, self.resolve(value[1]))),
            "Fn::Split": lambda value: str(self.resolve(value[1])).split(value[0]),
            "Fn::FindInMap": self._find_in_map,
        }

    def resolve(self, value: Any) -> Any:
        """The value with every intrinsic function replaced by its result."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not None]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if function := self._functions.get(name):
                return function(argument)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not None}

    def condition(self, value: Any) -> bool:
        if isinstance(value, str):
            return self.condition(self._document["Conditions"][value])
        ((name, argument),) = value.items()
        match name:
            case "Fn::Equals":
                return bool(self.resolve(argument[0]) == self.resolve(argument[1]))
            case "Fn::Not":
                return not self.condition(argument[0])
            case "Fn::And":
                return all(map(self.condition, argument))
            case "Fn::Or":
                return any(map(self.condition, argument))
            case _:
                return self.condition(argument)

    def ref(self, name: str) -> Any:
        if name in _PSEUDO:
            return _PSEUDO[name]
        if parameter := self._document.get("Parameters", {}).get(name):
            value = self._parameters.get(name, parameter.get("Default", ""))
            return value.split(",") if parameter["Type"] == "CommaDelimitedList" else value
        match self._document["Resources"][name]["Type"]:
            case "AWS::SQS::Queue":
                return f"{self._endpoint}/{ACCOUNT}/{self.name(name)}"
            case "AWS::SecretsManager::Secret":
                return self._attribute(name, "Arn")
            case _:
                return self.name(name)

    def name(self, logical_id: str) -> str:
        """A resource's physical name: the one that it is given, else its logical id."""
        resource = self._document["Resources"][logical_id]
        properties, keys = resource.get("Properties", {}), ("QueueName", "Name", "FunctionName", "BucketName")
        given = next((properties[key] for key in keys if key in properties), None)
        made = logical_id.lower() if resource["Type"] == "AWS::S3::Bucket" else logical_id  # S3 knows no capitals
        return str(self.resolve(given)) if given else made

    def _attribute(self, logical_id: str, attribute: str) -> str:
        kind, name = self._document["Resources"][logical_id]["Type"], self.name(logical_id)
        if attribute in ("QueueName", "Name"):
            return name
        return _ARNS[kind] + name if attribute == "Arn" and kind in _ARNS else f"{logical_id}.{attribute}"

    def _sub(self, value: str | list[Any]) -> str:
        text, own = (value, {}) if isinstance(value, str) else (value[0], self.resolve(value[1]))

        def replaced(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in own:
                return str(own[name])
            return str(self._attribute(*name.split(".", 1)) if "." in name else self.ref(name))

        return re.sub(r"\$\{([^}]+)\}", replaced, text)

    def _find_in_map(self, value: list[Any]) -> Any:
        name, first, second = self.resolve(value)
        return self.resolve(self._document["Mappings"][name][first][second])
