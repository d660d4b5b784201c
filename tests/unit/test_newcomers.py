"""What somebody is told whose machine lacks something: one line with what to do, and no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.template_file import ROOT

SCRIPTS = ROOT / "scripts"


def run(
    *command: str, path: Path | None = None, changes: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command with the programs of a folder in front of the others."""
    search = f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]
    env = {**os.environ, "PATH": search, **(changes or {})}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


def programs(folder: Path, **scripts: str) -> Path:
    """Stand-ins for programs; `_` in a name stands for a dot."""
    for name, script in {"uname": "case $1 in -s) echo Linux;; *) echo x86_64;; esac", **scripts}.items():
        program = folder / name.replace("_", ".")
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    return folder


@pytest.mark.parametrize(("node", "found"), [("echo v18.19.1", "found: v18.19.1"), ("exit 127", "found: none")])
def test_an_old_or_missing_node(tmp_path: Path, node: str, found: str) -> None:
    done = run(str(SCRIPTS / "check-node"), path=programs(tmp_path, node=node))
    assert done.returncode == 1
    assert "Node 20 or later is needed" in done.stderr
    assert found in done.stderr


def test_another_kind_of_machine(tmp_path: Path) -> None:
    uname = "case $1 in -s) echo Darwin;; *) echo arm64;; esac"
    done = run(str(SCRIPTS / "check-node"), path=programs(tmp_path, uname=uname))
    assert done.returncode == 1
    assert "needs Linux on x86_64" in done.stderr
    assert "Darwin arm64" in done.stderr
    assert "make test-unit" in done.stderr


def test_an_old_python(tmp_path: Path) -> None:
    old = 'case "$*" in --version) echo Python 3.10.12;; *) exit 1;; esac'
    path = programs(tmp_path, python3=old, python3_11="exit 1", python3_12="exit 1", python3_13="exit 1")
    done = run(str(SCRIPTS / "find-python"), path=path, changes={"PYTHON": "python3"})
    assert done.returncode == 1
    assert "3.11, 3.12 or 3.13 is needed; python3 is Python 3.10.12" in done.stderr


def test_a_python_without_venv(tmp_path: Path) -> None:
    python = f'case "$*" in *ensurepip*) exit 1;; *) exec {sys.executable} "$@";; esac'
    done = run(str(SCRIPTS / "find-python"), path=programs(tmp_path, python3=python), changes={"PYTHON": "python3"})
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr


def test_too_little_space() -> None:
    done = run(str(SCRIPTS / "check-folder"), str(10**9))
    assert done.returncode == 1
    assert "MB are free in" in done.stderr


@pytest.mark.parametrize("said", ["npm error code ECONNREFUSED", "Retrying after connection broken by 'ProxyError'"])
def test_no_network(said: str) -> None:
    done = run(str(SCRIPTS / "step"), "Packages", "sh", "-c", f'echo "{said}" >&2; exit 7')
    assert done.returncode == 7
    assert said in done.stderr
    assert "no network, or a proxy" in done.stderr


def test_another_failure_is_shown_as_it_is() -> None:
    done = run(str(SCRIPTS / "step"), "Packages", "sh", "-c", "echo broken >&2; exit 3")
    assert (done.returncode, done.stderr) == (3, "broken\n")
    assert "failed" in done.stdout


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"PORT": "eighty"}, "PORT must be a number from 1 to 65535, not 'eighty'"),
        ({"DEVSTACK_DIR": "README.md/stack"}, "README.md/stack cannot be used (Not a directory)"),
    ],
)
def test_a_stack_that_cannot_start(environment: dict[str, str], told: str) -> None:
    done = run(sys.executable, "-m", "devstack", "serve", changes=environment)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr
