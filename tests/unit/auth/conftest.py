import pytest

from tests.unit.auth.tokens import SigningKey


@pytest.fixture(scope="session")
def key() -> SigningKey:
    return SigningKey()


@pytest.fixture(scope="session")
def other_key() -> SigningKey:
    return SigningKey("key-2")
