"""Credit kept the slow way, to hold the database's against."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Ledger:
    """What an account of one person and currency must be; grants and clawbacks by their keys, sessions by any name."""

    balance: int = 0
    owed: int = 0
    given: dict[str, int] = field(default_factory=dict)
    clawed: dict[str, int] = field(default_factory=dict)
    taken: dict[Any, int] = field(default_factory=dict)
    returned: dict[Any, int] = field(default_factory=dict)

    def receive(self, amount: int) -> None:
        settled = min(self.owed, amount)
        self.owed -= settled
        self.balance += amount - settled

    def grant(self, key: str, amount: int) -> int:
        if key not in self.given:
            self.given[key] = amount
            self.receive(amount)
        return self.given[key]

    def take(self, session: Any, wanted: int) -> int:
        if session not in self.taken:
            taken = min(wanted, self.balance)
            if taken == 0:
                return 0
            self.taken[session] = taken
            self.balance -= taken
        return self.taken[session]

    def give_back(self, session: Any, amount: int | None) -> int:
        left = self.taken.get(session, 0) - self.returned.get(session, 0)
        back = left if amount is None else min(amount, left)
        self.returned[session] = self.returned.get(session, 0) + back
        self.receive(back)
        return back

    def claw_back(self, key: str, amount: int) -> int:
        if not self.given:
            return 0
        if key not in self.clawed:
            self.clawed[key] = min(amount, self.balance)
            self.balance -= self.clawed[key]
            self.owed += amount - self.clawed[key]
        return self.clawed[key]
