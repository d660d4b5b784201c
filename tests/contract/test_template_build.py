"""What template.yaml becomes: CloudFormation's view of it, and what `make build` leaves in .aws-sam/build."""

import json
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.contract.template_file import ROOT, folder, functions

SAM_PYTHON = ROOT / ".venv-sam" / "bin" / "python"
BUILT = ROOT / ".aws-sam" / "build"
MOST_RESOURCES = 400  # CloudFormation refuses more than 500
MOST_LAYER_BYTES = 100_000_000
ORIGINS = {"WebOrigin": "https://a.example", "ConsoleOrigin": "https://b.example"}
UNCHECKED_HASH = 0b01  # PEP 552: the flags after a .pyc's magic number

sam = pytest.mark.skipif(not SAM_PYTHON.exists(), reason="the SAM CLI is not installed: make test-template does it")
built = pytest.mark.skipif(not BUILT.exists(), reason="nothing is built: make build does it")


@cache
def transformed() -> dict[str, Any]:
    command = [str(SAM_PYTHON), str(ROOT / "scripts" / "transform.py"), "Stage=prod"]
    command += [f"{name}={origin}" for name, origin in ORIGINS.items()]
    document: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return document


@sam
def test_the_template_stays_below_the_limit_of_resources(
    record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = Counter(resource["Type"] for resource in transformed()["Resources"].values())
    with capsys.disabled():
        print(f"\n{kinds.total()} resources of {MOST_RESOURCES}: {dict(kinds.most_common(4))}")
    assert kinds.total() <= MOST_RESOURCES


@sam
def test_every_function_keeps_its_role_and_its_log_group() -> None:
    for resource in transformed()["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            properties = resource["Properties"]
            assert properties["Role"]["Fn::GetAtt"][0].endswith("Role")
            assert properties["LoggingConfig"].keys() == {"LogFormat", "ApplicationLogLevel", "LogGroup"}
            assert properties["Runtime"] == "python3.13"


@sam
def test_origins_are_a_list() -> None:
    """SAM makes a text of a parameter that holds a list, and the whole CORS configuration of an Fn::Split."""
    cors = transformed()["Resources"]["Api"]["Properties"]["Body"]["x-amazon-apigateway-cors"]
    assert cors["allowOrigins"] == list(ORIGINS.values())
    assert cors.keys() == {"allowOrigins", "allowMethods", "allowHeaders", "exposeHeaders", "maxAge"}


@built
def test_every_function_is_built_with_its_code_alone() -> None:
    for name, function in functions().items():
        code = ROOT / folder(function)
        sources = {path.name for path in code.iterdir() if path.name != "__pycache__"}
        assert {path.name for path in (BUILT / name).iterdir()} == sources, name


@built
def test_the_layer_is_small_and_compiled() -> None:
    files = [path for path in (BUILT / "SharedLayer").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MOST_LAYER_BYTES
    modules = {path for path in files if path.suffix == ".py"}
    bytecode = [path for path in files if path.suffix == ".pyc"]
    assert {source_of(path) for path in bytecode} == modules
    assert [path for path in bytecode if ".cpython-313." not in path.name] == []
    assert {flags(path) for path in bytecode} == {UNCHECKED_HASH}


@built
def test_the_layer_is_for_the_deployed_machine_and_leaves_out_what_lambda_has() -> None:
    site = BUILT / "SharedLayer" / "python"
    assert {machine(path) for path in site.rglob("*.so")} == {"aarch64"}
    assert not {"boto3", "botocore", "tests", "devstack"} & {path.name for path in site.iterdir()}
    assert (site / "coachline" / "api.py").exists()


def source_of(bytecode: Path) -> Path:
    return bytecode.parent.parent / f"{bytecode.name.split('.')[0]}.py"


def flags(bytecode: Path) -> int:
    return int.from_bytes(bytecode.read_bytes()[4:8], "little")


def machine(library: Path) -> str:
    """e_machine of an ELF header."""
    return {183: "aarch64", 62: "x86_64"}.get(int.from_bytes(library.read_bytes()[18:20], "little"), "unknown")
