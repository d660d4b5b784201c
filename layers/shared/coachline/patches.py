"""Between request models and rows: partial models for PATCH, and the columns that a model sets."""

from collections.abc import Collection
from typing import Any, TypeVar

from pydantic import BaseModel

from coachline.models import Input

M = TypeVar("M", bound=Input)


def partial(model: type[M]) -> type[M]:
    """Class decorator: every inherited field may be left out. One that is sent keeps its own type and checks."""
    for name, field in model.model_fields.items():
        if name not in model.__annotations__:
            field.default, field.default_factory = None, None
    model.model_rebuild(force=True)
    return model


def columns(body: BaseModel, *, but: Collection[str] = (), all_fields: bool = False) -> dict[str, Any]:
    """The JSON values of a body under their column names: only those sent, unless `all_fields`."""
    values = body.model_dump(mode="json", by_alias=True, exclude_unset=not all_fields, exclude=set(but))
    names = {field.alias or name: name for name, field in type(body).model_fields.items()}
    return {names[alias]: value for alias, value in values.items()}
