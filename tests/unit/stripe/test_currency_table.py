"""The table of currencies has one place, and no amount is anywhere a float."""

import importlib
import pkgutil
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import coachline
from coachline.models import Money

ROOT = Path(__file__).resolve().parents[3]
MONEY = re.compile(r"amount|price|fee|total|gross|credit|refund|balance|paid|due|mrr|arr$|share")
GOALS = {"growth.goal_input", "growth.goals"}  # whose amounts are of any unit


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
    assert ("scheduling.metrics", "hours") in floats  # they are found
    assert {each for each in floats if each[0].startswith("payments.")} == set()
    assert {each for each in floats if MONEY.search(each[1]) and each[0] not in GOALS} == set()
