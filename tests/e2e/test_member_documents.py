"""The examples of docs/member-data.md and docs/member-files.md work as they are written, in the shell and in Python."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack import ROOT, Stack

DATA, FILES = ((ROOT / "docs" / name).read_text() for name in ("member-data.md", "member-files.md"))
ROUTES = [
    path
    for path in json.loads((ROOT / "docs/openapi.json").read_text())["paths"]
    if path.startswith("/api/members") or path == "/api/user/member"
]


def blocks(language: str, *pages: str) -> str:
    found = [block for page in pages for block in re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)]
    assert found
    return "\n".join(found)


def run(program: list[str], folder: Path) -> str:
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("language", ["sh", "python"])
def test_every_route_has_an_example(language: str) -> None:
    text = blocks(language, DATA, FILES)
    for route in ROUTES:
        pattern = re.sub(r"\\{\w+\\}", r"(\\$\\w+|{[^}]+})", re.escape(route))
        assert re.search(rf"{pattern}[\"?' ]", text), f"{route} in {language}"


def test_the_shell_examples_can_be_pasted(stack: Stack, tmp_path: Path) -> None:
    script = blocks("sh", DATA, FILES).replace("http://127.0.0.1:3000", stack.base_url)
    said = run(["bash", "-euo", "pipefail", "-c", script], tmp_path)
    for words in (
        '["Licence number","text",50]',
        '["#/licenseNumber","licenseNumber.required"]',
        '"licenseNumber.matches.ca"',
        '"Graduate, REALTOR Institute / GRI"',
        '"212-555-0142"',
        '["companyName","Harbor Street Realty, LLC","Harbour St.","As he wrote"]',
        "version_conflict",
        "member_key_taken",
        '"status": "COMPLETED"',
        '"row.unknown"',
    ):
        assert words in said, (words, said)


def test_the_python_examples_can_be_pasted(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "members.csv").write_text("MemberKey,OfficeName\r\nNYC-88802,Harbor Street Realty\r\n")
    script = blocks("python", DATA, FILES).replace("http://127.0.0.1:3000", stack.base_url)
    assert "members" in run([sys.executable, "-c", script], tmp_path)
