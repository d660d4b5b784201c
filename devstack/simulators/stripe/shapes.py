"""Stripe's own shapes, read from the typed classes of its SDK: which parameters a call takes, and what an object holds.

So what the simulator refuses as unknown and what it answers with is Stripe's word of the pinned version, not ours.
"""

import builtins
import sys
import types
import typing
from collections.abc import Mapping
from decimal import Decimal
from functools import cache, reduce
from typing import Any, Union
from urllib.parse import parse_qsl

import stripe
import stripe.params
import stripe.params.billing_portal
from stripe._stripe_object import UntypedStripeObject
from typing_extensions import is_typeddict

Row = dict[str, Any]

_REQUEST_OPTIONS = {"api_key", "stripe_version", "stripe_account", "idempotency_key", "max_network_retries"} | {
    "stripe_context",
    "headers",
    "content_type",
}


class StripeError(Exception):
    """A refusal in Stripe's shape."""

    def __init__(self, message: str, *, status: int = 400, **members: Any) -> None:
        super().__init__(message)
        kind = "card_error" if status == 402 else "invalid_request_error"
        self.status = status
        self.body = {"error": {"type": kind, "message": message, **members}}


def missing(kind: str, name: str) -> StripeError:
    """No such object, in Stripe's words."""
    return StripeError(f"No such {kind}: '{name}'", status=404, code="resource_missing", param="id")


class _Names(dict[str, Any]):
    """Forward references of the SDK: of the module that names them, of the package, or of no interest here."""

    def __missing__(self, name: str) -> Any:
        known = next((vars(each)[name] for each in (typing, builtins) if name in vars(each)), None)
        return known or getattr(stripe, name, Any)


@cache
def hints(declared: Any) -> dict[str, Any]:
    """The declared types of a typed dictionary of parameters, or of an object's attributes."""
    return typing.get_type_hints(declared, localns=_Names(vars(sys.modules[declared.__module__])))


# ---- Parameters


def decode_form(text: str) -> Row:
    """`items[0][price]=x&expand[]=y` as nested dictionaries; lists are dictionaries of digits until they are typed."""
    root: Row = {}
    for key, value in parse_qsl(text, keep_blank_values=True, strict_parsing=False):
        head, _, rest = key.partition("[")
        place, path = root, [head, *(rest[:-1].split("][") if rest else [])]
        for index, part in enumerate(path):
            name = part or str(len(place))  # expand[]=… appends
            if index == len(path) - 1:
                place[name] = value
            elif not isinstance(place.setdefault(name, {}), dict):
                raise StripeError("Invalid request (check that your POST content type is form-encoded).")
            else:
                place = place[name]
    return root


def parameters(operation: str, given: Row) -> Row:
    """The typed parameters of a call, such as "SubscriptionCreate"; unknown ones and wrong types are refused."""
    declared = hints(reduce(getattr, f"{operation}Params".split("."), stripe.params))
    return _members(given, {name: kind for name, kind in declared.items() if name not in _REQUEST_OPTIONS}, "")


def _members(given: Row, declared: Mapping[str, Any], path: str) -> Row:
    found = {}
    for name, value in given.items():
        place = f"{path}[{name}]" if path else name
        if name not in declared:
            raise StripeError(f"Received unknown parameter: {place}", code="parameter_unknown", param=place)
        found[name] = _typed(value, declared[name], place)
    return found


def _typed(value: Any, kind: Any, place: str) -> Any:  # noqa: PLR0911 - one line for each kind of type
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return _first_that_fits(value, arguments, place)
    if origin in (typing.Required, typing.NotRequired):
        return _typed(value, arguments[0], place)
    if origin is typing.Literal:
        if value not in arguments:
            wanted = ", ".join(map(str, arguments))
            raise StripeError(f"Invalid {place}: must be one of {wanted}", param=place)
        return value
    if origin is list:
        if value == "":
            return []
        entries = value.values() if isinstance(value, dict) else None
        if entries is None:
            raise StripeError(f"Invalid array: {place}", param=place)
        return [_typed(entry, arguments[0], f"{place}[{index}]") for index, entry in enumerate(entries)]
    if origin in (dict, Mapping) or kind in (dict, Mapping):
        return value
    if is_typeddict(kind):
        if not isinstance(value, dict):
            raise StripeError(f"Invalid object: {place}", param=place)
        return _members(value, hints(kind), place)
    return _scalar(value, kind, place)


def _first_that_fits(value: Any, kinds: tuple[Any, ...], place: str) -> Any:
    # Str comes last: everything fits it.
    failure = StripeError(f"Invalid {place}", param=place)
    for kind in sorted(kinds, key=lambda each: each is str):
        try:
            return _typed(value, kind, place)
        except StripeError as error:
            failure = error
    raise failure


def _scalar(value: Any, kind: Any, place: str) -> Any:
    if not isinstance(value, str):
        raise StripeError(f"Invalid string: {place}", param=place)
    if kind is bool:
        if value not in ("true", "false"):
            raise StripeError(f"Invalid boolean: {value}", param=place)
        return value == "true"
    if kind is int:
        if not value.lstrip("-").isdigit():
            raise StripeError(f"Invalid integer: {value}", param=place, code="parameter_invalid_integer")
        return int(value)
    return value


# ---- Objects


def blank(declared: type, **values: Any) -> Row:
    """An object of the SDK's class with every member: those given, else null, an empty list, an empty object, false."""
    row = {name: _empty(kind) for name, kind in hints(declared).items() if _is_member(name, kind)}
    if unknown := values.keys() - row.keys() - {"deleted"}:
        raise TypeError(f"{declared.__name__} has no {', '.join(sorted(unknown))}")
    for name, value in values.items():
        nested = isinstance(value, dict) and isinstance(row.get(name), dict) and name != "metadata"
        row[name] = row[name] | value if nested else value
    return row


def faults(declared: Any, value: Any, place: str = "") -> list[str]:  # noqa: PLR0911 - one line for each kind of type
    """Where a value is not what the SDK's class declares: unknown members, missing ones, other types."""
    origin, arguments = typing.get_origin(declared), typing.get_args(declared)
    if declared is Any or declared is None:
        return []
    if origin in (Union, types.UnionType):
        tries = [faults(kind, value, place) for kind in arguments]
        return min(tries, key=len)
    if declared is type(None):
        return [] if value is None else [f"{place}: {value!r} is not null"]
    if origin is typing.Literal:
        return [] if value in arguments else [f"{place}: {value!r} is none of {arguments}"]
    if origin is list:
        if not isinstance(value, list):
            return [f"{place}: {value!r} is no list"]
        return [found for i, each in enumerate(value) for found in faults(arguments[0], each, f"{place}[{i}]")]
    if origin is stripe.ListObject or declared is stripe.ListObject:
        return _list_faults(arguments, value, place)
    if isinstance(declared, type) and issubclass(declared, stripe.StripeObject):
        return _object_faults(declared, value, place)
    if declared is Decimal:  # travels as a string
        return [] if isinstance(value, str) else [f"{place}: {value!r} is no decimal string"]
    if isinstance(declared, type) and declared in (str, int, bool, float):
        good = type(value) is declared or (declared is float and type(value) is int)
        return [] if good else [f"{place}: {value!r} is no {declared.__name__}"]
    return []


def _list_faults(arguments: tuple[Any, ...], value: Any, place: str) -> list[str]:
    if not isinstance(value, dict) or value.get("object") != "list":
        return [f"{place}: {value!r} is no list object"]
    kind = arguments[0] if arguments else Any
    return [found for i, each in enumerate(value["data"]) for found in faults(kind, each, f"{place}.data[{i}]")]


def _object_faults(declared: type, value: Any, place: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{place}: {value!r} is no {declared.__name__}"]
    if value.get("deleted") is True or declared is stripe.StripeObject or declared is UntypedStripeObject:
        return []
    members = {name: kind for name, kind in hints(declared).items() if _is_member(name, kind)}
    found = [f"{place}.{name}: unknown" for name in value if name not in hints(declared)]
    for name, kind in members.items():
        if name in value:
            found += faults(kind, value[name], f"{place}.{name}")
        elif not _may_be_absent(kind):
            found.append(f"{place}.{name}: missing")
    return found


def _is_member(name: str, kind: Any) -> bool:
    return not name.startswith("_") and typing.get_origin(kind) is not typing.ClassVar and name not in _NOT_SENT


# Sent only when expanded, or not by the calls that we make.
_NOT_SENT = {"OBJECT_NAME", "deleted"}


def _may_be_absent(kind: Any) -> bool:
    return typing.get_origin(kind) in (Union, types.UnionType) and type(None) in typing.get_args(kind)


def _empty(kind: Any) -> Any:  # noqa: PLR0911 - one line for each kind of type
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return None if type(None) in arguments else _empty(arguments[0])
    if origin is list:
        return []
    if origin is typing.Literal:
        return arguments[0]
    if origin is UntypedStripeObject:
        return {}
    if origin is stripe.ListObject:
        return {"object": "list", "data": [], "has_more": False, "url": ""}
    if isinstance(kind, type) and issubclass(kind, stripe.StripeObject):
        untyped = kind in (stripe.StripeObject, UntypedStripeObject)
        return {} if untyped else {n: _empty(k) for n, k in hints(typing.cast(Any, kind)).items() if _is_member(n, k)}
    return {bool: False, int: 0, str: ""}.get(kind)
