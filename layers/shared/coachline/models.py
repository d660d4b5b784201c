"""The bases of every request and response model, and the few types that all contexts share."""

import re
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Annotated, Any, Generic, Self, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ModelWrapValidatorHandler,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    create_model,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from coachline.money import CURRENCIES, MOST, amount_fault

T = TypeVar("T")
Location = tuple[int | str, ...]

_LARGEST_INTEGER = 2**63 - 1
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII)


def unstorable(value: Any, location: Location = ()) -> Iterator[tuple[Location, str]]:
    """Where `value` holds what Postgres cannot: U+0000, a lone surrogate, an integer of more than 64 bits."""
    match value:
        case str() if "\0" in value:
            yield location, "The character U+0000 is not accepted"
        case str() if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            yield location, "Text must be valid Unicode: a lone surrogate is not"
        case int() if abs(value) > _LARGEST_INTEGER:
            yield location, "The number is too large"
        case dict():
            for key, item in value.items():
                yield from unstorable(key, (*location, str(key)))
                yield from unstorable(item, (*location, str(key)))
        case list() | tuple() | set() | frozenset():
            for index, item in enumerate(value):
                yield from unstorable(item, (*location, index))


class _Model(BaseModel):
    # Building a validator costs milliseconds: only the models of the routes that are called should cost them.
    # And an error that reaches a log must not carry what somebody typed.
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, defer_build=True, hide_input_in_errors=True
    )


class Input(_Model):
    """What a caller sends: camelCase, nothing unknown, numbers as numbers, and nothing that Postgres cannot store."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False, validate_by_alias=True)

    @field_validator("*")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        found = [
            InitErrorDetails(type=PydanticCustomError("unstorable", "{detail}", {"detail": detail}), loc=at, input=None)
            for at, detail in unstorable(value)
        ]
        if found:
            raise ValidationError.from_exception_data(cls.__name__, found)
        return value

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        _refuse_numbers_in_disguise(schema)
        return schema


def _refuse_numbers_in_disguise(schema: Any) -> None:
    """Make every number and flag strict: by default "60", 60.0 and true all pass as the integer 60 or 1.

    A strict *model* would also refuse the text form of dates and ids, which in JSON have no other.
    """
    if isinstance(schema, dict):
        # A field may be called type, too: then this is the dictionary of a model's fields.
        if schema.get("type") in ("int", "float", "bool"):
            schema["strict"] = True
        for part in schema.values():
            _refuse_numbers_in_disguise(part)
    elif isinstance(schema, list):
        for part in schema:
            _refuse_numbers_in_disguise(part)


class Query(_Model):
    """What a caller sends in the query string, where every value is text; one field per parameter."""

    model_config = ConfigDict(populate_by_name=False, validate_by_alias=True)


replayed: ContextVar[bool] = ContextVar("replayed", default=False)
"""Whether what is answered was kept under an Idempotency-Key: perhaps by a version that had fewer fields."""


class Output(_Model):
    """What we answer: camelCase, ignores what a row has besides; fields have no defaults, so none is forgotten.

    A kept answer stays as it was: what it did not have then is left out, and no failure (docs/adr/080).
    """

    model_config = ConfigDict(extra="ignore", from_attributes=True)

    @model_validator(mode="wrap")
    @classmethod
    def _as_it_was_kept(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            missing = {fault["loc"] for fault in error.errors() if fault["type"] == "missing"} if replayed.get() else ()
            absent = frozenset(
                name for name, field in cls.model_fields.items() if {(name,), (field.alias,)} & {*missing}
            )
            if not absent:
                raise
            kept = _with_fewer_fields(cls, absent).model_validate(value)
            for name in absent:
                del kept.__dict__[name]
            return cast("Self", kept)


@cache
def _with_fewer_fields(model: type[Output], absent: frozenset[str]) -> type[Output]:
    fields: dict[str, Any] = dict.fromkeys(absent, (Any, None))
    return create_model(model.__name__, __base__=model, **fields)


def _name(parameter: Any) -> str:
    return getattr(parameter, "__name__", None) or re.sub(r"\W+", "", str(parameter))


class Data(Output, Generic[T]):
    """One resource."""

    data: T

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """The name in the API's document: SessionData, not Data[Session]."""
        return f"{_name(params[0])}{cls.__name__}"


class Page(Output, Generic[T]):
    """A page of a list; `nextCursor` asks for the following page and is null on the last."""

    data: list[T]
    next_cursor: str | None

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """The name in the API's document: SessionPage, not Page[Session]."""
        return f"{_name(params[0])}{cls.__name__}"


def example(**fields: Any) -> ConfigDict:
    """A model's configuration with an example of it, in JSON, for the API's document."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


def one(row: Any) -> "Data[Any]":
    """The answer with one resource, still as the database's row: the route's model is applied once, when it is sent."""
    return cast("Data[Any]", {"data": row})


def many(page: tuple[list[Any], str | None]) -> "Page[Any]":
    """The answer with a page of rows and the cursor of the next, as `pagination.page` makes them."""
    rows, next_cursor = page
    return cast("Page[Any]", {"data": rows, "next_cursor": next_cursor})


def _parse_instant(value: Any) -> datetime:
    if isinstance(value, str):
        if not _RFC3339.fullmatch(value):
            # In a URL a bare + arrives as a space, the usual reason to be here.
            raise ValueError("Must be an RFC 3339 instant such as 2027-03-08T14:00:00Z (in a URL, send + as %2B)")
        value = datetime.fromisoformat(value.upper())
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("Must be an RFC 3339 instant with an offset")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("Lies outside of the years 1 to 9999 in UTC") from None


def _format_instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


Reason = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S")]
"""Why somebody decided so, in words that are kept."""

Version = Annotated[int, Field(ge=1, le=2**31 - 1, examples=[1])]
"""What a resource's version was when it was read; Postgres counts them in 32 bits."""

Instant = Annotated[
    datetime,
    BeforeValidator(_parse_instant),
    PlainSerializer(_format_instant, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An instant: RFC 3339 with any offset in, UTC with `Z` out, an aware UTC datetime inside."""


@cache
def _time_zones() -> frozenset[str]:
    names = resources.files("tzdata").joinpath("zones").read_text(encoding="ascii")
    return frozenset(names.split()) - {"Factory"}  # which says that nobody has set one


def _existing_time_zone(name: str) -> str:
    # Looked up and not tried: ZoneInfo opens America.Indiana/Vincennes too, and Postgres has never heard of that.
    if name not in _time_zones():
        raise ValueError("Not an IANA time zone, such as America/New_York")
    return name


TimeZoneName = Annotated[str, Field(max_length=64), AfterValidator(_existing_time_zone)]
"""The name of an IANA time zone that the pinned tzdata knows."""


def _supported_currency(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError("Not a currency that prices can be in")
    return code


class Money(Input):
    """An amount in minor units (cents), never a fraction, and its ISO 4217 currency."""

    # JSON numbers are exact in every client up to 2**53 (RFC 8259, section 6).
    amount: Annotated[int, Field(ge=1 - 2**53, le=2**53 - 1, examples=[15000])]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$", examples=["USD"]), AfterValidator(_supported_currency)]


class Price(Money):
    """Money that a caller may ask for: 0, or what Stripe charges in that currency, in the steps that it has there."""

    amount: Annotated[int, Field(ge=0, le=MOST, examples=[15000])]

    @model_validator(mode="after")
    def _chargeable(self) -> "Price":
        _refuse_amount(amount_fault(self.amount, self.currency))
        return self


class PartOfPrice(Money):
    """Money out of what was paid: more than nothing, however small, in the steps that Stripe has in that currency."""

    amount: Annotated[int, Field(gt=0, le=MOST, examples=[7500])]

    @model_validator(mode="after")
    def _exists(self) -> "PartOfPrice":
        _refuse_amount(amount_fault(self.amount, self.currency, minimum=False))
        return self


def _refuse_amount(fault: str | None) -> None:
    if fault:
        wrong = PydanticCustomError("amount", "{detail}", {"detail": fault})
        raise ValidationError.from_exception_data("Money", [InitErrorDetails(type=wrong, loc=("amount",), input=None)])
