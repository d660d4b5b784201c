"""One Postgres server for a whole run, started by the controlling process; one stack for each worker that needs it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import ROOT, Stack, on_test_server, running_stack

_SERVER_URL = "COACHLINE_TEST_SERVER"  # as tests.support.stack.on_test_server reads it
_server: subprocess.Popen[str] | None = None
_directory: tempfile.TemporaryDirectory[str] | None = None


def pytest_configure(config: pytest.Config) -> None:
    global _server, _directory  # noqa: PLW0603 - one server for the run
    if (
        hasattr(config, "workerinput")
        or config.option.collectonly
        or _SERVER_URL in os.environ
        or not _wants_stack(config)
    ):
        return
    _directory = tempfile.TemporaryDirectory(prefix="coachline-test-")
    # Readable for the unprivileged user that Postgres runs as when the tests are run by root.
    Path(_directory.name).chmod(0o755)
    _server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.postgres_server", _directory.name],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert _server.stdout is not None
    url = _server.stdout.readline().strip()
    if not url:
        pytest.exit("The test database did not start; its messages are above.", returncode=1)
    os.environ[_SERVER_URL] = url


def pytest_unconfigure(config: pytest.Config) -> None:
    if _server is not None:
        _server.communicate()
        os.environ.pop(_SERVER_URL, None)
    if _directory is not None:
        _directory.cleanup()


def _wants_stack(config: pytest.Config) -> bool:
    without = [ROOT / "tests" / name for name in ("unit", "bench")]
    paths = [Path(argument.split("::")[0]).resolve() for argument in config.args]
    return any(not any(path.is_relative_to(each) for each in without) for path in paths)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Stack]:
    """This worker's stack, without demo data."""
    directory = tmp_path_factory.mktemp("stack")
    with running_stack(directory, on_test_server(f"coachline_{worker_id}")) as stack:
        yield stack


@pytest.fixture
def frozen(stack: Stack) -> Iterator[Stack]:
    """The stack with a clock that the test may pin; it runs again afterwards."""
    yield stack
    stack.clock(None)
