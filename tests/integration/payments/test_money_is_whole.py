"""Money is never a fraction: not in a column, a document or a line of code that handles it. Of events: money_rules."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.hostile import DOCUMENT
from tests.support.stack import ROOT, Stack

LAYER = ROOT / "layers/shared/coachline"
HANDLES_MONEY = [LAYER / "money.py", *sorted((LAYER / "payments").glob("*.py"))]


def money_schemas(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of the document that has an amount and a currency."""
    if isinstance(node, dict):
        properties = node.get("properties")
        if isinstance(properties, dict) and {"amount", "currency"} <= properties.keys():
            yield properties
        for each in node.values():
            yield from money_schemas(each)
    elif isinstance(node, list):
        for each in node:
            yield from money_schemas(each)


def test_every_amount_of_a_currency_is_documented_as_an_integer() -> None:
    found = list(money_schemas(DOCUMENT))
    assert len(found) >= 3
    assert [each["amount"] for each in found if each["amount"].get("type") != "integer"] == []


def test_no_column_is_a_binary_fraction_and_money_is_whole(stack: Stack) -> None:
    with stack.database() as database:
        columns = database.execute(
            """select c.table_name as t, c.column_name as name, c.data_type as type
               from information_schema.columns c
               where c.table_schema in ('public', 'private')
                 and (c.data_type in ('real', 'double precision', 'money') or exists (
                   select from information_schema.columns o
                   where (o.table_schema, o.table_name, o.column_name) = (c.table_schema, c.table_name, 'currency')
                     and c.data_type in ('numeric', 'bigint', 'integer')))"""
        ).fetchall()
    assert any((row["t"], row["name"], row["type"]) == ("money_movement", "amount", "bigint") for row in columns)
    assert [row for row in columns if row["type"] not in ("bigint", "integer")] == []


@pytest.mark.parametrize("path", HANDLES_MONEY, ids=lambda path: path.name)
def test_code_that_handles_money_has_no_fractions(path: Path) -> None:
    tree = ast.parse(path.read_text())
    durations = {id(each.annotation) for each in ast.walk(tree) if isinstance(each, ast.arg) and each.arg == "seconds"}
    found = []
    for node in ast.walk(tree):
        divides = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
        fraction = isinstance(node, ast.Constant) and isinstance(node.value, float)
        named = isinstance(node, ast.Name) and node.id == "float" and id(node) not in durations
        if divides or fraction or named:
            found.append(f"line {getattr(node, 'lineno', 0)}: {ast.unparse(node)}")
    assert found == []
