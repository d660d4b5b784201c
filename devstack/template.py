"""Reads template.yaml into what the local stack runs: functions, routes, queues, schedules, all values resolved."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from devstack.config import StackError
from devstack.intrinsics import Intrinsics, Loader

RESERVED = "ReservedConcurrentExecutions"
QUEUE_ATTRIBUTES = ("VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds", "RedrivePolicy")


@dataclass(frozen=True)
class Function:
    name: str  # of its folder
    code_dir: Path
    handler: str
    timeout: int  # seconds
    memory: int  # MB
    reserved: int | None
    environment: dict[str, str]
    awaited: bool  # somebody waits for what it answers: it has a route


@dataclass(frozen=True)
class Route:
    method: str  # or ANY
    path: str  # or $default
    function: str


@dataclass(frozen=True)
class Queue:
    name: str
    attributes: dict[str, str]


@dataclass(frozen=True)
class EventSource:
    """A queue whose messages a function receives."""

    queue: str
    function: str
    batch_size: int
    partial: bool
    concurrency: int | None


@dataclass(frozen=True)
class Rule:
    bus: str
    name: str
    pattern: dict[str, Any]
    targets: list[dict[str, Any]]


@dataclass(frozen=True)
class Schedule:
    function: str
    name: str
    expression: str
    timezone: str
    input: str | None


@dataclass
class Template:
    functions: dict[str, Function] = field(default_factory=dict)
    routes: list[Route] = field(default_factory=list)
    queues: list[Queue] = field(default_factory=list)
    sources: list[EventSource] = field(default_factory=list)
    buckets: list[str] = field(default_factory=list)
    buses: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    schedules: list[Schedule] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    cors: dict[str, Any] = field(default_factory=dict)
    throttling: dict[str, dict[str, Any]] = field(default_factory=dict)  # by route key; "" is every other route's

    @property
    def dead_letters(self) -> dict[str, str]:
        """Queue → the queue that takes its failed messages."""
        policies = {queue.name: json.loads(queue.attributes.get("RedrivePolicy", "{}")) for queue in self.queues}
        return {name: policy["deadLetterTargetArn"].rsplit(":", 1)[-1] for name, policy in policies.items() if policy}


def load(
    path: Path,
    *,
    endpoint: str = "",
    parameters: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Template:
    """Read a SAM template; StackError, naming the place, when that fails.

    `variables` are the local values of environment variables: a function gets those that it declares, whatever the
    template says of them. `endpoint` is where the local AWS answers: queue URLs begin with it.
    """
    try:
        document = yaml.load(path.read_text(), Loader)  # noqa: S506 - a SafeLoader
    except (OSError, yaml.YAMLError) as error:
        raise StackError(f"cannot read {path}: {error}") from None
    return _Reader(document, path.parent, Intrinsics(document, endpoint, parameters or {}), variables or {}).read()


class _Reader:
    def __init__(
        self, document: dict[str, Any], root: Path, intrinsics: Intrinsics, variables: Mapping[str, str]
    ) -> None:
        self._document = document
        self._globals: dict[str, Any] = document.get("Globals", {})
        self._root = root
        self._variables = variables
        self._intrinsics = intrinsics
        self._resolve = intrinsics.resolve
        self._template = Template()

    def read(self) -> Template:
        kinds: dict[str, Callable[[str, dict[str, Any]], None]] = {
            "AWS::Serverless::Function": self._function,
            "AWS::Serverless::HttpApi": self._api,
            "AWS::SQS::Queue": self._queue,
            "AWS::S3::Bucket": lambda _, bucket: self._template.buckets.append(bucket["Name"]),
            "AWS::Events::EventBus": lambda _, bus: self._template.buses.append(bus["Name"]),
            "AWS::Events::Rule": self._rule,
            "AWS::SecretsManager::Secret": lambda _, secret: self._template.secrets.append(secret["Name"]),
        }
        for logical_id, resource in self._document["Resources"].items():
            read = kinds.get(resource["Type"])
            try:
                if read and ("Condition" not in resource or self._intrinsics.condition(resource["Condition"])):
                    read(logical_id, {**resource.get("Properties", {}), "Name": self._intrinsics.name(logical_id)})
            except (KeyError, TypeError, ValueError) as error:
                raise StackError(f"template.yaml, {logical_id}: {error!r}") from error
        return self._template

    def _function(self, logical_id: str, properties: dict[str, Any]) -> None:
        defaults = self._globals.get("Function", {})
        merged = {**defaults, **properties}
        declared = {
            name: value
            for level in (defaults, properties)
            for name, value in level.get("Environment", {}).get("Variables", {}).items()
        }
        code_dir = self._root / merged["CodeUri"]
        function = Function(
            name=code_dir.name,
            code_dir=code_dir,
            handler=merged["Handler"],
            timeout=int(self._resolve(merged.get("Timeout", 3))),
            memory=int(self._resolve(merged.get("MemorySize", 128))),
            reserved=int(reserved) if (reserved := self._resolve(merged.get(RESERVED))) is not None else None,
            environment={name: self._variable(name, value) for name, value in declared.items()},
            awaited=any(event["Type"] == "HttpApi" for event in properties.get("Events", {}).values()),
        )
        self._template.functions[function.name] = function
        for name, event in properties.get("Events", {}).items():
            self._event(function.name, f"{logical_id}{name}", event["Type"], event.get("Properties", {}))

    def _variable(self, name: str, value: Any) -> str:
        if name in self._variables:
            return self._variables[name]
        resolved = str(self._resolve(value))
        if "{{resolve:" in resolved:
            raise ValueError(f"the local stack has no value for the variable {name}")
        return resolved

    def _event(self, function: str, name: str, kind: str, raw: dict[str, Any]) -> None:
        event = self._resolve(raw)
        if kind == "HttpApi":
            method = event.get("Method", "ANY").upper().replace("*", "ANY")
            self._template.routes.append(Route(method, event.get("Path", "$default"), function))
        elif not event.get("Enabled", True) or event.get("State") == "DISABLED":
            return
        elif kind == "SQS":
            queue, size = event["Queue"].rsplit(":", 1)[-1], min(int(event.get("BatchSize", 10)), 10)
            partial = "ReportBatchItemFailures" in event.get("FunctionResponseTypes", [])
            concurrency = event.get("ScalingConfig", {}).get("MaximumConcurrency")
            self._template.sources.append(EventSource(queue, function, size, partial, concurrency))
        elif kind in ("Schedule", "ScheduleV2"):
            expression = event.get("Schedule") or event["ScheduleExpression"]
            zone = event.get("ScheduleExpressionTimezone", "UTC")
            self._template.schedules.append(Schedule(function, name, expression, zone, event.get("Input")))
        else:
            raise ValueError(f"the local stack has no event source of type {kind}")

    def _api(self, _: str, properties: dict[str, Any]) -> None:
        api = self._resolve({**self._globals.get("HttpApi", {}), **properties})
        cors = api.get("CorsConfiguration") or {}
        self._template.cors = {"AllowOrigins": ["*"]} if cors is True else cors
        self._template.throttling = {"": api.get("DefaultRouteSettings", {}), **api.get("RouteSettings", {})}

    def _queue(self, _: str, properties: dict[str, Any]) -> None:
        given = {key: self._resolve(properties[key]) for key in QUEUE_ATTRIBUTES if key in properties}
        attributes = {key: json.dumps(value) if isinstance(value, dict) else str(value) for key, value in given.items()}
        self._template.queues.append(Queue(properties["Name"], attributes))

    def _rule(self, _: str, properties: dict[str, Any]) -> None:
        rule = self._resolve(properties)
        if rule.get("State") != "DISABLED" and "EventPattern" in rule:
            bus = rule.get("EventBusName", "default").rsplit("/", 1)[-1]
            self._template.rules.append(Rule(bus, rule["Name"], rule["EventPattern"], rule.get("Targets", [])))
