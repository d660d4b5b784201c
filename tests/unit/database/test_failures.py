"""What PostgREST's failures become."""

import httpx
import pytest

from coachline.database import _raise_for_status
from coachline.problems import Unavailable


def failed(status: int, code: str | None) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "message": "…", "details": None, "hint": None})


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, ""),  # what PostgREST 12 answers when Postgres goes away in the middle of a statement
        (503, "PGRST000"),
        (503, "57P01"),
        (500, "57P02"),
        (504, "PGRST003"),
    ],
)
def test_a_database_that_goes_away_is_unavailable(status: int, code: str) -> None:
    with pytest.raises(Unavailable):
        _raise_for_status(failed(status, code))


def test_a_call_of_ours_that_postgrest_does_not_understand_is_our_mistake() -> None:
    for status, code in ((404, "PGRST202"), (400, "PGRST100"), (400, "P0001")):
        with pytest.raises(RuntimeError):
            _raise_for_status(failed(status, code))
