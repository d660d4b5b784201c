"""A member's changes rebuild every state that he was ever in, exactly: many edits, every instant between them."""

import os
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from tests.support.stack import Stack

HISTORIES = int(os.environ.get("HISTORIES") or 40)

_word = st.text(st.characters(exclude_categories=["Cc", "Cs"], max_codepoint=0x2FFF), min_size=1, max_size=8)
_edit = st.fixed_dictionaries(
    {},
    optional={
        "member_status": st.sampled_from(["ACTIVE", "INACTIVE", "PENDING", "SUSPENDED"]),
        "member_type": st.none() | _word,
        "designations": st.lists(_word, max_size=3),
        "languages": st.lists(st.sampled_from(["English", "Spanish", "French"]), max_size=3),
        "license_expiration": st.none() | st.dates().map(str),
        "company_name": st.none() | _word,
        "phone": st.none() | st.sampled_from(["+12125550142", "+442079460958"]),
        "bio": st.none() | _word,
        "aor": st.none() | _word,
    },
)
_STATE = """select to_jsonb(m) - array['user_id', 'version', 'created_at', 'updated_at'] as state, m.updated_at
            from member_profile m where user_id = %s"""


def _apply(database: psycopg.Connection[DictRow], user_id: str, edit: dict[str, Any]) -> None:
    """The edit as any writer would make it: one statement, whatever it changes, past every route."""
    database.execute(
        "insert into member_profile (user_id, created_at, updated_at) values (%s, private.now(), private.now()) "
        "on conflict do nothing",
        [user_id],
    )
    columns = list(edit) or ["bio"]
    update = sql.SQL(
        """update member_profile m set ({}) = row({})
           from member_profile o, jsonb_populate_record(o, %s) r where o.user_id = m.user_id and m.user_id = %s"""
    ).format(*(sql.SQL(", ").join(sql.Identifier(*at, name) for name in columns) for at in ((), ("r",))))
    database.execute(update, [Jsonb(edit), user_id])


@pytest.fixture(scope="module")
def owner(stack: Stack) -> str:
    return stack.user().user_id


@settings(max_examples=HISTORIES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(_edit, min_size=1, max_size=6))
def test_the_changes_rebuild_every_past_state(stack: Stack, edits: list[dict[str, Any]]) -> None:
    with stack.database() as database:
        made = database.execute(
            "insert into user_account (clerk_id, email) values (%s, %s) returning id",
            [f"user_{uuid4().hex}", f"{uuid4().hex}@example.com"],
        ).fetchone()
        assert made is not None
        user_id, states = str(made["id"]), []
        assert _as_of(database, user_id, None) is None
        for edit in edits:
            _apply(database, user_id, edit)
            row = database.execute(_STATE, [user_id]).fetchone()
            assert row is not None
            states.append((row["updated_at"], row["state"]))
        first = states[0][0]
        assert _as_of(database, user_id, first - timedelta(days=1)) is None
        for index, (instant, state) in enumerate(states):
            assert _as_of(database, user_id, instant) == state
            if index + 1 < len(states):
                assert _as_of(database, user_id, states[index + 1][0] - timedelta(microseconds=1)) == state
        assert _as_of(database, user_id, None) == states[-1][1]


def test_a_transaction_that_began_earlier_and_wrote_later_does_not_change_the_past(stack: Stack, owner: str) -> None:
    """Its clock is behind the change it waited for; its own change must count as the later one."""
    with stack.database() as early, stack.database() as late:
        early.execute("begin")
        early.execute("select private.now()")
        _apply(late, owner, {"bio": "late"})
        _apply(early, owner, {"bio": "early began first, wrote last"})
        early.execute("commit")
        row = late.execute(_STATE, [owner]).fetchone()
        assert row is not None
        assert _as_of(late, owner, row["updated_at"]) == _as_of(late, owner, None) == row["state"]
        times = late.execute("select changed_at from member_change where user_id = %s order by id", [owner]).fetchall()
    assert times == sorted(times, key=lambda change: change["changed_at"])


def _as_of(database: psycopg.Connection[DictRow], user_id: str, instant: Any) -> Any:
    row = database.execute("select private.member_as_of(%s, %s) as state", [user_id, instant]).fetchone()
    assert row is not None
    return row["state"]
