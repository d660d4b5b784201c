"""template.yaml against the code: what is deployed is what is written, is watched, and has no right too many."""

import hashlib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.template_file import (
    FILE_FUNCTIONS,
    FILES,
    GROUPS,
    ROOT,
    declared_routes,
    environment,
    folder,
    functions,
    group,
    listed,
    resources,
    routes,
    statements,
    template,
    text,
)

# Everything else needs a token: a line here is a decision.
PUBLIC = {
    ("GET", "/api/health"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/docs"),
    ("GET", "/api/coach"),
    ("GET", "/api/coach/{coachId}"),
    ("GET", "/api/coach/{coachId}/reviews"),
    ("GET", "/api/calendly/callback"),  # by its state
    ("POST", "/webhooks/calendly"),
    ("GET", "/api/plans"),
    ("GET", "/api/notifications/unsubscribe"),
    ("POST", "/api/notifications/unsubscribe"),
    ("POST", "/webhooks/clerk"),
    ("POST", "/webhooks/stripe"),
    ("POST", "/webhooks/zoom"),
}
CANARIES = {  # money and webhooks
    "CalendlyFunction",
    "ClerkFunction",
    "PaymentRefundsFunction",
    "PaymentsFunction",
    "SessionsFunction",
    "StripeFunction",
    "SubscriptionsFunction",
    "ZoomFunction",
}
ASKS_STRIPE = {
    *("CoachPayoutsFunction", "DisputesFunction", "PaymentMethodsFunction", "PaymentRefundsFunction", "PlansFunction"),
    *("SubscriptionChangesFunction", "SubscriptionsFunction"),
    *("PaymentsFunction", "SessionsFunction"),
}
OWN_ROLES = {"SessionStartFunction": "SessionStart"}  # its answer is Zoom's: that secret and no other, ADR 032
FALLBACK = ("ANY", "$default")
KEY_ORDER = [
    *("CodeUri", "Role", "MemorySize", "Timeout", "ReservedConcurrentExecutions"),
    *("AutoPublishAlias", "AutoPublishAliasAllProperties", "SnapStart", "DeploymentPreference"),
    *("LoggingConfig", "Environment", "Events"),
]
INTRINSICS = {"Ref", "Fn::Sub", "Fn::GetAtt", "Fn::Equals", "Fn::Not"}
MANAGED_POLICIES = {"arn:${AWS::Partition}:iam::aws:policy/AWSXRayDaemonWriteAccess"}


def every_function() -> list[Any]:
    return [pytest.param(name, function, id=name) for name, function in functions().items()]


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    else:
        yield str(value)


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys(item)


# ---- One name serves everywhere


def test_every_folder_is_a_function_and_every_function_a_folder() -> None:
    on_disk = {str(app.parent.relative_to(ROOT)) for app in ROOT.glob("functions/*/*/app.py")}
    assert {str(folder(function)) for function in functions().values()} == on_disk


def test_a_function_folder_holds_one_module() -> None:
    for app in ROOT.glob("functions/*/*/app.py"):
        assert list(app.parent.rglob("*.py")) == [app]


@pytest.mark.parametrize(("name", "function"), every_function())
def test_a_function_is_named_after_its_folder(name: str, function: dict[str, Any]) -> None:
    assert name == "".join(word.capitalize() for word in folder(function).name.split("_")) + "Function"
    assert group(function) in GROUPS


def test_folder_names_are_unique_across_groups() -> None:
    names = Counter(folder(function).name for function in functions().values())
    assert [name for name, count in names.items() if count > 1] == []


# ---- Routes


@pytest.mark.parametrize(("name", "function"), every_function())
def test_routes_are_those_of_the_code(name: str, function: dict[str, Any]) -> None:
    app = ROOT / folder(function) / "app.py"
    assert routes(function) - {FALLBACK} == set(declared_routes(app))
    assert len(routes(function)) <= 5
    assert bool(routes(function)) == (group(function) in ("api", "webhooks"))


def test_a_route_belongs_to_one_function() -> None:
    # Without the names of parameters: /a/{x} and /a/{y} are one route.
    shapes = Counter((m, re.sub(r"{\w+}", "{}", path)) for f in functions().values() for m, path in routes(f))
    assert [route for route, count in shapes.items() if count > 1] == []
    assert shapes[FALLBACK] == 1


def test_only_listed_routes_are_public() -> None:
    found = [declared_routes(ROOT / folder(function) / "app.py") for function in functions().values()]
    assert {route for declared in found for route, public in declared.items() if public} == PUBLIC


# ---- Alarms


def test_alarms_reach_somebody() -> None:
    for name, alarm in resources("AWS::CloudWatch::Alarm").items():
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}], name
        assert alarm["TreatMissingData"] == "notBreaching", name


def test_an_alarm_counts_at_most_ten_metrics() -> None:
    """CloudWatch refuses more: alarms based on metric math, a hard limit."""
    for name, alarm in resources("AWS::CloudWatch::Alarm").items():
        assert len([each for each in alarm.get("Metrics", []) if "MetricStat" in each]) <= 10, name


def test_alarms_on_our_own_metrics_name_the_dimension_that_powertools_adds() -> None:
    service = template()["Globals"]["Function"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
    ours = {n: a for n, a in resources("AWS::CloudWatch::Alarm").items() if a.get("Namespace") == "Coachline"}
    assert {"JobRowsFailedAlarm", "CalendlyRefreshAlarm"} <= ours.keys()
    for name, alarm in ours.items():
        assert {"Name": "service", "Value": service} in alarm["Dimensions"], name


def test_every_job_is_watched() -> None:
    alarms = resources("AWS::CloudWatch::Alarm")
    watched = json.dumps([alarms["JobErrorsAlarm"], alarms["ProviderJobErrorsAlarm"]])
    jobs = [name for name, function in functions().items() if group(function) == "jobs"]
    assert [name for name in jobs if f'{{"Ref": "{name}"}}' not in watched] == []


# ---- Rights and configuration


def test_no_right_is_a_wildcard_but_for_the_objects_of_a_bucket_s_folder() -> None:
    for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
        for name, properties in resources(kind).items():
            assert {value for value in strings(properties) if "*" in value} <= FILES, name
            assert not {"NotAction", "NotResource"} & set(keys(properties)), name
    for role in resources("AWS::IAM::Role"):
        for statement in statements(role):
            if FILES & set(strings(statement["Resource"])):
                assert set(listed(statement["Action"])) <= {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"}


@pytest.mark.parametrize(("name", "function"), every_function())
def test_a_function_has_the_role_of_its_group(name: str, function: dict[str, Any]) -> None:
    role = "ApiFiles" if name in FILE_FUNCTIONS else OWN_ROLES.get(name) or group(function).capitalize()
    role = "ApiStripe" if name in ASKS_STRIPE else role
    assert function["Role"] == {"Fn::GetAtt": f"{role}Role.Arn"}
    assert group(function) == "api" or name not in FILE_FUNCTIONS | ASKS_STRIPE
    assert "Policies" not in function


def test_functions_that_act_as_the_caller_reach_no_secret() -> None:
    logs = {"logs:CreateLogStream", "logs:PutLogEvents"}
    rights = {
        "ApiRole": {"ApiLogGroup.Arn": logs},
        "SessionStartRole": {"ApiLogGroup.Arn": logs},
        "ApiStripeRole": {"ApiLogGroup.Arn": logs},
        "ApiFilesRole": {
            "ApiLogGroup.Arn": logs,
            "MemberImportsQueue.Arn": {"sqs:SendMessage"},
            **{key: {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"} for key in FILES},
        },
    }
    for role, expected in rights.items():
        found = {
            resource: set(listed(statement["Action"]))
            for statement in statements(role)
            for resource in strings(statement["Resource"])
        }
        assert found == expected, role
        managed = resources("AWS::IAM::Role")[role]["ManagedPolicyArns"]
        assert {policy["Fn::Sub"] for policy in managed if "Ref" not in policy} <= MANAGED_POLICIES
        secrets = {policy["Ref"] for policy in managed if "Ref" in policy}
        own = {"SessionStartRole": {"ZoomSecretPolicy"}, "ApiStripeRole": {"StripeSecretPolicy"}}
        assert secrets == own.get(role, set()), role
    for name, function in functions().items():
        assert ("SECRETS_ID" in environment(function)) == (group(function) != "api"), name
        assert ("MEMBER_FILES_BUCKET" in environment(function)) == (name in FILE_FUNCTIONS | {"MemberImportsFunction"})


def test_a_provider_s_secret_is_read_by_those_who_talk_to_it() -> None:
    holders = {name for name, function in functions().items() if "ZOOM_SECRETS_ID" in environment(function)}
    assert holders == {"SessionStartFunction", "MeetingEventsFunction", "ReconcileMeetingsFunction"}
    assert not resources("AWS::IAM::Role")["WebhooksRole"]["ManagedPolicyArns"][2:]


def test_the_template_holds_no_secret() -> None:
    assert not resources("AWS::SecretsManager::Secret")
    assert re.findall(r"(?:sb_secret_|whsec_|sk_(?:live|test)_)\w+", text()) == []


def test_every_variable_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    names = {name for function in functions().values() for name in environment(function)}
    assert sorted(name for name in names if f"`{name}`" not in readme) == []


# ---- Releases


def test_canaries_are_for_money_and_webhooks() -> None:
    alarms = [alarm.get("AlarmName") for alarm in resources("AWS::CloudWatch::Alarm").values()]
    assert {name for name, function in functions().items() if "DeploymentPreference" in function} == CANARIES
    for name in CANARIES:
        function = functions()[name]
        assert function["AutoPublishAlias"] == "live", name
        assert function["AutoPublishAliasAllProperties"] is True, name
        assert all(alarm in alarms for alarm in function["DeploymentPreference"]["Alarms"]), name
    assert resources("AWS::Serverless::LayerVersion")["SharedLayer"]["PublishLambdaVersion"] is True


def stages() -> list[str]:
    return list(template()["Parameters"]["Stage"]["AllowedValues"])


def overrides(stage: str) -> list[str]:
    """The parameters of a stage, as NAME=VALUE."""
    samconfig = tomllib.loads((ROOT / "samconfig.toml").read_text())
    return list(samconfig[stage]["deploy"]["parameters"]["parameter_overrides"])


def test_a_changed_parameter_reaches_functions_behind_an_alias() -> None:
    """SAM publishes a version when the template changes, not when a parameter's value does (its issue 3820)."""
    defaults = {name: parameter.get("Default") for name, parameter in template()["Parameters"].items()}
    values = json.dumps([defaults, *map(overrides, stages())])
    digest = hashlib.sha256(values.encode()).hexdigest()[:10]
    assert template()["Globals"]["Function"]["Description"] == f"configuration {digest}"


@pytest.mark.parametrize("stage", stages())
def test_a_stage_gives_every_parameter_that_has_no_default(stage: str) -> None:
    given = dict(override.split("=", 1) for override in overrides(stage))
    parameters = template()["Parameters"]
    assert given["Stage"] == stage
    assert {name for name, parameter in parameters.items() if "Default" not in parameter} <= given.keys()
    assert given.keys() <= parameters.keys()


# ---- Style


@pytest.mark.parametrize(("name", "function"), every_function())
def test_a_function_is_short_and_its_keys_are_in_order(name: str, function: dict[str, Any]) -> None:
    block = re.search(rf"^  {name}:.*\n(?:(?:    .*)\n)+", text(), re.MULTILINE)
    assert block
    assert len(block[0].splitlines()) <= 15
    assert list(function) == sorted(function, key=KEY_ORDER.index)
    assert list(template()["Resources"][name]) == ["Type", "Properties"]


def test_intrinsics_are_those_that_the_local_stack_resolves() -> None:
    used = {key for key in keys(template()) if key.startswith("Fn::") or key == "Ref"}
    assert used <= INTRINSICS
