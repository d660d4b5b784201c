"""The shape of the code, read from its syntax: who imports whom, how long things are, and one name everywhere.

What breaks a rule for a reason is listed here beside the reason. A line that is no longer needed fails, too.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.contract.template_file import GROUPS, ROOT, declared_routes, folder, functions, group

LAYER = ROOT / "layers" / "shared" / "coachline"
MOST_LINES, MOST_FUNCTION_LINES = 300, 120

# From the ground up: a module imports from lower floors only, and a context from any floor below the contexts.
FLOORS = (
    {"clock", "docs_page", "logs", "money", "problems", "settings"},
    {"auth", "batches", "events", "files", "models", "secrets", "webhooks"},
    {"incoming", "pagination", "patches", "providers", "sealing", "validation"},
    {"openapi"},
    {"api"},
    {"database"},
    {"service"},
)
CONTEXTS = {"growth", "identity", "integrations", "members", "notifications", "operations", "payments", "scheduling"}
UPWARD = {
    ("openapi", "api"): "describes the marks of routes; api loads it on demand, when a document is made",
}
BETWEEN_CONTEXTS: dict[tuple[str, str], str] = {}

POWERS = {  # past row-level security, so only where no caller's token is
    "as_service": {"consumers", "jobs"},
    "as_webhook": {"webhooks"},
}
THIRD_PARTY = {
    "aws_lambda_powertools",
    "pydantic",
}  # what a function may import besides coachline and the standard library
SDKS = {("jobs", "outbox_relay", "boto3"): "makes the client of the bus, so that the context can be tested without one"}
AT_IMPORT = {
    "environ",
    "environb",
    "getenv",
    "api_settings",
    "service_settings",
    "as_service",
    "as_webhook",
    "as_caller",
}
SQL = re.compile(
    r"\b(select\s[\s\S]+?\sfrom|insert\s+into|update\s+[\w.]+\s+set|delete\s+from|call\s+\w+\.\w+\()\s", re.I
)

LONG: dict[str, str] = {
    "tests/integration/devstack/test_data_rest.py": "one table of PostgREST's answers, read side by side",
    "tests/integration/devstack/test_runtime_stack.py": "one stack, started once for all of them",
}
SKIPPED = {".venv", ".venv-sam", ".aws-sam", "node_modules", ".devstack"}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def modules_of(*folders: str) -> list[Path]:
    found = (path for each in folders for path in sorted((ROOT / each).rglob("*.py")))
    return [path for path in found if not SKIPPED & set(path.relative_to(ROOT).parts)]


def apps() -> list[Path]:
    return sorted(ROOT.glob("functions/*/*/app.py"))


def statements(tree: ast.AST, *, at_import: bool = False) -> Iterator[ast.AST]:
    """Every node that ever runs, so not `if TYPE_CHECKING`; `at_import`: only those that run while it is imported."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        if at_import and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            defaults = [each for each in (*node.args.defaults, *node.args.kw_defaults) if each]
            for part in (*getattr(node, "decorator_list", []), *defaults):  # the rest runs when it is called
                yield part
                yield from statements(part, at_import=True)
            continue
        yield node
        yield from statements(node, at_import=at_import)


def imports(path: Path) -> set[str]:
    """Dotted names of what a module imports; `from a import b` gives a and a.b, because b may be a module."""
    found = set()
    for node in statements(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: a relative import"
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def parts(path: Path) -> set[str]:
    """The layer's modules and contexts that a module imports, by their first name: coachline.api.x is api."""
    names = {name.split(".")[1] for name in imports(path) if name.startswith("coachline.")}
    return {name for name in names if (LAYER / name).is_dir() or (LAYER / f"{name}.py").exists()}


def part_of(path: Path) -> str:
    return path.relative_to(LAYER).parts[0].removesuffix(".py")


def floor(part: str) -> int:
    return next((height for height, names in enumerate(FLOORS) if part in names), len(FLOORS))


def identifiers(nodes: Iterator[ast.AST]) -> set[str]:
    found = set()
    for node in nodes:
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                found.add(name)
    return found


def layer_modules() -> list[Path]:
    return [path for path in modules_of("layers/shared/coachline") if path != LAYER / "__init__.py"]


# ---- Imports point down


def test_every_module_of_the_layer_has_its_floor() -> None:
    known = set().union(*FLOORS) | CONTEXTS
    assert {part_of(path) for path in layer_modules()} == known
    assert {path.name for path in LAYER.iterdir() if path.is_dir() and list(path.glob("*.py"))} == CONTEXTS


def test_the_layer_imports_downwards() -> None:
    edges = {(part_of(path), part) for path in layer_modules() for part in parts(path)}
    upward = {(part, used) for part, used in edges if part not in CONTEXTS and floor(used) >= floor(part)}
    assert {edge for edge in upward if edge[0] != edge[1]} == UPWARD.keys()


def test_contexts_do_not_import_each_other() -> None:
    edges = {(part_of(path), part) for path in layer_modules() for part in parts(path)}
    assert {(a, b) for a, b in edges if {a, b} <= CONTEXTS and a != b} == BETWEEN_CONTEXTS.keys()


@pytest.mark.parametrize("path", layer_modules(), ids=name_of)
def test_the_layer_knows_nothing_of_what_stands_above_it(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)}
    assert not roots & {"functions", "app", "devstack", "tests", "scripts"}


# ---- Powers


@pytest.mark.parametrize("power", POWERS)
def test_a_client_past_row_level_security_is_taken_only_where_no_caller_is(power: str) -> None:
    users = {path for path in [*apps(), *layer_modules()] if power in identifiers(statements(tree_of(path)))}
    assert users, f"{power} has another name now"
    assert {path.parts[-3] for path in users} <= POWERS[power]


def test_the_service_s_client_is_loaded_only_by_consumers_and_jobs() -> None:
    users = [path for path in [*apps(), *layer_modules()] if "service" in parts(path)]
    assert {path.parts[-3] for path in users} <= POWERS["as_service"]


# ---- Functions


@pytest.mark.parametrize("app", apps(), ids=name_of)
def test_a_function_is_short_and_uses_the_layer(app: Path) -> None:
    assert len(app.read_text().splitlines()) <= MOST_FUNCTION_LINES
    roots = {name.split(".")[0] for name in imports(app)}
    foreign = roots - THIRD_PARTY - {"coachline"} - set(sys.stdlib_module_names)
    listed = {sdk for kind, name, sdk in SDKS if (kind, name) == app.parts[-3:-1]}
    assert foreign == listed, "functions parse, call and answer; libraries are the layer's business"


@pytest.mark.parametrize("app", apps(), ids=name_of)
def test_a_function_holds_no_query(app: Path) -> None:
    texts = [node.value for node in ast.walk(tree_of(app)) if isinstance(node, ast.Constant)]
    assert [text for text in texts if isinstance(text, str) and SQL.search(text)] == []
    called = {
        node.func.attr for node in ast.walk(tree_of(app)) if isinstance(node, ast.Call) if hasattr(node.func, "attr")
    }
    assert not called & {"rpc", "table", "from_", "execute"}


@pytest.mark.parametrize("path", [*layer_modules(), *apps()], ids=name_of)
def test_importing_reads_no_setting(path: Path) -> None:
    tree = tree_of(path)
    imported = {
        id(alias) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names
    }
    running = (node for node in statements(tree, at_import=True) if id(node) not in imported)
    assert not AT_IMPORT & identifiers(running), "a name of the environment or of a client, used while it is imported"


@pytest.mark.parametrize("path", [*layer_modules(), *apps()], ids=name_of)
def test_the_environment_is_read_in_one_place(path: Path) -> None:
    names = identifiers(statements(tree_of(path)))
    assert not names & {"environ", "environb", "getenv"} or path == LAYER / "settings.py"


# ---- One name everywhere: functions/<group>/<name>, <Name>Function, events/<name>.json, and its tests


def names_by_group() -> dict[str, set[str]]:
    return {name: {app.parent.name for app in ROOT.glob(f"functions/{name}/*/app.py")} for name in GROUPS}


def test_there_are_four_groups_of_functions_and_no_name_is_in_two_of_them() -> None:
    assert {path.name for path in (ROOT / "functions").iterdir() if path.is_dir()} - {"__pycache__"} == set(GROUPS)
    names = Counter(name for group_names in names_by_group().values() for name in group_names)
    assert [name for name, count in names.items() if count > 1] == []
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name)] == []


def test_folder_resource_and_event_have_one_name() -> None:
    folders = {(kind, name) for kind, names in names_by_group().items() for name in names}
    assert {(group(function), folder(function).name) for function in functions().values()} == folders
    assert functions().keys() == {name.title().replace("_", "") + "Function" for _, name in folders}
    assert {path.name for path in (ROOT / "events").iterdir()} == {f"{name}.json" for _, name in folders}


@cache
def texts_of_tests() -> list[str]:
    """Every text in the tests, with {} for what is filled in, besides those about this very file and the template."""
    found = []
    for path in modules_of("tests"):
        if path == Path(__file__) or "contract" in path.parts:
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


@pytest.mark.parametrize("app", apps(), ids=name_of)
def test_a_function_is_asked_by_a_test(app: Path) -> None:
    """By each of its paths if it serves any, else by its name."""
    paths = [re.sub(r"\\{\w+\\}", r"[^/?\\s]+", re.escape(path)) for _, path in declared_routes(app)]
    for wanted in paths or [rf"\b{app.parent.name}\b"]:
        pattern = re.compile(rf"{wanted}(?![\w/{{])")
        assert any(pattern.search(text) for text in texts_of_tests()), f"no test asks {wanted}"


# ---- Length and words


@pytest.mark.parametrize("tree", ["layers", "functions", "devstack", "scripts", "tests"])
def test_a_module_is_short(tree: str) -> None:
    long = {name_of(path) for path in modules_of(tree) if len(path.read_text().splitlines()) > MOST_LINES}
    assert long == {name for name in LONG if name.startswith(f"{tree}/")}


@pytest.mark.parametrize("path", layer_modules(), ids=name_of)
def test_what_is_public_is_described(path: Path) -> None:
    tree, undescribed = tree_of(path), []
    for node in [tree, *tree.body]:
        members = [*node.body, node] if isinstance(node, ast.ClassDef) else [node]
        for each in members:
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
                name = getattr(each, "name", "the module")
                hidden = name.startswith("_") or getattr(node, "name", "").startswith("_")
                if not hidden and not ast.get_docstring(each):
                    undescribed.append(name)
    assert undescribed == []
