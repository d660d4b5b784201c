"""Figures counted anew in Python, from the rows alone: what the database keeps has to equal them."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

from tests.support.stack import Stack

DAY = timedelta(hours=24)


def drift(stack: Stack) -> list[dict[str, Any]]:
    """Where the kept figures are not what the database's own recount says."""
    with stack.database() as database:
        return list(database.execute("select * from private.metric_drift()").fetchall())


def half_up(exact: Fraction, places: int) -> float:
    """As Postgres rounds a numeric; Python's own round takes the even neighbour of 3.625, and 3.63 is wanted."""
    scale: int = 10**places
    return int(exact * scale + Fraction(1, 2)) / scale


def figures(
    stack: Stack, column: str, person: str, now: datetime, *, first: date = date.min, last: date = date.max
) -> dict[str, Any]:
    """What the API has to answer of the sessions whose `column` (coach_id or mentee_id) is this person."""
    with stack.database() as database:
        sessions = database.execute(f"select * from session where {column} = %s", [person]).fetchall()  # noqa: S608 - our own name
        told = database.execute(
            """select session_id, min(started_at) as begun, max(ended_at) as ended
               from private.meeting_instance group by session_id"""
        ).fetchall()
        reviews = database.execute(
            f"select * from review where {column} = %s and status = 'PUBLISHED'",  # noqa: S608 - our own name
            [person],
        ).fetchall()

    def inside(moment: datetime) -> bool:
        return first <= moment.astimezone(UTC).date() < last

    sessions = [each for each in sessions if inside(each["starts_at"])]
    stars = [each["rating"] for each in reviews if inside(each["created_at"])]
    count = Counter(each["status"] for each in sessions)
    gone = [each for each in sessions if each["status"] == "CANCELLED"]
    by = Counter(each["cancelled_by"] for each in gone)
    early = sum(each["starts_at"] - each["cancelled_at"] >= DAY for each in gone)
    booked = [each for each in sessions if each["status"] != "EXPIRED"]
    ended = count["COMPLETED"] + count["CANCELLED"] + count["NO_SHOW"]
    minutes = sum(each["duration_minutes"] for each in sessions if each["status"] == "COMPLETED")

    lengths = {each["session_id"]: each["ended"] - each["begun"] for each in told if each["ended"] and each["begun"]}
    actual = [
        max(0, int(half_up(Fraction(lengths[each["id"]] // timedelta(microseconds=1), 60_000_000), 0)))
        for each in sessions
        if each["status"] == "COMPLETED" and each["id"] in lengths
    ]
    types = Counter(each["type"] for each in booked)

    def share(part: int) -> float | None:
        return half_up(Fraction(part, ended), 4) if ended else None

    def mean(values: list[int]) -> float | None:
        return half_up(Fraction(sum(values), len(values)), 2) if values else None

    return {
        "total": len(booked),
        "upcoming": sum(each["status"] == "SCHEDULED" and each["starts_at"] > now for each in sessions),
        "pendingPayment": count["PENDING_PAYMENT"],
        "scheduled": count["SCHEDULED"],
        "inProgress": count["IN_PROGRESS"],
        "completed": count["COMPLETED"],
        "noShow": count["NO_SHOW"],
        "expired": count["EXPIRED"],
        "cancelled": {
            "total": len(gone),
            "byMentee": by["MENTEE"],
            "byCoach": by["COACH"],
            "byAdmin": by["ADMIN"],
            "bySystem": by["SYSTEM"],
            "withNotice": early,
            "late": len(gone) - early,
        },
        "byType": {
            "coaching": types["COACHING"],
            "introduction": types["INTRODUCTION"],
            "followUp": types["FOLLOW_UP"],
        },
        "hours": half_up(Fraction(minutes, 60), 2),
        "averageDuration": mean([each["duration_minutes"] for each in booked]),
        "averageActualDuration": mean(actual),
        "completionRate": share(count["COMPLETED"]),
        "cancellationRate": share(len(gone)),
        "responseRate": share(ended - by["COACH"]),
        "averageRating": mean(stars),
        "reviewCount": len(stars),
    }


def roll_up(stack: Stack) -> int:
    """Run the job: how many changes it folded."""
    event = {"time": "2027-03-01T09:15:00Z", "detail": {}}
    answer = stack.http.post("/_dev/invoke/roll_up_metrics", json=event).raise_for_status().json()
    assert "result" in answer, answer
    folded: int = answer["result"]["folded"]
    return folded
