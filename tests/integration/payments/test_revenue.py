"""GET /api/reports/revenue against a recount by another hand, over random histories put into the database."""

import csv
import io
from collections import Counter, defaultdict
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from tests.integration.payments.test_jobs import run
from tests.support.revenue_history import BEGIN, END, History
from tests.support.stack import SignedIn, Stack
from tests.support.story import iso

FIGURES = ("gross", "credits", "fees", "refunds", "feesRefunded", "disputes")


def month(at: datetime) -> datetime:
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def day(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def week(at: datetime) -> datetime:
    return max(BEGIN, day(at) - timedelta(days=at.weekday()))


PERIODS = {"total": lambda _: BEGIN, "day": day, "week": week, "month": month}


def asked(who: SignedIn, **more: Any) -> Any:
    return who.get("/api/reports/revenue", params={"from": iso(BEGIN), "to": iso(END), **more})


def figures(row: dict[str, Any]) -> Counter[str]:
    found = Counter({name: row[name]["amount"] for name in (*FIGURES, "coachShare")})
    assert {row[name]["currency"] for name in FIGURES} == {row["currency"]}
    found["sessions"] = row["sessions"]
    return found


@pytest.fixture(scope="module")
def history(stack: Stack) -> History:
    made = History(stack, seed=7)
    with stack.database() as database:
        made.write(database, 150)
    return made


@pytest.mark.parametrize("interval", PERIODS)
def test_every_figure_is_what_the_rows_say(stack: Stack, history: History, interval: str) -> None:
    report = asked(stack.user("ADMIN"), interval=interval).json()["data"]
    rows = {(row["periodStart"], row["coachId"], row["currency"]): figures(row) for row in report["rows"]}
    wanted = {
        (iso(p), coach, currency): each for (p, coach, currency), each in history.recount(PERIODS[interval]).items()
    }
    assert len(rows) == len(report["rows"])
    assert rows == wanted
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (_, _, currency), each in wanted.items():
        for name, amount in each.items():
            sums[currency][name] += amount
    assert {row["currency"]: figures(row) for row in report["totals"]} == dict(sums)


def test_a_coach_sees_his_own_and_no_other(stack: Stack, history: History) -> None:
    mine, other = history.coaches
    report = asked(mine).json()["data"]
    wanted = {key[2]: each for key, each in history.recount(PERIODS["total"]).items() if key[1] == mine.user_id}
    assert {row["coachId"] for row in report["rows"]} == {mine.user_id}
    assert {row["currency"]: figures(row) for row in report["rows"]} == wanted
    assert {row["currency"]: figures(row) for row in report["totals"]} == wanted
    assert asked(mine, coachId=other.user_id).status_code == 404
    assert asked(mine, coachId=mine.user_id).json()["data"] == report
    assert asked(history.mentee).status_code == 403
    chosen = asked(stack.user("ADMIN"), coachId=mine.user_id, currency="EUR").json()["data"]
    assert [figures(row) for row in chosen["rows"]] == [wanted["EUR"]]


def test_as_csv(stack: Stack, history: History) -> None:
    admin = stack.user("ADMIN")
    answer = asked(admin, format="csv", interval="month")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    wanted = asked(admin, interval="month").json()["data"]["rows"]
    of_rows = [(r["coachId"], r["currency"], r["gross"], r["coachShare"], r["disputes"]) for r in rows]
    assert of_rows == [
        (r["coachId"] or "", r["currency"], *(str(r[name]["amount"]) for name in ("gross", "coachShare", "disputes")))
        for r in wanted
    ]
    assert len(of_rows) > len(history.coaches)


def test_snapshots_of_days_are_the_report_by_day(stack: Stack, history: History) -> None:
    last = END - timedelta(days=1)
    with stack.database() as database:
        database.execute("select set_config('request.jwt.claims', '{\"role\": \"service_role\"}', false)")
        for _ in range(2):  # taken again, it is the same
            database.execute("select public.take_revenue_snapshot(%s, %s)", [BEGIN.date(), last.date()])
        rows = database.execute(
            "select * from private.revenue_snapshot where day between %s and %s", [BEGIN.date(), last.date()]
        ).fetchall()
    names = {name: name for name in ("gross", "credits", "fees", "refunds", "disputes", "sessions")}
    names["fees_refunded"] = "feesRefunded"
    taken = {}
    for row in rows:
        at, coach = datetime.combine(row["day"], time(), UTC), row["coach_id"] and str(row["coach_id"])
        taken[at, coach, row["currency"]] = {name: row[column] for column, name in names.items()}
    recount = history.recount(day)
    assert taken == {key: {name: each[name] for name in names.values()} for key, each in recount.items()}


def test_the_nightly_job_takes_the_last_week(stack: Stack) -> None:
    assert "revenueRows" in run(stack, "close_billing_day")


@pytest.mark.parametrize(
    "more",
    [
        {"interval": "year"},
        {"coachId": "x"},
        {"currency": "usd"},
        {"to": iso(BEGIN)},
        {"to": iso(BEGIN + timedelta(days=367))},
    ],
)
def test_what_cannot_be_reported(stack: Stack, more: dict[str, Any]) -> None:
    assert asked(stack.user("ADMIN"), **more).status_code == 422
