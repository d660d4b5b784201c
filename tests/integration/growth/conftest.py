"""An admin, a coach who can be booked, and the database as the service sees it, past every wall."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.support.achievements import as_service
from tests.support.stack import SignedIn, Stack
from tests.support.story import published_coach


@pytest.fixture(scope="module")
def admin(stack: Stack) -> SignedIn:
    return stack.user("ADMIN")


@pytest.fixture(scope="module")
def coach(stack: Stack) -> SignedIn:
    return published_coach(stack)


@pytest.fixture(scope="module")
def database(stack: Stack) -> Iterator[psycopg.Connection[DictRow]]:
    with stack.database() as connection:
        as_service(connection)
        yield connection
