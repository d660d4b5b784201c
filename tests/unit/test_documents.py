"""What the documents for people name is there: files, names in them, links, make's targets, tests."""

import re
import runpy
from functools import cache
from pathlib import Path

import pytest

from scripts.made import stale
from tests.contract.template_file import GROUPS, ROOT

DOCUMENTS = ["README.md", "CONTRIBUTING.md", "docs/request.md", "docs/troubleshooting.md", "docs/roles.md"]
ROOTS = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}


@cache
def words(document: str) -> list[str]:
    """Everything that stands between backticks, one by one."""
    prose = re.sub(r"```.*?```", "", (ROOT / document).read_text(), flags=re.DOTALL)
    return re.findall(r"`([^`\n]+)`", prose)


def named_paths(document: str) -> list[tuple[str, str]]:
    """(path, name in it) of what is written as `path` or `path::name`; patterns such as <name> are left out."""
    found = []
    for word in words(document):
        path, _, name = word.partition("::")
        if path.split("/")[0] in ROOTS and re.fullmatch(r"[\w./-]+", path) and ("/" in path or "." in path):
            found.append((path, name))
    return found


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_files_that_it_names_are_there(document: str) -> None:
    assert len(named_paths(document)) >= 3
    assert {path for path, _ in named_paths(document) if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_it_names_in_a_file_is_in_that_file(document: str) -> None:
    missing = []
    for path, name in named_paths(document):
        parts = name.split(".") if path.endswith(".py") else [name]
        missing += (
            [f"{path}::{part}" for part in parts if not re.search(rf"\b{part}\b", (ROOT / path).read_text())]
            if name
            else []
        )
    assert missing == []


def test_the_readme_lists_what_there_is() -> None:
    """Contexts, groups of functions, kinds of tests, and documents: whoever adds one adds it there."""
    contexts = {path.parent.name for path in (ROOT / "layers/shared/coachline").glob("*/__init__.py")}
    assert contexts - set(words("README.md")) == set()
    assert {f"functions/{group}" for group in GROUPS} <= {word.rpartition("/")[0] for word in words("README.md")}
    text = (ROOT / "README.md").read_text()
    [kinds] = re.findall(r"^\| `tests` \| (.*) \|$", text, re.MULTILINE)
    tests = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and list(path.rglob("*.py"))}
    assert {kind for kind in tests if not re.search(rf"\b{kind}\b", kinds)} == set()
    unlinked = {path.name for path in (ROOT / "docs").glob("*.md") if f"(docs/{path.name})" not in text}
    assert unlinked == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_targets_of_make_that_it_names_are_there(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = (ROOT / document).read_text()
    named = re.findall(r"(?:`|^)(?:[A-Z_]+=\S+ )*make ((?:[a-z-]+ ?)+)(?:`|\s+#)", text, re.MULTILINE)
    assert named or document == "docs/request.md"
    assert {target for line in named for target in line.split()} - targets == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_tests_that_it_names_are_there(document: str) -> None:
    known = "\n".join(path.read_text() for path in Path(ROOT / "tests").rglob("test_*.py"))
    assert [word for word in words(document) if re.fullmatch(r"test_\w+", word) and f"def {word}(" not in known] == []


@pytest.mark.parametrize("script", sorted(path.name for path in ROOT.glob("scripts/*_docs.py")))
def test_what_a_script_makes_of_the_code_is_what_stands_there(script: str) -> None:
    made = runpy.run_path(str(ROOT / "scripts" / script))["files"]()
    assert made
    assert stale(made) == [], f"Run scripts/{script} and commit it."


def test_make_help_lists_every_target_that_has_a_line() -> None:
    """A target whose name or help the pattern of `help` does not fit would be missing from the list without a word."""
    makefile = (ROOT / "Makefile").read_text()
    described = re.findall(r"^(\S+):.*  ## (.+)$", makefile, re.MULTILINE)
    assert [name for name, _ in described if not re.fullmatch(r"[a-z-]+", name)] == []
    assert len(described) >= 10
