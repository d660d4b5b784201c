"""Stripe and our side of it in one process, with a real database: for storms and crashes, where a queue adds nothing.

The simulator listens on a port of its own and has a clock of its own, which the database and the layer follow.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from coachline import clock, secrets, settings
from coachline.api import Caller
from coachline.auth import Principal
from coachline.database import Database
from coachline.operations import inbox
from coachline.payments import commands, plans, reconcile, stripe_api, stripe_events
from coachline.payments.stripe_event_types import EVENT_TYPES
from coachline.service import as_service
from devstack.simulators.base import Fault
from tests.support.stack import SignedIn, Stack
from tests.unit.devstack.simulated import keys
from tests.unit.stripe.simulated_stripe import Simulated, simulated

# The stack's own janitor knows another Stripe, and would be told there that nothing of this world exists.
_ALONE = """
    create or replace function devstack.leave_alone() returns trigger language plpgsql as $$
    begin
      return case when nullif(pg_catalog.current_setting('request.headers', true), '')::jsonb ? 'x-world' then new end;
    end $$;
    create or replace trigger of_another_stripe before update of attempts on private.stripe_command
      for each row execute function devstack.leave_alone();"""


class World:
    """The simulator, the database as the service sees it, and people."""

    def __init__(self, stack: Stack, stripe: Simulated) -> None:
        self.stack = stack
        self.stripe = stripe
        self.database: Database = as_service()
        self.database._client.headers["x-world"] = "this"
        self.odd = 0  # events that tests have made up
        self._told: set[str] = set()
        left = self.rows("select id::text from private.stripe_command where state = 'SENT'")
        self.left_by_others = [row["id"] for row in left]

    # ---- Time

    def move(self, **by: float) -> None:
        self.to(self.stripe.clock.now() + timedelta(**by))

    def to(self, at: datetime) -> None:
        """Stripe's, the database's and this process's clock stand at an instant."""
        self.stripe.to(at)
        clock.pin(at)
        with self.stack.database() as database:
            database.execute("update devstack.clock set fixed_at = %s", [at])

    # ---- People and what they ask for

    def caller(self, who: SignedIn, permission: str = "subscription:manage", key: str | None = None) -> Caller:
        key = key or uuid4().hex
        principal = Principal(who.clerk_id, who.token, None, None, None)
        return Caller(principal, permission, "test", "POST", "/test", "/test", key, fingerprint=key)

    def plan(self, amount: int = 9900, *, interval: str = "WEEK", trial_days: int = 0, currency: str = "USD") -> Any:
        admin = self.stack.user("ADMIN")
        body = plans.PlanInput.model_validate(
            {
                "name": f"Plan {amount}",
                "price": {"amount": amount, "currency": currency},
                "interval": interval,
                "trialDays": trial_days,
            }
        )
        return plans.create_plan(self.caller(admin, "plan:manage"), body)

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with self.stack.database() as database:
            return database.execute(query, values).fetchall()

    # ---- What Stripe tells

    def receive(self, event: dict[str, Any]) -> None:
        """An event, stored and applied as the webhook and its consumer do."""
        stored = self.database.write(
            "record_webhook_event", provider="stripe", external_id=event["id"], type=event["type"], payload=event
        )
        if stored["needs_queue"]:
            inbox.process(self.database, {"eventId": stored["event_id"]}, stripe_events.apply)

    def deliver(self) -> None:
        """What Stripe has told since the last time, in order; also what it tells while it is asked about that."""
        while new := [event for event in self.objects("event") if event["id"] not in self._told]:
            for event in new:
                if event["type"] in EVENT_TYPES:
                    self.receive(event)
                self._told.add(event["id"])

    def run_waiting(self, subject: str | None = None) -> None:
        """What the consumer of StripeCommandWaiting does with all that nobody waits for, or with what is about one."""
        waiting = """select id::text from private.stripe_command
                     where state = 'SENT' and user_id is null and (%s::text is null or subject_id::text = %s)"""
        for row in self.rows(waiting, subject, subject):
            commands.run_waiting(self.database, row["id"])

    def reconcile(self) -> dict[str, int]:
        """What the job does."""
        events = reconcile.catch_up(self.database, self.receive)
        return {"events": events, **reconcile.sweep(self.database)}

    def faults(self, *table: dict[str, Any]) -> None:
        """What happens to the next calls."""
        self.stripe.simulator.faults.table = [Fault.parse(each) for each in table]

    def objects(self, kind: str) -> list[dict[str, Any]]:
        return self.stripe.simulator.store.all(kind)


@contextmanager
def world(stack: Stack, directory: Path, *, retries: int = 0) -> Iterator[World]:
    """A world of its own; afterwards the clocks run again, and its cursors are forgotten."""
    caches: list[Any] = [secrets.load, settings.api_settings, settings.service_settings, settings.stripe_settings]
    caches += [stripe_api.client]
    with simulated(directory) as simulator, pytest.MonkeyPatch.context() as patch:
        environment = stack.service_environment() | {
            "STRIPE_SECRETS_ID": "coachline/local/stripe",
            "STRIPE_API_URL": simulator.url,
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(secrets, "stripe_key", lambda: keys().stripe_api_key)
        patch.setattr(stripe_api, "RETRIES", retries)
        for cached in caches:
            cached.cache_clear()
        made = World(stack, simulator)
        made.to(simulator.clock.now())
        _tell_the_stack_nothing(stack)
        _forget_cursors(stack)
        try:
            yield made
        finally:
            clock.pin(None)
            with stack.database() as database:
                database.execute("update devstack.clock set fixed_at = null")
                database.execute("drop trigger if exists told_nobody on private.outbox_event")
                database.execute("drop trigger if exists of_another_stripe on private.stripe_command")
            _forget_cursors(stack)
            for cached in caches:
                cached.cache_clear()


def _tell_the_stack_nothing(stack: Stack) -> None:
    """Else its consumers would ask the stack's own Stripe, which knows nothing of this one, and record the refusal."""
    with stack.database() as database:
        database.execute(
            """create or replace function devstack.told_nobody() returns trigger language plpgsql as $$
               begin new.published_at := clock_timestamp(); return new; end $$"""
        )
        database.execute(
            """create or replace trigger told_nobody before insert on private.outbox_event
               for each row execute function devstack.told_nobody()"""
        )
        database.execute(_ALONE)


def _forget_cursors(stack: Stack) -> None:
    with stack.database() as database:
        database.execute("delete from private.provider_cursor where name like 'stripe.%'")
