"""What the tests of the runtime share."""

from collections.abc import Callable, Iterator

import pytest

from tests.integration.devstack.local import Local


@pytest.fixture(scope="module")
def new_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Local]]:
    """Makes what the tests of a module share; stopped when they are done."""
    made: list[Local] = []

    def new() -> Local:
        made.append(Local(tmp_path_factory.mktemp("local")))
        return made[-1]

    yield new
    for local in made:
        local.stop()
