"""Decisions that Python makes on one reading of the database, and that are written only if it still holds."""

from collections.abc import Callable
from typing import Any

from coachline.problems import Problem


def again_if_changed(decide_and_write: Callable[[], Any]) -> Any:
    """What it answers; once more when the availability had changed between its reading and its write."""
    try:
        return decide_and_write()
    except Problem as refusal:
        if refusal.code != "availability_changed":
            raise
        return decide_and_write()
