"""A life of people who bring each other, book, pay at Stripe, spend their credit, and get their money back."""

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from coachline.events import DomainEvent
from coachline.growth import referral_jobs, referrals
from coachline.growth.referrals import Redemption
from coachline.payments import commands, refunds
from coachline.payments.refunds import RefundInput
from coachline.scheduling import session_jobs, sessions
from coachline.scheduling.sessions import Cancellation, Completion
from tests.contract.template_file import resources
from tests.support.growth import BROKEN_ACCOUNTS, UNPAID_COACHES, expected
from tests.support.referral_reference import CAP, FEE, PRICE, Bringing, Reference, Session
from tests.support.session_world import book, payable_coach
from tests.support.stack import SignedIn
from tests.support.stripe_world import World

HEARD = 0.7
STORIES = {
    "sign_up": 1,
    "is_brought": 3,
    "redeems": 1,
    "books": 9,
    "time_passes": 7,
    "is_refunded": 2,
    "is_called_off": 1,
    "is_disputed": 1,
    "is_decided": 1,
    "hears": 1,
}
DAYS = {3: 10, 5: 4, 14: 5, 180: 2}
# What changes what of a session was paid and is kept: the consumer's rule has to let it through.
MATTERS = {"SessionCompleted", "PaymentCompleted", "RefundSucceeded", "DisputeOpened", "DisputeClosed"}
TOLD = "select * from private.outbox_event where sequence > %s and payload ->> 'sessionId' = any(%s) order by sequence"


class Life:
    """A coach, people who come one by one, a clock that only goes forward."""

    def __init__(self, w: World, seed: int) -> None:
        self.w, self.chance = w, random.Random(seed)  # noqa: S311 - no secret
        self.coach, self.admin = payable_coach(w, PRICE), w.stack.user("ADMIN")
        self.people: list[SignedIn] = []
        self.codes: dict[str, str] = {}
        self.reference = Reference()
        self.free = self.now
        self.seen = w.rows("select coalesce(max(sequence), 0) as it from private.outbox_event")[0]["it"]
        self.heard: list[dict[str, Any]] = []
        pattern = resources("AWS::Events::Rule")["ReferralEventsRule"]["EventPattern"]["detail-type"]
        self.listens = tuple(each["prefix"] if isinstance(each, dict) else each for each in pattern)
        self.begins()

    def begins(self) -> None:
        """Somebody brings more than a month allows, one of whom goes to the bank, and one whose session is too late.

        What he got and spent is taken back; and somebody whom he brought pays with credit alone.
        """
        for _ in range(CAP + 3):
            self.sign_up()
        first, *others = self.people
        self.redeems(first, first)
        for person in others:
            self.redeems(person, first)
            self.books(person, pays=True)
        self.redeems(first, others[0])
        self.stripe_and_we_agree()
        self.goes_on(3)
        self.goes_on(13)
        self.is_disputed()
        self.goes_on(1)
        self.is_decided()
        self.goes_on(3)
        self.books(first)
        self.a_reward_is_taken_back(first)
        self.sign_up()
        self.redeems(self.people[-1], first)
        self.books(self.people[-1])
        self.stripe_and_we_agree()
        self.goes_on(180)
        self.redeems(first, self.people[-1])
        self.somebody_pays_with_credit_alone(first)

    def a_reward_is_taken_back(self, referrer: SignedIn) -> None:
        mine = [r for r in self.reference.referrals.values() if r.referrer == referrer.user_id and r.referrer_amount]
        taken = [str(r.session) for r in mine if r.status == "REWARDED"]
        key = next(each for each in taken if self.reference.sessions[each].kept)
        self.gives_back(key, self.reference.sessions[key].left)
        self.stripe_and_we_agree()
        self.hears()
        assert self.reference.ledgers[referrer.user_id].owed
        self.is_what_the_reference_says()

    def somebody_pays_with_credit_alone(self, owner: SignedIn) -> None:
        self.sign_up()
        payer = self.people[-1]
        self.redeems(payer, owner)
        while self.reference.ledgers[payer.user_id].balance < PRICE:
            for _ in range(CAP):
                self.sign_up()
                self.redeems(self.people[-1], payer)
                self.books(self.people[-1], pays=True)
            self.stripe_and_we_agree()
            self.goes_on(3)
            self.goes_on(28)
        self.books(payer)
        self.goes_on(3)
        self.goes_on(14)

    def goes_on(self, days: int) -> None:
        self.time_passes(days)
        self.hears()
        self.is_what_the_reference_says()

    @property
    def now(self) -> datetime:
        return self.w.stripe.clock.now()

    def step(self) -> None:
        [story] = self.chance.choices(list(STORIES), list(STORIES.values()))
        getattr(self, story)()
        self.stripe_and_we_agree()
        if self.chance.random() < HEARD:
            self.hears()
        self.is_what_the_reference_says()

    def one_of(self, *statuses: str) -> tuple[str, Session] | None:
        """A session; more often one that a reward was given for, or that was paid with one."""
        rewarding = {r.session for r in self.reference.referrals.values() if r.status == "REWARDED"}
        found = [(key, each) for key, each in self.reference.sessions.items() if each.status in statuses]
        told = [(key, each) for key, each in found if key in rewarding or each.credit > each.returned]
        return self.chance.choice(told if told and self.chance.random() < 0.7 else found) if found else None

    # ---- People

    def sign_up(self) -> None:
        person = self.w.stack.user()
        self.reference.join(person.user_id, self.now)
        self.people.append(person)

    def is_brought(self) -> None:
        self.sign_up()
        self.redeems(self.people[-1])

    def redeems(self, person: SignedIn | None = None, owner: SignedIn | None = None) -> None:
        person, owner = person or self.chance.choice(self.people[-3:]), owner or self.chance.choice(self.people)
        if owner.user_id not in self.codes:
            made = referrals.create_code(self.w.caller(owner, "referral:manage"))
            self.codes[owner.user_id] = made["code"]
        refusal = self.reference.refusal(person.user_id, owner.user_id, self.now)
        body = Redemption(code=self.codes[owner.user_id])
        with expected(refusal):
            made = referrals.redeem(self.w.caller(person, "referral:manage"), body)
            self.reference.referrals[made["id"]] = Bringing(owner.user_id, person.user_id, self.now)

    # ---- Sessions and what is paid for them

    def books(self, person: SignedIn | None = None, *, pays: bool = False) -> None:
        person, pays = person or self.chance.choice(self.people), pays or self.chance.random() < 0.9
        self.free = max(self.free, (self.now + timedelta(days=2)).replace(minute=0, second=0)) + timedelta(hours=1)
        made = book(self.w, person, self.coach, self.free)
        self.reference.book(made["id"], person.user_id, self.free + timedelta(hours=1), pays=pays)
        if made["client_secret"] and pays:
            intent = made["client_secret"].split("_secret_")[0]
            self.w.stripe.client.v1.payment_intents.confirm(intent, {"payment_method": "pm_card_visa"})

    def is_refunded(self) -> None:
        found = self.one_of("SCHEDULED", "COMPLETED", "CANCELLED", "PENDING_PAYMENT")
        if not found:
            return
        key, session = found
        self.gives_back(key, max(1, int(session.left * self.chance.choice([0.25, 0.6, 1]))))

    def gives_back(self, key: str, wanted: int) -> None:
        session = self.reference.sessions[key]
        refusal = "payment_not_paid" if not session.paid else "payment_refunded" if not session.left else None
        refusal = "payment_disputed" if session.dispute or session.lost else refusal
        body = {"amount": {"amount": wanted, "currency": "USD"}, "reason": "GOODWILL", "note": "The sound failed."}
        caller = self.w.caller(self.admin, "refund:create")
        with expected(refusal):
            refunds.refund(caller, UUID(str(self.payment(key)["id"])), RefundInput.model_validate(body))
            self.reference.give_back(key, wanted)

    def is_called_off(self) -> None:
        if found := self.one_of("SCHEDULED"):
            caller = self.w.caller(self.coach, "session:cancel")
            sessions.cancel_session(caller, UUID(found[0]), Cancellation(reason="Ill"))
            found[1].status = "CANCELLED"
            if not found[1].dispute and not found[1].lost:
                self.reference.give_back(found[0], found[1].left)

    def is_disputed(self) -> None:
        found = self.one_of("SCHEDULED", "COMPLETED")
        if found and found[1].kept and not found[1].dispute:
            charge = self.payment(found[0])["stripe_charge_id"]
            self.w.stripe.control(dispute={"charge": charge})
            [found[1].dispute] = [
                row["id"]
                for row in self.w.objects("dispute")
                if row["charge"] == charge and row["status"] not in ("won",)
            ]

    def is_decided(self) -> None:
        open_ones = [each.dispute for each in self.reference.sessions.values() if each.dispute]
        if open_ones:
            decide = {"id": self.chance.choice(open_ones), "outcome": self.chance.choice(["won", "lost"])}
            self.w.stripe.control(decide=decide)

    def payment(self, session: str) -> dict[str, Any]:
        [row] = self.w.rows("select * from private.payment where session_id = %s", session)
        return row

    # ---- Time, and what is told

    def time_passes(self, days: int = 0) -> None:
        days = days or self.chance.choices(list(DAYS), list(DAYS.values()))[0]
        while days:  # Stripe tells of an event for 30 days
            self.w.move(days=min(days, 20))
            self.w.deliver()
            days -= min(days, 20)
        session_jobs.expire_holds(self.w.database, self.now)
        for key, session in self.reference.sessions.items():
            if session.status == "PENDING_PAYMENT":
                self.reference.let_go(key)
            elif session.status == "SCHEDULED" and session.end <= self.now:
                sessions.complete_session(self.w.caller(self.coach, "session:complete"), UUID(key), Completion())
                session.status, session.completed = "COMPLETED", self.now
        self.stripe_and_we_agree()
        for _ in range(2):
            assert referral_jobs.advance_referrals(self.w.database, self.now).get("failed", 0) == 0
        self.reference.advance(self.now)

    def stripe_and_we_agree(self) -> None:
        """What Stripe tells is applied, what we ask of it is done, and what the banks have said is known."""
        self.w.deliver()
        while waiting := self.w.rows("select id::text from private.stripe_command where state = 'SENT'"):
            for row in waiting:
                commands.run_waiting(self.w.database, row["id"])
            self.w.deliver()
        theirs = {row["id"]: row["status"] for row in self.w.objects("dispute")}
        for key, session in self.reference.sessions.items():
            if session.dispute:
                self.reference.bank_says(key, theirs[session.dispute])

    def hears(self) -> None:
        """The consumer gets what its rule lets through, and some of it again."""
        new = self.w.rows(TOLD, self.seen, list(self.reference.sessions))
        self.seen = new[-1]["sequence"] if new else self.seen
        new = [row for row in new if row["type"].startswith(self.listens) or row["type"] in MATTERS]
        again = self.chance.sample(self.heard, min(len(self.heard), self.chance.choice([0, 0, 1, 2])))
        self.heard += new
        for row in new + again:
            if row["type"].startswith(self.listens):
                event = DomainEvent(str(row["id"]), row["type"], row["occurred_at"], row["payload"])
                referral_jobs.settle(self.w.database, event)
            self.reference.hear(row["payload"]["sessionId"], self.now)

    # ---- What has to be so

    def is_what_the_reference_says(self) -> None:
        reference, people = self.reference, [person.user_id for person in self.people]
        assert self.w.rows(BROKEN_ACCOUNTS) == self.w.rows(UNPAID_COACHES, people) == []
        rows = self.w.rows("select * from private.referral where id = any(%s::uuid[])", list(reference.referrals))
        found = {str(row["id"]): (row["status"], row["session_id"] and str(row["session_id"])) for row in rows}
        assert found == {name: (r.status, r.session) for name, r in reference.referrals.items()}
        rows = self.w.rows("select * from credit_account where user_id::text = any(%s)", people)
        accounts = {str(row["user_id"]): (row["balance"], row["owed"]) for row in rows}
        assert {person: accounts.get(person, (0, 0)) for person in people} == {
            person: (ledger.balance, ledger.owed) for person, ledger in reference.ledgers.items()
        }

    def every_coach_was_paid(self) -> None:
        """At Stripe: what came to the coach of a session that nobody asked back is the price less the fee."""
        for key, session in self.reference.sessions.items():
            if session.paid and not (session.refunded or session.returned or session.lost or session.dispute):
                group = f"session_{key}"
                came = sum(row["amount"] for row in self.w.objects("transfer") if row["transfer_group"] == group)
                fees = [
                    row["application_fee_amount"] or 0
                    for row in self.w.objects("charge")
                    if row["transfer_group"] == group and row["paid"]
                ]
                assert came - sum(fees) == PRICE - FEE, key
