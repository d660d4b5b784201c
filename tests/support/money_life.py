"""Three mentees with one coach at a Stripe of their own: a good card, a bad one, and one who pays by invoice."""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from coachline.events import RetryLater
from coachline.payments import commands, reconcile, session_invoices
from coachline.payments.stripe_event_types import EVENT_TYPES
from coachline.problems import Problem
from coachline.scheduling import session_jobs
from tests.support import money_ends, money_rules
from tests.support.money_deeds import Deeds
from tests.support.money_rules import Row
from tests.support.session_world import Payer, payable_coach
from tests.support.stripe_world import World

HOURLY = 14_900  # whose fee is 1266.5
_ACCOUNT = "select stripe_account_id as it from private.coach_account where coach_id = %s"


class Life:
    """People, the jobs that serve them, and what is told of them; and what is wrong when all of it is over."""

    def __init__(self, w: World) -> None:
        self.world = w
        self.coach, self.deeds = payable_coach(w, HOURLY), Deeds(w)
        self.account = w.rows(_ACCOUNT, self.coach.user_id)[0]["it"]
        cards = ("pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_visa")
        self.payers = [Payer(w, self.coach, card) for card in cards]
        self.people = [payer.person.user_id for payer in self.payers]
        self.granted = dict.fromkeys(self.people, 0)
        self._do("update user_account set payment_terms = 'INVOICE' where id = %s", self.people[2])
        self._told: set[str] = set()
        self._taken: set[datetime] = set()

    def _do(self, statement: str, *values: Any) -> None:
        with self.world.stack.database() as database:
            database.execute(statement, values)

    # ---- Who and what there is

    def free(self, *, soon: bool) -> datetime:
        """An hour that nobody has, in ten days or half of one."""
        at = self.world.stripe.clock.now().replace(minute=0, second=0, microsecond=0)
        at += timedelta(hours=13) if soon else timedelta(days=10)
        while at in self._taken:
            at += timedelta(hours=1)
        self._taken.add(at)
        return at

    def sessions(self, *statuses: str) -> list[Row]:
        query = """select * from session where mentee_id = any (%s) and status::text = any (%s)
                   order by starts_at desc"""
        return self.world.rows(query, self.people, list(statuses))

    def payments(self) -> list[Row]:
        """What was paid, the latest session first: in an order that does not depend on random ids."""
        query = """select p.* from private.payment p join session s on s.id = p.session_id
                   where p.mentee_id = any (%s) and p.paid_at is not null order by s.starts_at desc, p.surplus, p.id"""
        return self.world.rows(query, self.people)

    def give_credit(self, who: int, amount: int) -> None:
        grant = "select private.grant_credit(%s, 'USD', %s, gen_random_uuid()::text)"
        self._do(grant, self.people[who], amount)
        self.granted[self.people[who]] += amount

    # ---- What jobs and consumers do

    def time_passes(self, **by: float) -> None:
        """Also for the leases of events whose consumer has died, which last a minute of real time."""
        self.world.move(**by)
        self._do("update private.webhook_event set leased_until = null where leased_until is not null")

    def holds_run_out(self) -> None:
        session_jobs.expire_holds(self.world.database, self.world.stripe.clock.now())

    def sessions_take_place(self) -> None:
        session_jobs.advance_sessions(self.world.database, self.world.stripe.clock.now())

    def commands_run(self) -> None:
        rows = self.world.rows("select id::text from private.stripe_command where state = 'SENT' and user_id is null")
        for row in rows:
            with suppress(RetryLater):
                commands.run_waiting(self.world.database, row["id"])

    def month_ends(self) -> None:
        """Stripe tells of an event for 30 days: the hourly job has asked for them, and has not failed for so long."""
        self.world.faults()
        now = self.world.stripe.clock.now()
        end = (now.replace(day=1, hour=3, minute=0) + timedelta(days=32)).replace(day=1)
        for at in (now + timedelta(minutes=2), now + (end - now) / 2, end):
            self.world.to(at)
            self.time_passes()
            reconcile.catch_up(self.world.database, self.world.receive)
        self.sessions_take_place()
        self.invoices_are_made()

    def invoices_are_made(self) -> None:
        """As the job does; whatever failed before, its time has come again."""
        month = session_invoices.month_before(self.world.stripe.clock.now())
        session_invoices.gather(self.world.database, month)
        self._do("update private.session_invoice set claimed_until = null where sent_at is null")
        session_invoices.send(self.world.database, seconds=60, lease_seconds=0)

    def told(self, chosen: Callable[[list[Row]], Iterable[Row]]) -> None:
        """Of the events that nobody has heard of yet those that are chosen, in that order."""
        events = self.world.objects("event")
        fresh = [each for each in events if each["type"] in EVENT_TYPES and each["id"] not in self._told]
        for event in chosen(fresh):
            with suppress(Problem, RetryLater):
                self.world.receive(event)
                self._told.add(event["id"])

    # ---- The end

    def is_settled(self) -> None:
        """Whatever was lost: Stripe works, the coach can be paid, and the jobs run until nothing is open."""
        w = self.world
        w.faults()
        w.stripe.control(onboard={"id": self.account, "ready": True}, broke=[])
        for hours in (0.4, 0.4, 8, 8, 8):
            self.time_passes(hours=hours)
            self.holds_run_out()
            self._finished()
            reconcile.settle(w.database, w.stripe.clock.now())
        self.month_ends()
        for _ in range(4):  # Stripe keeps a failure with its key: the fourth try is the first that looks
            self.invoices_are_made()
        for _ in range(2):
            self.time_passes(hours=0.4)
            self._finished()

    def _finished(self) -> None:
        commands.finish_lost(self.world.database)
        self.commands_run()
        self.world.reconcile()

    def counts(self) -> Counter[str]:
        """What there was to be wrong about, by kind and status."""
        w = self.world
        counts = Counter(f"payment {row['status']}" for row in self.payments())
        counts.update(
            f"session {row['status']}"
            for row in w.rows("select * from session where mentee_id = any (%s)", self.people)
        )
        for kind in ("refund", "dispute", "invoice", "transfer"):
            counts.update(f"{kind} {row.get('status', '')}".strip() for row in w.objects(kind))
        return counts

    def wrong(self) -> list[str]:
        """Once all is settled."""
        w, people = self.world, self.people
        return [
            *money_rules.broken(w, people),
            *(found for p in self.payments() for found in money_rules.payments_differ(w, p)),
            *money_rules.open_commands(w),
            *money_rules.movements_differ(w, None),
            *money_rules.owners_differ(w),
            *money_ends.prices_differ(w, people, HOURLY),
            *money_ends.sessions_differ(w, people),
            *money_ends.credit_differs(w, self.granted),
            *money_ends.invoices_differ(w, people),
            *money_ends.fractions_told(w, people),
        ]
