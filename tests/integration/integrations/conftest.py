"""A Zoom account, and sessions to meet in."""

from collections.abc import Iterator

import pytest

from tests.support.stack import Stack
from tests.support.zoom import ZoomAccount


@pytest.fixture
def zoom(stack: Stack) -> Iterator[ZoomAccount]:
    """The account, without the faults of the test before."""
    account = ZoomAccount(stack)
    account.control(faults=[], strangers=[])
    yield account
    account.control(faults=[], strangers=[])
