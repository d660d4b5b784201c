"""kill -9 of each part in the middle of a booking storm: it comes back, and no booking is lost or made twice."""

import os
import random
from collections.abc import Iterator

import pytest

from tests.integration.devstack.crashes import PARTS, OwnStack, People, Round

CYCLES = int(os.environ.get("CRASH_CYCLES") or 1)  # `make test-crashes` runs more
SEED = int(os.environ.get("CRASH_SEED") or 1)


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnStack]:
    """With a Postgres of its own, in a folder that whoever Postgres runs as can reach."""
    directory = tmp_path_factory.mktemp("crashes")
    for folder in (directory, directory.parent):
        folder.chmod(0o755)
    own = OwnStack(directory)
    own.start()
    yield own
    if own.stack.process and own.stack.process.poll() is None:
        own.stop()


def test_each_part_killed_in_a_storm_comes_back_and_nothing_is_lost(own: OwnStack) -> None:
    chosen, people, number = random.Random(SEED), People(own.stack), 0  # noqa: S311 - no secret
    for cycle in range(CYCLES):
        # The supervisor last: a new one has seen no deaths, and so does not stop at the third of a part.
        for part in [*chosen.sample(list(PARTS), len(PARTS)), "supervisor"]:
            after = chosen.randint(3, 30)
            print(f"cycle {cycle}: {part} killed after {after} answers (seed {SEED})")
            round_ = Round(own, people, number)
            round_.run(part, after)
            assert all(attempt.settled for attempt in round_.attempts)
            number += 1
    own.stop()
