"""An admin, and the database as the service sees it, past every wall."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import DictRow

from tests.support.achievements import as_service
from tests.support.stack import SignedIn, Stack


@pytest.fixture(scope="module")
def admin(stack: Stack) -> SignedIn:
    return stack.user("ADMIN")


@pytest.fixture(scope="module")
def database(stack: Stack) -> Iterator[psycopg.Connection[DictRow]]:
    with stack.database() as connection:
        as_service(connection)
        yield connection
