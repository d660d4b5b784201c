import time
from collections.abc import Callable, Iterator

import pytest

from coachline import auth
from coachline.problems import Unauthenticated
from tests.unit.api import shop
from tests.unit.api.events import Answer, asking

GOOD = {"authorization": "Bearer a.b.c"}


@pytest.fixture(autouse=True)
def signed_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`Bearer a.b.c` is a good token; how real ones are checked is tested in tests/unit/auth."""

    def verify(token: str) -> auth.Principal:
        if token != "a.b.c":
            raise Unauthenticated(auth.MALFORMED)
        return auth.Principal("user_1", token, "sess_1", "https://app.test", None)

    monkeypatch.setattr(auth, "verify", verify)
    yield
    shop.calls.clear()


@pytest.fixture
def anonymous() -> Callable[..., Answer]:
    """Ask the shop without a token."""
    return asking(shop.lambda_handler)


@pytest.fixture
def ask_shop(anonymous: Callable[..., Answer]) -> Callable[..., Answer]:
    """Ask the shop with a good token and, as a POST needs it, an Idempotency-Key."""

    def ask(method: str, path: str, *, headers: dict[str, str] | None = None, **parts: object) -> Answer:
        return anonymous(method, path, headers={**GOOD, "idempotency-key": "k1", **(headers or {})}, **parts)

    return ask


@pytest.fixture
def stopwatch() -> Callable[[], float]:
    """Seconds of this process's own time since the test began."""
    started = time.process_time()
    return lambda: time.process_time() - started
