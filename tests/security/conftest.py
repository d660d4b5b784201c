"""What hostile requests are aimed at."""

import pytest

from tests.support.hostile import World, Write, make_world, writes
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def world(stack: Stack) -> World:
    return make_world(stack)


@pytest.fixture(scope="module")
def ready(world: World) -> dict[tuple[str, str], Write]:
    """Every write route, ready to succeed as long as nothing does."""
    return writes(world)


@pytest.fixture
def write(ready: dict[tuple[str, str], Write], request: pytest.FixtureRequest) -> Write:
    """The write route that the test is parametrised with."""
    return ready[request.param]
