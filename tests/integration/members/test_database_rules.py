"""What the rule table promises of stored data holds for every writer where the database can know it."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import DictRow

from coachline.members.rules import FIELDS, ON_ACCOUNT, RULES, Field
from tests.support.stack import Stack

# What the tables do not know: lists that RESO publishes, who has which role, what day it is, what is a slip.
BEYOND = {"one", "many", "text", "lines", "required", "since", "years_ahead", "not_past", "paired", "matches"}
LENGTHS = [field for field in (*FIELDS, *ON_ACCOUNT) if field.length]
TEXTS = [field for field in FIELDS if field.kind in {"text", "lines", "phone"}]


@pytest.fixture
def database(stack: Stack) -> Iterator[psycopg.Connection[DictRow]]:
    with stack.database() as connection:
        connection.execute("begin")
        yield connection
        connection.execute("rollback")


@pytest.fixture
def member(stack: Stack, database: psycopg.Connection[DictRow]) -> str:
    return made(stack, database)


def made(stack: Stack, database: psycopg.Connection[DictRow]) -> str:
    user_id = stack.user().user_id
    database.execute("insert into member_profile (user_id) values (%s)", [user_id])
    return user_id


def write(database: psycopg.Connection[DictRow], user_id: str, **values: Any) -> str | None:
    """The name of the constraint that refuses the values, None when they are taken."""
    account = set(values) <= {field.name for field in ON_ACCOUNT}
    table, key = ("user_account", "id") if account else ("member_profile", "user_id")
    assigned = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), value) for name, value in values.items()
    )
    statement = sql.SQL("update {} set {} where {} = {}").format(
        sql.Identifier(table), assigned, sql.Identifier(key), user_id
    )
    try:
        with database.transaction():
            assert database.execute(statement).rowcount == 1
    except psycopg.errors.IntegrityError as refused:
        return refused.diag.constraint_name or refused.diag.column_name
    except psycopg.DataError as refused:
        return type(refused).__name__
    return None


def longest(field: Field, more: int = 0) -> str:
    """As long as the rule table allows, and `more`, of characters of four bytes where any may stand."""
    size = int(field.length or 0) + more
    return "+1" + "2" * (size - 2) if field.kind == "phone" else "\U0001d538" * size


def test_every_rule_is_the_databases_or_beyond_it() -> None:
    assert {rule.check for rule in RULES} == BEYOND | {"length", "phone", "date", "unique"}


@pytest.mark.parametrize("field", LENGTHS, ids=lambda field: field.name)
def test_lengths_in_characters_are_those_of_the_rule_table(
    database: psycopg.Connection[DictRow], member: str, field: Field
) -> None:
    assert write(database, member, **{field.name: longest(field)}) is None
    assert str(write(database, member, **{field.name: longest(field, 1)})).endswith("_check")


@pytest.mark.parametrize("field", TEXTS, ids=lambda field: field.name)
def test_an_empty_text_is_no_value(database: psycopg.Connection[DictRow], member: str, field: Field) -> None:
    assert str(write(database, member, **{field.name: ""})).endswith("_check")
    assert write(database, member, **{field.name: None}) is None


@pytest.mark.parametrize(
    ("column", "value", "refused_by"),
    [
        ("license_number", "ab1", "member_profile_license_check"),
        ("license_state", "California", "member_profile_license_check"),
        ("license_state", "ca", "member_profile_license_check"),
        ("license_expiration", "2027-02-30", "DatetimeFieldOverflow"),
        ("license_expiration", "soon", "InvalidDatetimeFormat"),
        ("member_status", "RETIRED", "InvalidTextRepresentation"),
        ("member_status", None, "member_status"),
        ("designations", None, "designations"),
        ("languages", None, "languages"),
        ("phone", "212-555-0142", "member_profile_phone_check"),
        ("phone", "+0125550142", "member_profile_phone_check"),
        ("phone", "+12125550142\n", "member_profile_phone_check"),
        ("bio", "a\0b", "DataError"),
    ],
)
def test_no_writer_stores_another_form(
    database: psycopg.Connection[DictRow], member: str, column: str, value: Any, refused_by: str
) -> None:
    assert write(database, member, **{column: value}) == refused_by


def test_keys_and_licences_are_one_members(stack: Stack, database: psycopg.Connection[DictRow], member: str) -> None:
    other = made(stack, database)
    for taken, index in (
        ({"member_key": "K-1995"}, "member_profile_member_key_key"),
        ({"license_number": "L 1995", "license_state": "NY"}, "member_profile_license_key"),
        ({"license_number": "L 1995", "license_state": None}, "member_profile_license_key"),
    ):
        assert write(database, member, **taken) is None
        assert write(database, other, **taken) == index
    assert write(database, other, license_number="L 1995", license_state="CA") is None
