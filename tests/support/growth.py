"""What is wrong with credit; requests about goals and achievements that would be carried out as they stand."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from coachline.problems import Problem
from tests.support.stack import SignedIn, Stack
from tests.support.story import GOAL

if TYPE_CHECKING:
    from tests.support.hostile import World

CRITERIA = {"metric": "GOALS_COMPLETED", "operator": "AT_LEAST", "threshold": 7.5, "window": "YEAR", "streak": None}
DEFINITION = {"code": "many_goals", "title": "Many", "description": "A year", "type": "MILESTONE", "criteria": CRITERIA}
GRANT = {"code": "first_goal", "reason": "Completed before"}

Writes = list[tuple[str, str, SignedIn, dict[str, Any]]]


def writes(world: "World") -> Writes:
    """Each as method, route, caller and body; numbers with a fraction, so that they are attacked as such."""
    return [
        ("POST", "/api/goals", world.mentee, {**GOAL, "targetValue": 10.5, "milestones": [5.5]}),
        ("PATCH", "/api/goals/{id}", world.mentee, {"title": "Nine listings", "targetValue": 9.5}),
        ("DELETE", "/api/goals/{id}", world.mentee, {}),
        ("POST", "/api/goals/{id}/progress", world.mentee, {"amount": 1.5, "note": "12 Elm Street"}),
        ("POST", "/api/achievements/definitions", world.admin, DEFINITION),
        ("PATCH", "/api/achievements/definitions/{id}", world.admin, {"title": "Many goals", "type": "LEARNING"}),
        ("DELETE", "/api/achievements/definitions/{id}", world.admin, {}),
        ("POST", "/api/achievements/grants", world.admin, {"userId": world.coach.user_id, **GRANT}),
        ("DELETE", "/api/achievements/grants/{id}?reason=A%20test%20account", world.admin, {}),
    ]


def achieved(mentee: SignedIn, admin: SignedIn) -> dict[str, str]:
    """A definition that nobody was granted, and a grant of the mentee's: `definition_id` and `grant_id`."""
    made = admin.post("/api/achievements/definitions", {**DEFINITION, "code": f"x_{uuid4().hex}"})
    assert made.status_code == 201, made.text
    granted = admin.post("/api/achievements/grants", {"userId": mentee.user_id, **GRANT})
    assert granted.status_code == 201, granted.text
    return {"definition_id": made.json()["data"]["id"], "grant_id": granted.json()["data"]["id"]}


def give_credit(stack: Stack, user: SignedIn, amount: int = 2500, currency: str = "USD") -> None:
    with stack.database() as database:
        database.execute(
            "select private.grant_credit(%s, %s, %s, %s)", [user.user_id, currency, amount, f"gift {uuid4()}"]
        )


@contextmanager
def expected(refusal: str | None) -> Iterator[None]:
    """The block is refused with this code, or not at all."""
    code = None
    try:
        yield
    except Problem as problem:
        code = problem.code
    assert code == refusal


# Accounts that are not the sum of their entries, and sessions that gave back more credit than they took.
BROKEN_ACCOUNTS = """
    select a.user_id::text, a.currency from credit_account a
    left join lateral (select coalesce(sum(e.amount), 0) as balance, coalesce(sum(e.owed), 0) as owed
                       from credit_entry e where e.user_id = a.user_id and e.currency = a.currency) s on true
    where (a.balance, a.owed) <> (s.balance, s.owed) or a.balance < 0 or a.owed < 0
    union all
    select session_id::text, 'session' from credit_entry where session_id is not null
    group by session_id having sum(amount) > 0"""

# The coach gets the price less the fee, whatever it was paid with; and the credit is the entry's.
UNPAID_COACHES = """
    select p.id from private.payment p
    left join credit_entry e on e.session_id = p.session_id and e.kind = 'SPENT'
    where p.charge_amount - p.application_fee_amount + p.top_up_amount <> p.amount - p.fee_amount
       or (p.mentee_id::text = any(%s) and p.credit_amount <> coalesce(-e.amount, 0))"""
