"""The market of the benchmark, in small: its figures are right, and its stored slots are those that are offered."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.market import coach_id, fill
from tests.support.metrics import drift, figures
from tests.support.stack import Stack

COACHES, SESSIONS = 20, 600


def test_a_market_made_in_bulk_is_like_one_that_grew(stack: Stack) -> None:
    mentee, now = stack.user(), datetime.now(UTC)
    with stack.database() as database:
        fill(database, COACHES, SESSIONS)
        row = database.execute("select count(*) as n from session where rate_amount = 5000").fetchone()
    assert row is not None
    assert row["n"] > 0.9 * SESSIONS
    assert drift(stack) == []

    def shown(number: int) -> Any:
        return stack.http.get(f"/api/coach/{coach_id(number)}").json()["data"]

    computed = {number: shown(number) for number in range(1, COACHES + 1)}
    event = {"time": "2027-03-01T09:15:00Z", "detail": {}}
    job = stack.http.post("/_dev/invoke/refresh_next_free", json=event).raise_for_status().json()["result"]
    assert job["refreshed"] >= COACHES
    assert {number: shown(number) for number in computed} == computed, "stored as it was computed on the page"

    span = {"from": now.isoformat().replace("+00:00", "Z"), "to": f"{now + timedelta(days=30):%Y-%m-%dT00:00:00Z}"}
    for number in (1, 2, 3, 4):
        offered = mentee.get("/api/coaching/slots", params={"coachId": coach_id(number), **span}).json()["data"]
        assert offered[0]["start"] == computed[number]["nextFreeSlot"]
        counted = figures(stack, "coach_id", coach_id(number), now)
        assert computed[number]["completedSessions"] == counted["completed"] > 0
        assert computed[number]["averageRating"] == counted["averageRating"]
