"""The figures of sessions: who may see which, what they say, and that they are right at once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.metrics import drift, figures, roll_up
from tests.support.stack import SignedIn, Stack
from tests.support.story import at, book, next_weekday, published_coach

MINE = "/api/sessions/metrics"


def asked(who: SignedIn, path: str = MINE, **query: str) -> Any:
    answer = who.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def plain(metrics: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metrics.items() if key not in {"role", "from", "to", "periods", "start"}}


def move(stack: Stack, session_id: str, status: str, actor: str = "SYSTEM", at_instant: datetime | None = None) -> None:
    with stack.database() as database:
        database.execute(
            """select private.move_session(id, %s, %s, null, null,
                 case when %s = 'NO_SHOW' then 'MENTEE'::session_actor end, coalesce(%s, ends_at))
               from session where id = %s""",
            [status, actor, status, at_instant, session_id],
        )


@pytest.fixture(scope="module")
def story(stack: Stack) -> tuple[SignedIn, SignedIn, list[datetime]]:
    """One session of each outcome, two of them cancelled by different people with and without notice."""
    coach, mentee, monday = published_coach(stack), stack.user(), next_weekday()
    starts = [at(monday + timedelta(days=day), "10:00") for day in (0, 1, 2, 3, 4, 7)]
    booked = [book(mentee, coach, start, 60 if start > starts[0] else 120).json() for start in starts]
    sessions = [each["data"]["id"] for each in booked]
    move(stack, sessions[0], "COMPLETED")
    move(stack, sessions[1], "COMPLETED")
    move(stack, sessions[2], "NO_SHOW")
    move(stack, sessions[3], "CANCELLED", "MENTEE", starts[3] - timedelta(hours=24))
    move(stack, sessions[4], "CANCELLED", "COACH", starts[4] - timedelta(hours=24, microseconds=-1))
    for session_id, rating in ((sessions[0], 5), (sessions[1], 4)):
        assert mentee.post(f"/api/sessions/{session_id}/review", {"rating": rating}).status_code == 201
    return coach, mentee, starts


def test_the_figures_say_what_happened(stack: Stack, story: Any) -> None:
    coach, mentee, _ = story
    found = asked(coach, role="COACH")
    assert plain(found) == figures(stack, "coach_id", coach.user_id, datetime.now(UTC))
    assert (found["total"], found["upcoming"], found["completed"], found["noShow"]) == (6, 1, 2, 1)
    assert found["cancelled"] == {
        "total": 2,
        "byMentee": 1,
        "byCoach": 1,
        "byAdmin": 0,
        "bySystem": 0,
        "withNotice": 1,
        "late": 1,
    }
    assert (found["completionRate"], found["cancellationRate"], found["responseRate"]) == (0.4, 0.4, 0.8)
    assert (found["hours"], found["averageDuration"], found["averageRating"], found["reviewCount"]) == (3, 70, 4.5, 2)
    assert (found["role"], found["from"], found["to"], found["periods"]) == ("COACH", None, None, None)
    assert plain(asked(mentee)) == plain(found)
    assert plain(asked(coach, f"/api/coach/{coach.user_id}/metrics")) == plain(found)


def test_they_are_the_same_before_and_after_the_job(stack: Stack, story: Any) -> None:
    coach, _, _ = story
    before = asked(coach)
    roll_up(stack)
    with stack.database() as database:
        left = database.execute("select 1 from private.metric_delta where coach_id = %s", [coach.user_id]).fetchall()
    assert (left, roll_up(stack)) == ([], 0)
    assert asked(coach) == before
    assert drift(stack) == []


def test_nobody_s_figures_are_null_and_not_zero_where_there_is_nothing_to_share(stack: Stack) -> None:
    found = asked(stack.user())
    assert found["total"] == 0
    assert {key for key, value in plain(found).items() if value is None} == {
        "averageDuration",
        "averageActualDuration",
        "completionRate",
        "cancellationRate",
        "responseRate",
        "averageRating",
    }


@pytest.mark.parametrize("step", ["day", "week", "month"])
def test_periods_add_up_to_the_whole(stack: Stack, story: Any, step: str) -> None:
    coach, _, starts = story
    first, last = (starts[0] - timedelta(days=40)).date(), (starts[-1] + timedelta(days=1)).date()
    found = asked(coach, **{"from": first.isoformat(), "to": last.isoformat(), "by": step})
    for key in ("total", "upcoming", "completed", "noShow", "reviewCount", "hours"):
        assert sum(period[key] for period in found["periods"]) == found[key], key
    begun = [datetime.fromisoformat(period["start"]).date() for period in found["periods"]]
    assert begun == sorted(set(begun))
    if step == "week":
        assert {day.weekday() for day in begun} == {0}
    if step == "month":
        assert {day.day for day in begun} == {1}
    if step == "day":
        day = starts[2].date()
        [one] = [period for period in found["periods"] if period["start"] == day.isoformat()]
        assert plain(one) == figures(
            stack, "coach_id", coach.user_id, datetime.now(UTC), first=day, last=day + timedelta(days=1)
        )


def test_an_instant_stands_for_its_whole_day(stack: Stack, story: Any) -> None:
    coach, _, starts = story
    day = starts[1].date()
    found = asked(coach, **{"from": f"{day}T23:00:00Z", "to": f"{day}T23:30:00Z"})
    assert (found["from"], found["to"], found["total"]) == (str(day), str(day + timedelta(days=1)), 1)
    assert asked(coach, **{"from": f"{day}T00:00:00Z", "to": f"{day + timedelta(days=1)}T00:00:00Z"})["total"] == 1
    assert asked(coach, **{"from": str(day), "to": str(day)})["total"] == 0


def test_upcoming_is_what_has_not_begun_at_this_moment(frozen: Stack) -> None:
    coach, mentee, monday = published_coach(frozen), frozen.user(), next_weekday()
    for clock in ("10:00", "15:00"):
        assert book(mentee, coach, at(monday, clock)).status_code == 201
    assert book(mentee, coach, at(monday + timedelta(days=1), "10:00")).status_code == 201
    for moment, left in (("09:59", 3), ("10:00", 2), ("16:00", 1)):
        frozen.clock(at(monday, moment).isoformat().replace("+00:00", "Z"))
        fresh = frozen.http.post("/_dev/token", json={"userId": coach.user_id}).json()["token"]
        answer = frozen.client(fresh).get(MINE)
        assert answer.json()["data"]["upcoming"] == left, (moment, answer.text)


def test_figures_are_seen_by_their_owner_and_admins(stack: Stack, story: Any) -> None:
    coach, mentee, _ = story
    admin, rival = stack.user("ADMIN"), published_coach(stack)
    path = f"/api/coach/{coach.user_id}/metrics"
    assert plain(asked(admin, path)) == plain(asked(coach, path))
    assert [who.get(path).status_code for who in (mentee, rival, stack.user())] == [403, 404, 403]
    assert stack.http.get(path).status_code == 401
    assert mentee.get(MINE, params={"role": "ADMIN"}).status_code == 403
    assert mentee.get(MINE, params={"role": "COACH"}).status_code == 403
    platform = asked(admin)
    assert platform["role"] == "ADMIN"
    with stack.database() as database:
        row = database.execute("select count(*) as n from session where status <> 'EXPIRED'").fetchone()
    assert row is not None
    assert platform["total"] == row["n"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"from": "2027-03-02", "to": "2027-03-01"}, "to"),
        ({"from": "2027-01-01", "to": "2029-01-01", "by": "day"}, "to"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2027-02-30"}, "from"),
        ({"to": "9999-12-31"}, "to"),
        ({"to": "0001-01-01T00:00:00+14:00"}, "to"),
        ({"by": "year"}, "by"),
        ({"role": "coach"}, "role"),
        ({"coachId": "x"}, "coachId"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_by_name(stack: Stack, query: dict[str, str], parameter: str) -> None:
    answer = stack.user().get(MINE, params=query)
    assert (answer.status_code, [error["parameter"] for error in answer.json()["errors"]]) == (422, [parameter])
