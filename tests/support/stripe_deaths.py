"""A process that dies at any point of what it does with the database and with Stripe."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import stripe

from coachline.database import Database
from coachline.payments import stripe_api
from tests.support.stack import Stack
from tests.support.stripe_world import World, world


class Died(BaseException):
    """What a process that is killed would raise if it could."""


@dataclass
class Fate:
    """Counts the points at which a process may die: before and after each call of the database and write at Stripe."""

    left: int = 1_000_000
    passed: list[str] = field(default_factory=list)

    def at(self, point: str) -> None:
        self.left -= 1
        if self.left < 0:
            raise Died(point)
        self.passed.append(point)


class MortalStripe(stripe.RequestsClient):
    """Stripe for a process that dies."""

    fate = Fate()

    def request(self, method: str, url: str, headers: Any, post_data: Any = None, **options: Any) -> Any:
        if method == "get":
            return super().request(method, url, headers, post_data, **options)
        self.fate.at(f"before {method} {url}")
        answer = super().request(method, url, headers, post_data, **options)
        self.fate.at(f"after {method} {url}")
        return answer


@contextmanager
def mortal_world(stack: Stack, directory: Path) -> Iterator[World]:
    """A world in which this process dies when `MortalStripe.fate` says so."""
    with world(stack, directory) as made, pytest.MonkeyPatch.context() as patch:
        call = Database._call

        def mortal(database: Database, function: str, arguments: dict[str, Any]) -> Any:
            MortalStripe.fate.at(f"before {function}")
            answer = call(database, function, arguments)
            MortalStripe.fate.at(f"after {function}")
            return answer

        patch.setattr(Database, "_call", mortal)
        patch.setattr(stripe, "RequestsClient", MortalStripe)
        stripe_api.client.cache_clear()
        yield made
        MortalStripe.fate = Fate()
