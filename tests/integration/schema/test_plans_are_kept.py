"""What a request runs in the database keeps its plans (ADR 053)."""

import re

import pytest

from tests.support.stack import Stack

CALLED = re.compile(r"\b((?:private|public)\.\w+)\(")
FUNCTIONS = """
    select p.pronamespace::regnamespace || '.' || p.proname as name, p.prosrc as body,
           l.lanname = 'sql' and p.provolatile <> 'i' as planned_anew
    from pg_proc p join pg_language l on l.oid = p.prolang
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)"""


@pytest.mark.parametrize(
    "entry", ["private.guard", "public.list_coaches", "public.get_coach", "public.booking_context"]
)
def test_nothing_that_a_request_reaches_is_planned_anew_with_every_call(stack: Stack, entry: str) -> None:
    with stack.database() as database:
        rows = list(database.execute(FUNCTIONS))
    bodies: dict[str, str] = {}
    for row in rows:
        bodies[row["name"]] = bodies.get(row["name"], "") + row["body"]
    reached, ahead = set[str](), {entry}
    while ahead:
        reached |= ahead
        ahead = {name for each in ahead for name in CALLED.findall(bodies[each]) if name in bodies} - reached

    assert len(reached) > 1
    assert not {row["name"] for row in rows if row["planned_anew"]} & reached
