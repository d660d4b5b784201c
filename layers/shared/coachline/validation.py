"""What is wrong with a request, said the same way for the body (`pointer`) and for the rest (`parameter`)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import Route
from pydantic import BaseModel

from coachline.models import unstorable
from coachline.problems import plain_message, pointer

Fault = dict[str, str]

MOST_FAULTS = 200  # an answer has to stay readable, and under Lambda's 6 MB


def beforehand(route: Route, query: Mapping[str, str], document: Any) -> list[Fault]:
    """What Powertools would let pass: unknown parameters, text that cannot be stored, bodies that are no object."""
    known = _query_parameters(route)
    faults = [_parameter(name, "Unknown parameter") for name in query if name not in known]
    faults += [_parameter(str(at[0]), detail) for at, detail in unstorable(dict(query))]
    if document is None:
        return faults
    if not isinstance(document, dict):
        faults.append({"pointer": "#", "detail": "The body must be a JSON object"})
    elif not route.dependant.body_params:
        faults += [{"pointer": pointer([name]), "detail": "This route takes no body"} for name in document]
    return faults


def described(errors: Sequence[Mapping[str, Any]], document: Any) -> Iterator[Fault]:
    """Pydantic's errors, located by Powertools, as faults."""
    for error in errors:
        detail = plain_message(error["msg"])
        where, *location = error["loc"]
        if where == "body":
            yield {"pointer": pointer(_in_document(location, document, error["type"])), "detail": detail}
        else:
            # Behind the parameter's own name: the field, when a model holds all of them; an index, when it repeats.
            names = [part for part in location[:2] if isinstance(part, str)]
            yield _parameter(names[-1], detail)


def names_nothing(errors: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an id in the path has no id's form, so that no such row can exist: that is 404 and not 422."""
    return any(error["loc"][0] == "path" and str(error["type"]).startswith("uuid") for error in errors)


def distinct(faults: Iterable[Fault]) -> list[Fault]:
    """At most one fault for each place, the first that was found, and a bounded number of them."""
    by_place: dict[str, Fault] = {}
    for fault in faults:
        by_place.setdefault(fault.get("pointer") or fault["parameter"], fault)
    return list(by_place.values())[:MOST_FAULTS]


def _parameter(name: str, detail: str) -> Fault:
    return {"parameter": name, "detail": detail}


def _query_parameters(route: Route) -> set[str]:
    names: set[str] = set()
    for parameter in route.dependant.query_params:
        if isinstance(parameter.type_, type) and issubclass(parameter.type_, BaseModel):
            names |= {field.alias or name for name, field in parameter.type_.model_fields.items()}
        else:
            names.add(parameter.alias)
    return names


def _in_document(location: Sequence[int | str], document: Any, kind: str) -> Iterator[int | str]:
    """The parts of a location that lead somewhere: pydantic adds the names of its own unions and functions."""
    for index, part in enumerate(location):
        if (isinstance(document, dict) and part in document) or (
            isinstance(document, list) and isinstance(part, int) and part < len(document)
        ):
            document = document[part]  # type: ignore[index]  # an index of a list, a key of a dict
            yield part
        elif kind == "missing" and index == len(location) - 1:
            yield part
