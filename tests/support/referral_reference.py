"""Referrals, sessions and credit worked out the slow way, to hold the database's against."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.support.ledger import Ledger
from tests.support.referrals import HOLD, REWARD

# A reward or two, and what is charged still counts; with four, nothing is charged.
PRICE, FEE, MINIMUM, SMALLEST, CAP = 8000, 680, 5000, 50, 2
REDEEM, EXPIRY = timedelta(days=30), timedelta(days=180)


@dataclass
class Session:
    """A session by the reference; of its price, `charged` was or is to be paid in money and `credit` with credit."""

    mentee: str
    end: datetime
    credit: int
    status: str
    completed: datetime | None = None
    refunded: int = 0
    returned: int = 0
    dispute: str | None = None
    lost: bool = False

    @property
    def charged(self) -> int:
        return PRICE - self.credit

    @property
    def paid(self) -> bool:
        return self.status in ("SCHEDULED", "COMPLETED") or self.called_off

    @property
    def called_off(self) -> bool:
        return self.status == "CANCELLED"

    @property
    def kept(self) -> int:
        """In money."""
        return self.charged - self.refunded if self.paid and not self.lost else 0

    @property
    def left(self) -> int:
        return PRICE - self.refunded - self.returned

    def give_back(self, wanted: int) -> int:
        """What of it is credit: both in the proportion in which they were paid, rounded on everything so far."""
        money = (2 * self.charged * (self.refunded + self.returned + wanted) + PRICE) // (2 * PRICE) - self.refunded
        self.refunded += money
        self.returned += wanted - money
        return wanted - money


@dataclass
class Bringing:
    """A referral by the reference."""

    referrer: str
    referee: str
    redeemed: datetime
    status: str = "SIGNED_UP"
    session: str | None = None
    rewarded: datetime | None = None
    referrer_amount: int = REWARD

    @property
    def expires(self) -> datetime:
        return self.redeemed + EXPIRY


@dataclass
class Reference:
    """All of it."""

    joined: dict[str, datetime] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    referrals: dict[str, Bringing] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)

    def join(self, person: str, now: datetime) -> None:
        self.joined[person], self.ledgers[person] = now, Ledger()

    def refusal(self, person: str, owner: str, now: datetime) -> str | None:
        """Why a person cannot redeem an owner's code."""
        if any(r.referee == person for r in self.referrals.values()):
            return "referral_redeemed"
        if now >= self.joined[person] + REDEEM:
            return "referral_too_late"
        if person == owner:
            return "own_referral_code"
        return "referral_code_invalid" if person in self._above(owner) else None

    def _above(self, person: str) -> set[str]:
        found = {r.referrer for r in self.referrals.values() if r.referee == person}
        return found | {up for each in found for up in self._above(each)}

    # ---- Sessions

    def credit_for(self, person: str) -> int:
        """What a booking takes of somebody's balance: the whole price, or no more than leaves a charge to be made."""
        balance = self.ledgers[person].balance
        return PRICE if balance >= PRICE else max(min(balance, PRICE - SMALLEST), 0)

    def book(self, key: str, person: str, end: datetime, *, pays: bool) -> None:
        wanted = self.credit_for(person)
        status = "SCHEDULED" if pays or wanted == PRICE else "PENDING_PAYMENT"
        self.sessions[key] = Session(person, end, self.ledgers[person].take(key, wanted), status)

    def give_back(self, key: str, wanted: int) -> None:
        session = self.sessions[key]
        self.ledgers[session.mentee].give_back(key, session.give_back(wanted))

    def let_go(self, key: str) -> None:
        """A hold ran out."""
        session = self.sessions[key]
        session.status = "EXPIRED"
        self.ledgers[session.mentee].give_back(key, None)

    def bank_says(self, key: str, status: str) -> None:
        session = self.sessions[key]
        session.dispute, session.lost = (None if status in ("won", "lost") else session.dispute), status == "lost"
        if status == "won" and session.called_off:
            self.give_back(key, session.left)

    # ---- Referrals

    def hear(self, key: str, now: datetime) -> None:
        """Something was told of a session."""
        for name, r in self.referrals.items():
            if r.referee == self.sessions[key].mentee:
                self.settle(name, now)

    def advance(self, now: datetime) -> None:
        """What the job does, in its order."""
        for name, r in sorted(self.referrals.items()):
            if (r.status == "QUALIFIED" and now >= self._completed(r) + HOLD) or (
                r.status == "SIGNED_UP" and now >= r.expires
            ):
                self.settle(name, now)

    def settle(self, name: str, now: datetime) -> None:
        r = self.referrals[name]
        kept = self.sessions[r.session].kept if r.session else 0
        if r.status == "REWARDED" and kept < MINIMUM:
            r.status = "REJECTED"
            for person, amount in ((r.referrer, r.referrer_amount), (r.referee, REWARD)):
                if amount:
                    self.ledgers[person].claw_back(name, amount)
        if r.status == "QUALIFIED" and kept < MINIMUM:
            r.status, r.session = "SIGNED_UP", None
        if r.status == "SIGNED_UP":
            if first := self._first_that_counts(r):
                r.status, r.session = "QUALIFIED", first
            elif now >= r.expires:
                r.status = "EXPIRED"
        if r.status == "QUALIFIED" and now >= self._completed(r) + HOLD and not self.sessions[str(r.session)].dispute:
            self._reward(name, now)

    def _first_that_counts(self, r: Bringing) -> str | None:
        count = [
            (each.completed, key)
            for key, each in self.sessions.items()
            if each.mentee == r.referee
            and each.completed
            and r.redeemed <= each.completed < r.expires
            and each.kept >= MINIMUM
        ]
        return min(count)[1] if count else None

    def _completed(self, r: Bringing) -> datetime:
        completed = self.sessions[str(r.session)].completed
        assert completed is not None
        return completed

    def _reward(self, name: str, now: datetime) -> None:
        r, month = self.referrals[name], now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        had = [o.rewarded for o in self.referrals.values() if o.referrer == r.referrer and o.referrer_amount]
        if sum(bool(at and at >= month) for at in had) >= CAP:
            r.referrer_amount = 0
        r.status, r.rewarded = "REWARDED", now
        for person, amount in ((r.referrer, r.referrer_amount), (r.referee, REWARD)):
            if amount:
                self.ledgers[person].grant(name, amount)
