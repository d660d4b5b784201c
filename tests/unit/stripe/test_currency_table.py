"""The table of currencies has one place, and no amount is anywhere a float."""

import importlib
import pkgutil
import runpy
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import coachline
from coachline.models import Money

ROOT = Path(__file__).resolve().parents[3]
# What may have a fraction: stars, shares, similarities, hours, and values of goals, whose unit may be anything.
FRACTIONS = {"average_rating", "min_rating", "percent", "score", "similarity", "hours", "average_duration"} | {
    f"{of}_rate" for of in ("cancellation", "completion", "response")
}
GOALS = {"start_value", "target_value", "value", "milestones", "amount"}
CLERK = {"created_at", "updated_at"}  # milliseconds


def test_database_and_page_have_the_table_of_the_layer() -> None:
    made = runpy.run_path(str(ROOT / "scripts/currency_docs.py"))
    page = (ROOT / "docs/payments.md").read_text()
    again = "Run scripts/currency_docs.py and commit what it writes."
    assert made["page"](page) == page, again
    assert made["seed"]() == (ROOT / "prisma/sql/seed/currency.sql").read_text(), again


def models() -> Iterator[type[BaseModel]]:
    """Every model of the layer."""
    for module in pkgutil.walk_packages(coachline.__path__, "coachline."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, BaseModel) and value.__module__ == module.name:
                yield value


def parts(annotation: Any) -> Iterator[Any]:
    """A type and all that it is made of."""
    yield annotation
    for argument in typing.get_args(annotation):
        yield from parts(argument)
    if isinstance(annotation, types.UnionType):
        for argument in annotation.__args__:
            yield from parts(argument)


def test_money_is_never_a_float() -> None:
    seen = set(models())
    assert Money in seen
    assert Money.model_fields["amount"].annotation is int
    floats = {
        (model.__module__.removeprefix("coachline."), name)
        for model in seen
        for name, field in model.model_fields.items()
        if any(part in (float, complex) for part in parts(field.annotation))
    }
    fractions = {each for each in floats if each[1] in FRACTIONS}
    goals = {each for each in floats if each[0].startswith("growth.") and each[1] in GOALS}
    clerk = {each for each in floats if each[0] == "identity.clerk_events" and each[1] in CLERK}
    assert floats - fractions - goals - clerk == set()
