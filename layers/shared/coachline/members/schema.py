"""The rule table as JSON Schema: for the API's document and for forms."""

from typing import Any

from coachline.members.rules import LOOKUPS, Field

_MOST_LISTED = 70
"""Values of a lookup up to which the API's document lists them; the form's schema lists all."""


def described(field: Field) -> dict[str, Any]:
    """What a request may send for a field. Values of lists are not enumerated, because abbreviations are taken too."""
    says = {"title": field.label, "description": field.entry, "examples": [field.example]}
    if field.empty is not None:
        return {**says, **_type_of(field), "default": field.empty}
    return {**says, "anyOf": [_type_of(field), {"type": "null"}]}


def _type_of(field: Field) -> dict[str, Any]:
    match field.kind:
        case "many":
            return {"type": "array", "items": {"type": "string"}}
        case "one":
            values = LOOKUPS[str(field.lookup)]
            return {"type": "string", "enum": list(values)} if len(values) <= _MOST_LISTED else {"type": "string"}
        case "date":
            return {"type": "string", "format": "date"}
        case "text" | "lines" | "phone":
            return {"type": "string", "maxLength": field.length} if field.kind != "phone" else {"type": "string"}
