"""The bases of request and response models."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from coachline.models import Data, Input, Instant, Money, Output, Page, Query, TimeZoneName, replayed, unstorable
from coachline.problems import validation_problem


class Sample(Input):
    first_name: str = ""
    count: Annotated[int, Field(ge=0)] = 0
    maybe: int | None = None
    flag: bool = False
    ratio: float = 0.0
    nested: list["Sample"] = []  # noqa: RUF012 - Pydantic copies it - pydantic copies it
    counts: dict[str, int] = {}  # noqa: RUF012 - Pydantic copies it
    at: Instant = datetime(2027, 1, 1, tzinfo=UTC)


class Row(Output):
    first_name: str
    at: Instant


class Rows(Output):
    first: Row | None
    rows: list[Row]


class Filter(Query):
    page_size: int = 5
    flag: bool = False


@pytest.mark.parametrize(
    "value",
    [
        {"count": "1"},
        {"count": 1.0},
        {"count": True},
        {"maybe": "1"},
        {"flag": 1},
        {"flag": "true"},
        {"ratio": "0.5"},
        {"ratio": True},
        {"counts": {"a": "1"}},
        {"nested": [{"count": "1"}]},
        {"firstName": 5},
        {"first_name": "by its inner name"},
        {"unknown": 1},
    ],
)
def test_an_input_takes_nothing_for_something_else(value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Sample.model_validate(value)


def test_an_input_takes_what_json_has() -> None:
    value = {"firstName": "A", "count": 1, "maybe": None, "flag": True, "ratio": 1, "nested": [{}], "counts": {"a": 1}}

    assert Sample.model_validate(value).nested == [Sample()]


def test_query_parameters_are_text_and_still_numbers() -> None:
    assert Filter.model_validate({"pageSize": "7", "flag": "true"}) == Filter(pageSize=7, flag=True)


def test_an_output_ignores_what_a_row_has_besides_and_forgets_nothing() -> None:
    row = {"first_name": "A", "at": "2027-03-08T09:00:00.25-05:00", "secret": 1}

    assert Row.model_validate(row).model_dump(mode="json", by_alias=True) == {
        "firstName": "A",
        "at": "2027-03-08T14:00:00.250000Z",
    }
    with pytest.raises(ValidationError):
        Row.model_validate({"first_name": "A"})


def test_an_error_in_a_log_does_not_quote_what_somebody_typed() -> None:
    with pytest.raises(ValidationError) as error:
        Sample.model_validate({"count": "jane@example.com"})

    assert "jane" not in str(error.value)


def test_generic_models_are_named_for_what_they_hold() -> None:
    assert (Data[Row].__name__, Page[Row].__name__) == ("RowData", "RowPage")
    assert Page[Row](data=[], next_cursor=None).model_dump(by_alias=True) == {"data": [], "nextCursor": None}


@pytest.mark.parametrize("amount", [2**53, -(2**53), 1.0, "1"])
def test_money_is_an_integer_that_every_client_reads_exactly(amount: Any) -> None:
    with pytest.raises(ValidationError):
        Money(amount=amount, currency="USD")


def test_what_postgres_cannot_store_is_found_wherever_it_is() -> None:
    value = {"a": ["fine", "\0"], "\ud800": 1, "b": {"c": (2**63, -(2**63) + 1)}, "d": {"\0"}}

    assert {location for location, _ in unstorable(value)} == {("a", 1), ("\ud800",), ("b", "c", 0), ("d", 0)}
    assert list(unstorable("😀 é")) == []


@given(st.text(st.characters(), max_size=70) | st.text("./aU_T\\:C", max_size=10))
def test_no_text_breaks_the_search_for_a_time_zone(name: str) -> None:
    with suppress(ValidationError):
        assert TypeAdapter(TimeZoneName).validate_python(name) == name


@pytest.mark.parametrize(
    "name", ["America.Indiana/Vincennes", "Factory", "america/new_york", "UTC\n", "posixrules", "localtime", ""]
)
def test_what_the_search_would_find_and_postgres_or_people_would_not_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(TimeZoneName).validate_python(name)


@pytest.mark.parametrize("offset", ["+12:60", "+12:99", "+24:00", "-99:00"])
def test_an_offset_is_one_of_a_clock(offset: str) -> None:
    with pytest.raises(ValidationError, match="Must be an RFC 3339 instant"):
        TypeAdapter(Instant).validate_python(f"2027-03-08T14:00:00{offset}")


def test_what_a_model_refuses_can_be_told_as_a_problem() -> None:
    with pytest.raises(ValidationError) as error:
        Sample.model_validate({"nested": [{"count": -1}], "at": "soon"})

    problem = validation_problem(error.value)

    assert (problem.status, problem.code) == (422, "validation_failed")
    assert [fault["pointer"] for fault in problem.errors] == ["#/nested/0/count", "#/at"]
    assert problem.errors[1]["detail"].startswith("Must be an RFC 3339 instant")


def test_what_a_kept_answer_did_not_have_yet_is_left_out_and_of_a_new_one_refused() -> None:
    at = "2027-01-01T00:00:00Z"
    kept: Any = {"data": {"first": {"first_name": "Mia"}, "rows": [{"at": at}, {"first_name": "Mia", "at": at}]}}
    model = TypeAdapter(Data[Rows])
    with pytest.raises(ValidationError):
        model.validate_python(kept)
    token = replayed.set(True)
    try:
        shown = model.dump_python(model.validate_python(kept), mode="json", by_alias=True)
        with pytest.raises(ValidationError):
            model.validate_python({"data": {"first": None, "rows": [{"first_name": 1}]}})
    finally:
        replayed.reset(token)
    assert shown["data"] == {"first": {"firstName": "Mia"}, "rows": [{"at": at}, {"firstName": "Mia", "at": at}]}
