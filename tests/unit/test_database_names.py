"""What Python names of the database is there: functions, their grants, and permissions. Read from the sources alone."""

import ast
import re
from functools import cache

from tests.contract.template_file import ROOT

SQL = ROOT / "prisma" / "sql"
CALLS = {"read": "stable", "write": "volatile"}


@cache
def sql() -> str:
    return "\n".join(path.read_text() for path in sorted(SQL.rglob("*.sql")))


def constants(*attributes: str) -> set[tuple[str, str]]:
    """(callee, first argument) of every call by one of these names whose first argument is written out."""
    found = set()
    for path in [*ROOT.glob("layers/shared/coachline/**/*.py"), *ROOT.glob("functions/*/*/app.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in attributes and isinstance(node.args[0].value, str):
                    found.add((name, node.args[0].value))
    return found


def functions_of_sql() -> dict[str, str]:
    """Name → volatility of each function of the exposed schema."""
    pattern = r"create or replace function public\.(\w+)\s*\(.*?language \w+ (stable|volatile|immutable)"
    return dict(re.findall(pattern, sql(), re.DOTALL))


def seeded_permissions() -> set[str]:
    return set(re.findall(r"\('([a-z_]+:[a-z_]+)',", (SQL / "seed" / "role_permission.sql").read_text()))


def test_a_function_that_is_called_exists_and_may_do_what_it_is_called_for() -> None:
    wanted = {name: CALLS[how] for how, name in constants("read", "write")}
    assert {name: functions_of_sql().get(name) for name in wanted} == wanted


def test_a_function_that_is_called_is_granted_to_somebody() -> None:
    granted = set(re.findall(r"public\.(\w+)\(", (SQL / "grants.sql").read_text()))
    assert {name for _, name in constants("read", "write")} - granted == set()


def test_every_function_of_the_exposed_schema_is_called() -> None:
    """One that is left over is a door that nobody watches."""
    assert set(functions_of_sql()) - {name for _, name in constants("read", "write", "_execute")} == set()


def test_permissions_are_those_that_roles_have() -> None:
    in_routes = {name for _, name in constants("requires")}
    in_sql = set(re.findall(r"private\.(?:require_caller|caller_may)\('([^']+)'\)", sql()))
    assert (in_routes | in_sql) - seeded_permissions() == set()
    assert seeded_permissions() - in_routes == set()
