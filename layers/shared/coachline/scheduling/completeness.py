"""How complete a coach's profile is, and what it lacks: a rule over plain values, read by its owner alone.

The database holds the part of it that publishing needs (`required`); a test keeps both equal.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

LEAST_BIO = 50
"""Characters without the blanks around them, of a bio that can be published."""


class Part(NamedTuple):
    """One thing that a profile can have: what it counts in hundredths, and whether publishing (or booking) needs it."""

    field: str
    weight: int
    required: bool
    advice: str
    is_there: Callable[[Mapping[str, Any]], bool]


PARTS = (
    Part("bio", 20, True, "Write at least 50 characters about yourself.", lambda p: len(p["bio"].strip()) >= LEAST_BIO),
    Part("specialties", 15, True, "Name a specialty.", lambda p: bool(p["specialties"])),
    Part("hourlyRate", 20, True, "Set an hourly rate; 0 is free.", lambda p: p["hourly_rate"] is not None),
    Part("schedule", 20, True, "Add your hours: POST /api/coaching/availability.", lambda p: p["has_schedule"]),
    Part("languages", 10, False, "Name the languages that you coach in.", lambda p: bool(p["languages"])),
    Part("yearsCoaching", 10, False, "Say how long you have coached.", lambda p: p["years_coaching"] is not None),
    Part("certifications", 5, False, "Add your certifications.", lambda p: bool(p["certifications"])),
)


def assess(profile: Mapping[str, Any]) -> dict[str, Any]:
    """`completeness` (0 to 100) and what is `missing`, as the database's row of a profile says."""
    missing = [part for part in PARTS if not part.is_there(profile)]
    return {
        "completeness": 100 - sum(part.weight for part in missing),
        "missing": [{"field": part.field, "required": part.required, "advice": part.advice} for part in missing],
    }
