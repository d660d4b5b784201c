"""What hostile requests are aimed at."""

import pytest

from tests.support.hostile import World, Write, make_world, writes
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def world(stack: Stack) -> World:
    return make_world(stack)


@pytest.fixture
def write(world: World, request: pytest.FixtureRequest) -> Write:
    """The write route that the test is parametrised with."""
    return writes(world)[request.param]
