"""Requests about goals that would be carried out as they stand."""

from typing import TYPE_CHECKING, Any

from tests.support.stack import SignedIn
from tests.support.story import GOAL

if TYPE_CHECKING:
    from tests.support.hostile import World

Writes = list[tuple[str, str, SignedIn, dict[str, Any]]]


def writes(world: "World") -> Writes:
    """Each as method, route, caller and body; numbers with a fraction, so that they are attacked as such."""
    return [
        ("POST", "/api/goals", world.mentee, {**GOAL, "targetValue": 10.5, "milestones": [5.5]}),
        ("PATCH", "/api/goals/{id}", world.mentee, {"title": "Nine listings", "targetValue": 9.5}),
        ("DELETE", "/api/goals/{id}", world.mentee, {}),
        ("POST", "/api/goals/{id}/progress", world.mentee, {"amount": 1.5, "note": "12 Elm Street"}),
    ]
