"""Random lives of people who bring each other, pay, spend, and get their money back; a slow reference beside the stack.

REFERRAL_LIVES lives (3 in the ordinary run, `make test-referrals` for more) of REFERRAL_STEPS steps each. What the
reference says of every referral and every account has to be so after every step.
"""

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.support.growth import BROKEN_ACCOUNTS
from tests.support.ledger import Ledger
from tests.support.referrals import (
    HOLD,
    REWARD,
    advance,
    close_dispute,
    code_of,
    dispute,
    held,
    pay,
    redeem,
    refund,
    state,
    tell,
)
from tests.support.stack import SignedIn, Stack
from tests.support.story import iso, published_coach

LIVES, STEPS = int(os.environ.get("REFERRAL_LIVES", "3")), int(os.environ.get("REFERRAL_STEPS", "30"))
PRICE, MINIMUM, CAP, DAY = 15000, 5000, 2, timedelta(days=1)
ANY = st.integers(0, 50)
# The coach gets the price less the fee, whatever it was paid with; and the credit is the entry's.
UNPAID_COACHES = """
    select p.id from private.payment p
    left join credit_entry e on e.session_id = p.session_id and e.kind = 'SPENT'
    where p.charge_amount - p.application_fee_amount + p.top_up_amount <> p.amount - p.fee_amount
       or (p.mentee_id::text = any(%s) and p.credit_amount <> coalesce(-e.amount, 0))"""


@dataclass
class Session:
    """What of a session is paid and kept."""

    mentee: str
    completed: datetime
    paid: int
    refunded: int = 0
    dispute: str | None = None
    lost: bool = False

    @property
    def kept(self) -> int:
        return 0 if self.lost else self.paid - self.refunded


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


@dataclass
class Reference:
    """All of it, worked out the slow way."""

    sessions: dict[str, Session] = field(default_factory=dict)
    referrals: dict[str, Bringing] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)

    def settle(self, key: str, now: datetime) -> None:
        r = self.referrals[key]
        session = self.sessions[r.session] if r.session else None
        if r.status == "REWARDED" and session and session.kept < MINIMUM:
            r.status = "REJECTED"
            for person, amount in ((r.referrer, r.referrer_amount), (r.referee, REWARD)):
                if amount:
                    self.ledgers[person].claw_back(key, amount)
        if r.status == "QUALIFIED" and session and session.kept < MINIMUM:
            r.status, r.session = "SIGNED_UP", None
        if r.status == "SIGNED_UP":
            expires = r.redeemed + 180 * DAY
            count = sorted(
                (each.completed, name)
                for name, each in self.sessions.items()
                if each.mentee == r.referee and r.redeemed <= each.completed < expires and each.kept >= MINIMUM
            )
            if count:
                r.status, r.session = "QUALIFIED", count[0][1]
            elif now >= expires:
                r.status = "EXPIRED"
        if r.status == "QUALIFIED":
            session = self.sessions[str(r.session)]
            if now >= session.completed + HOLD and not session.dispute:
                month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
                had = [
                    o for o in self.referrals.values() if o.referrer == r.referrer and o.rewarded and o.referrer_amount
                ]
                if sum(bool(o.rewarded and o.rewarded >= month) for o in had) >= CAP:
                    r.referrer_amount = 0
                r.status, r.rewarded = "REWARDED", now
                for person, amount in ((r.referrer, r.referrer_amount), (r.referee, REWARD)):
                    if amount:
                        self.ledgers[person].grant(key, amount)

    def advance(self, now: datetime) -> None:
        for key, r in sorted(self.referrals.items()):
            over = r.status == "QUALIFIED" and now >= self.sessions[str(r.session)].completed + HOLD
            if over or (r.status == "SIGNED_UP" and now >= r.redeemed + 180 * DAY):
                self.settle(key, now)

    def above(self, person: str) -> set[str]:
        found = {r.referrer for r in self.referrals.values() if r.referee == person}
        return found | {up for each in found for up in self.above(each)}


class Lives(RuleBasedStateMachine):
    """A coach, people who come one by one, a clock that only goes forward."""

    stack: ClassVar[Stack]
    coach: ClassVar[SignedIn]
    now: ClassVar[datetime]

    def __init__(self) -> None:
        super().__init__()
        self.people: list[SignedIn] = []
        self.codes: dict[str, str] = {}
        self.reference = Reference()
        self.passes(1)

    def passes(self, days: int) -> None:
        type(self).now = self.now + timedelta(days=days)
        self.stack.clock(iso(self.now))

    def one(self, index: int) -> SignedIn:
        return self.people[index % len(self.people)]

    def a_session(self, index: int) -> tuple[str, Session] | None:
        sessions = list(self.reference.sessions.items())
        return sessions[index % len(sessions)] if sessions else None

    def told(self, session_id: str, mentee: str) -> None:
        tell(self.stack, session_id)
        for key, r in self.reference.referrals.items():
            if r.referee == mentee:
                self.reference.settle(key, self.now)

    @rule(brought=st.booleans(), by=st.integers(0, 2))
    def sign_up(self, brought: bool, by: int) -> None:
        person = self.stack.user()
        if brought and self.people:
            self.redeems_of(person, self.one(by))
        self.people.append(person)
        self.reference.ledgers[person.user_id] = Ledger()

    def redeems_of(self, person: SignedIn, owner: SignedIn) -> None:
        if owner.user_id not in self.codes:
            self.codes[owner.user_id] = code_of(owner)
        answer = redeem(person, self.codes[owner.user_id])
        before = any(r.referee == person.user_id for r in self.reference.referrals.values())
        loop = person.user_id in self.reference.above(owner.user_id)
        assert (answer.status_code == 201) == (not before and not loop and person != owner), answer.text
        if answer.status_code == 201:
            made = Bringing(owner.user_id, person.user_id, datetime.fromisoformat(answer.json()["data"]["redeemedAt"]))
            self.reference.referrals[answer.json()["data"]["id"]] = made

    @rule(who=ANY, of=ANY)
    def redeem(self, who: int, of: int) -> None:
        if self.people:
            with self.stack.database() as database:  # early enough, whenever it is
                database.execute(
                    "update user_account set created_at = %s where id = %s", [self.now, self.one(who).user_id]
                )
            self.redeems_of(self.one(who), self.one(of))

    @rule(who=ANY, wanted=st.sampled_from([0, 700, 4000, PRICE]), heard=st.booleans())
    def has_a_session(self, who: int, wanted: int, heard: bool) -> None:
        if not self.people:
            return
        mentee = self.one(who).user_id
        type(self).now = self.now + timedelta(minutes=1)  # no two are completed at one moment
        with self.stack.database() as database:
            made = held(database, self.coach.user_id, mentee, self.now)
            taken = database.execute(
                "select private.take_credit(%s, 'USD', %s, %s) as it", [mentee, wanted, made]
            ).fetchone()
            assert taken == {"it": self.reference.ledgers[mentee].take(made, wanted)}
            pay(database, made, credit=taken["it"])
        self.reference.sessions[made] = Session(mentee, self.now, PRICE - taken["it"])
        if heard:
            self.told(made, mentee)

    @rule(index=ANY, part=st.sampled_from([0.25, 0.6, 1]), heard=st.booleans())
    def is_refunded(self, index: int, part: float, heard: bool) -> None:
        found = self.a_session(index)
        if not found or found[1].dispute or found[1].lost or found[1].refunded == found[1].paid:
            return
        session_id, session = found
        amount = max(1, int((session.paid - session.refunded) * part))
        with self.stack.database() as database:
            refund(database, session_id, amount)
            session.refunded += amount
            if part == 1:
                back = database.execute("select private.return_credit(%s) as it", [session_id]).fetchone()
                assert back == {"it": self.reference.ledgers[session.mentee].give_back(session_id, None)}
        if heard:
            self.told(session_id, session.mentee)

    @rule(index=ANY, outcome=st.sampled_from(["WON", "LOST"]), heard=st.booleans())
    def is_disputed(self, index: int, outcome: str, heard: bool) -> None:
        """Opens one, or closes the one there is."""
        found = self.a_session(index)
        if not found or found[1].lost or not found[1].paid:
            return
        session_id, session = found
        with self.stack.database() as database:
            if session.dispute:
                close_dispute(database, session.dispute, outcome)
                session.dispute, session.lost = None, outcome == "LOST"
            else:
                session.dispute = dispute(database, session_id)
        if heard:
            self.told(session_id, session.mentee)

    @rule(index=ANY)
    def is_told_again(self, index: int) -> None:
        if found := self.a_session(index):
            self.told(found[0], found[1].mentee)

    @rule(days=st.sampled_from([2, 5, 14, 14, 14, 180]))
    def time_passes(self, days: int) -> None:
        self.passes(days)
        for _ in range(2):
            advance(self.stack, self.now)
        self.reference.advance(self.now)

    @invariant()
    def is_what_the_reference_says(self) -> None:
        people = [person.user_id for person in self.people]
        with self.stack.database() as database:
            assert database.execute(BROKEN_ACCOUNTS).fetchall() == []
            assert database.execute(UNPAID_COACHES, [people]).fetchall() == []
            for key, r in self.reference.referrals.items():
                row = state(database, key)
                assert (row["status"], row["session_id"] and str(row["session_id"])) == (r.status, r.session)
            rows = database.execute(
                "select user_id::text, balance, owed from credit_account where user_id::text = any(%s)", [people]
            ).fetchall()
        found = {row["user_id"]: (row["balance"], row["owed"]) for row in rows}
        for person in people:
            ledger = self.reference.ledgers[person]
            assert found.get(person, (0, 0)) == (ledger.balance, ledger.owed)


def test_money_is_what_a_slow_reference_says_of_random_lives(frozen: Stack) -> None:
    Lives.stack, Lives.coach = frozen, published_coach(frozen)
    Lives.now = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    with frozen.database() as database:
        kept: Any = database.execute("select value::text as it from private.setting where key = 'referrals'").fetchone()
        database.execute(
            "select private.set_setting('referrals', private.setting('referrals') || %s)", [f'{{"monthlyCap": {CAP}}}']
        )
    try:
        run_state_machine_as_test(
            Lives,
            settings=settings(
                max_examples=LIVES,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                derandomize=LIVES == 3,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        with frozen.database() as database:
            database.execute("select private.set_setting('referrals', %s)", [kept["it"]])
