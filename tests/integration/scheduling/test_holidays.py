"""Public holidays: listed for a country, closed on a coach's calendar, one by one."""

from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.scheduling.test_schedule_changes import PATH, insert_session
from tests.support.stack import Stack
from tests.support.story import at, next_weekday, published_coach

HOLIDAYS = f"{PATH}/holidays"
YEAR = next_weekday(weeks=52).year + 1  # nothing of it is over, whatever today is


def test_a_country_s_holidays_are_listed_in_order(stack: Stack) -> None:
    asked = {"country": "US", "subdivision": "CA", "year": 2027}
    listed = stack.user().get(HOLIDAYS, params=asked).json()["data"]
    found = {each["date"]: each["name"] for each in listed}
    # 4 July 2027 is a Sunday; Cesar Chavez Day is California's own.
    assert found["2027-07-05"] == "Independence Day (observed)"
    assert (found["2027-03-31"], found["2027-11-25"]) == ("Cesar Chavez Day", "Thanksgiving Day")
    assert list(found) == sorted(found)
    nation = stack.user().get(HOLIDAYS, params={"country": "US", "year": 2027}).json()["data"]
    assert "2027-03-31" not in {each["date"] for each in nation}
    german = stack.user().get(HOLIDAYS, params={"country": "DE", "subdivision": "BY", "year": 2027}).json()["data"]
    assert {"date": "2027-01-06", "name": "Epiphany"} in german


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ({"country": "XX", "year": "2027"}, {"country"}),
        ({"country": "US", "subdivision": "ZZ", "year": "2027"}, {"subdivision"}),
        ({"country": "us", "year": "1999", "state": "CA"}, {"country", "year", "state"}),
        ({}, {"country", "year"}),
    ],
)
def test_a_place_or_year_that_is_not_known_is_refused(stack: Stack, query: dict[str, str], wrong: set[str]) -> None:
    answer = stack.user().get(HOLIDAYS, params=query)
    assert (answer.status_code, {error["parameter"] for error in answer.json()["errors"]}) == (422, wrong)


def test_chosen_holidays_close_their_dates_and_no_others(stack: Stack) -> None:
    coach, mentee = published_coach(stack), stack.user()
    thanksgiving = next(day for day in (date(YEAR, 11, n) for n in range(22, 29)) if day.weekday() == 3)
    body: dict[str, Any] = {"country": "US", "year": YEAR, "timezone": "America/New_York"}
    with stack.database() as database:
        insert_session(database, coach, mentee, at(thanksgiving, "10:00"))
    refused = coach.post(HOLIDAYS, body)
    assert (refused.status_code, refused.json()["code"]) == (409, "sessions_stranded")
    assert [each["start"][:10] for each in refused.json()["sessions"]] == [str(thanksgiving)]

    key = uuid4().hex
    made = coach.post(HOLIDAYS, {**body, "except": [f"{YEAR}-12-25"]}, key=key, params={"force": "true"})
    assert made.status_code == 201, made.text
    dates = {each["validFrom"] for each in made.json()["data"]}
    assert str(thanksgiving) in dates
    assert f"{YEAR}-12-25" not in dates
    assert all(each["validFrom"] == each["validTo"] and each["type"] == "HOLIDAY" for each in made.json()["data"])
    again = coach.post(HOLIDAYS, {**body, "except": [f"{YEAR}-12-25"]}, key=key, params={"force": "true"})
    assert again.json() == made.json()
    rest = coach.post(HOLIDAYS, body)  # what is closed stays as it is
    assert [each["validFrom"] for each in rest.json()["data"]] == [f"{YEAR}-12-25"]
    assert coach.get("/api/sessions").json()["data"][0]["status"] == "SCHEDULED"
    dropped = next(each for each in made.json()["data"] if each["validFrom"] == str(thanksgiving))
    assert coach.delete(f"{PATH}/{dropped['id']}").status_code == 204

    assert stack.user().post(HOLIDAYS, body).status_code == 403
    for wrong, pointer in (
        ({"country": "XX"}, "#/country"),
        ({"subdivision": "ZZ"}, "#/subdivision"),
        ({"except": [f"{YEAR}-12-25", f"{YEAR}-12-26"]}, "#/except/1"),
        ({"year": 2020}, "#/year"),
    ):
        answer = coach.post(HOLIDAYS, {**body, **wrong})
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
