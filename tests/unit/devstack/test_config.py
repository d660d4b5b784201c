"""Where the stack keeps things, and its keys."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from devstack.config import Config, Keys, StackError


def test_defaults_serve_port_3000_from_the_folder_devstack(tmp_path: Path) -> None:
    config = Config.from_env({}, root=tmp_path)

    assert config == Config(root=tmp_path, directory=tmp_path / ".devstack", port=3000, database="coachline")


def test_the_environment_moves_everything(tmp_path: Path) -> None:
    environment = {
        "PORT": "3100",
        "DEVSTACK_DIR": "other",
        "DEVSTACK_DATABASE": "worker_1",
        "DEVSTACK_POSTGRES_URL": "postgresql://postgres:x@127.0.0.1:5432/postgres",
    }

    config = Config.from_env(environment, root=tmp_path)

    assert (config.port, config.directory, config.database) == (3100, tmp_path / "other", "worker_1")
    assert config.postgres_url == environment["DEVSTACK_POSTGRES_URL"]


def test_an_absolute_directory_is_kept(tmp_path: Path) -> None:
    assert Config.from_env({"DEVSTACK_DIR": "/srv/stack"}, root=tmp_path).directory == Path("/srv/stack")


@pytest.mark.parametrize("port", ["zero", "0", "65536", "-1", "80 ", "٣"])
def test_a_port_that_is_none_is_refused(port: str, tmp_path: Path) -> None:
    with pytest.raises(StackError, match="PORT must be a number"):
        Config.from_env({"PORT": port}, root=tmp_path)


def test_keys_are_made_once_and_private(tmp_path: Path) -> None:
    made = Keys.load(tmp_path)

    assert Keys.load(tmp_path) == made
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]


def test_keys_look_like_those_of_their_providers(tmp_path: Path) -> None:
    keys = Keys.load(tmp_path)

    assert keys.publishable_key.startswith("sb_publishable_")
    assert keys.secret_key.startswith("sb_secret_")
    assert keys.clerk_webhook_secret.startswith("whsec_")
    assert keys.clerk_private_key != keys.stack_private_key
    for key in (keys.clerk_private_key, keys.stack_private_key):
        assert serialization.load_pem_private_key(key.encode(), None)


def test_a_key_that_an_older_stack_did_not_have_is_added(tmp_path: Path) -> None:
    made = Keys.load(tmp_path)
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "gate_key"}))

    again = Keys.load(tmp_path)

    assert again.gate_key != made.gate_key
    assert again.stack_private_key == made.stack_private_key
