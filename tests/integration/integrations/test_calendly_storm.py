"""A storm of Calendly's deliveries, shuffled, repeated, lost, with deaths between any two steps; one sync: all agrees.

CALENDLY_SEEDS (1) storms of CALENDLY_EVENTS (60) deliveries each. Most are applied in this process, against the real
database; some go by HTTP and queue, and their consumers run beside it.
"""

import json
import os
import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from coachline import secrets, settings
from coachline.database import Database
from coachline.events import RetryLater
from coachline.integrations import calendly_account, calendly_events, calendly_identity, calendly_sync
from coachline.operations import inbox
from coachline.service import as_service
from tests.support.calendly import (
    Connected,
    calendly_environment,
    connected_coach,
    control,
    email_of,
    make_due,
    people,
    sync,
)
from tests.support.stack import SignedIn, Stack
from tests.support.story import at, next_weekday
from tests.support.webhooks import CALENDLY

UNHEARD = """
create function private.unheard() returns trigger language plpgsql as
$$ begin new.published_at := new.occurred_at; return new; end $$;
create trigger unheard before insert on private.outbox_event for each row execute function private.unheard()"""
TOLD_TWICE = """
select e.type, e.payload ->> 'sessionId' as session_id, count(*) as times
from private.outbox_event e join session s on s.id::text = e.payload ->> 'sessionId'
where s.coach_id = %s and e.type in ('SessionScheduled', 'SessionCancelled') group by 1, 2 having count(*) > 1"""
SEEDS = int(os.environ.get("CALENDLY_SEEDS", "1"))
EVENTS = int(os.environ.get("CALENDLY_EVENTS", "60"))
FIRST_SEED = int(os.environ.get("CALENDLY_FIRST_SEED", "1"))
MENTEES = 6
DUPLICATED, DROPPED, KILLED, WIRED = 0.3, 0.1, 0.15, 0.1


class Storm:
    """What happens at Calendly, told to nobody at first: the deliveries are kept to be sent by hand."""

    def __init__(self, calendly: Connected, mentees: list[str], seed: int) -> None:
        self.calendly = calendly
        self.random = random.Random(seed)  # noqa: S311 - no secret
        self.mentees = mentees
        self.free = [
            at(next_weekday(weeks=4), "04:00", "UTC") + timedelta(days=day, hours=2 * hour)
            for day in range(1 + EVENTS // 4)
            for hour in range(9)
        ]
        self.random.shuffle(self.free)
        self.live: list[str] = []

    def act(self) -> None:
        """One thing that somebody does at Calendly's pages, at random: book, move, cancel."""
        chance = self.random.random()
        if chance < 0.5 or not self.live:
            mentee = self.random.choice(self.mentees)
            self.live.append(self.calendly.book(self.free.pop(), mentee)["uri"])
        elif chance < 0.8:
            moved = self.live.pop(self.random.randrange(len(self.live)))
            start = self.free.pop().isoformat()
            self.live.append(self.calendly.people("reschedule", invitee=moved, start=start)["uri"])
        else:
            gone = self.live.pop(self.random.randrange(len(self.live)))
            by = self.random.choice(["host", "invitee"])
            self.calendly.people("cancel", invitee=gone, by=by, reason="Closing moved")


class Died(BaseException):
    """What a process that is killed would raise if it could."""


class Mortal:
    """The service's database for a process that dies after so many of its calls."""

    def __init__(self, database: Database, calls: int) -> None:
        self._database = database
        self._left = calls

    def read(self, function: str, **arguments: Any) -> Any:
        return self._called(self._database.read, function, arguments)

    def write(self, function: str, **arguments: Any) -> Any:
        return self._called(self._database.write, function, arguments)

    def _called(self, call: Any, function: str, arguments: dict[str, Any]) -> Any:
        if self._left == 0:
            raise Died
        self._left -= 1
        return call(function, **arguments)


def apply(body: str, database: Database) -> None:
    """What webhook and consumer do with a delivery, in this process: there is no queue to wait for."""
    document = json.loads(body)
    with suppress(Died, RetryLater):  # the second: one that died has the lease
        stored = database.write(
            "record_webhook_event",
            provider="calendly",
            external_id=calendly_identity.identify("", document),
            type=document["event"],
            payload=document,
        )
        inbox.process(database, {"eventId": stored["event_id"]}, calendly_events.apply)


def raise_the_dead(stack: Stack) -> None:
    """Let leases run out and the sweeper come, both of which take minutes otherwise."""
    with stack.database() as database:
        database.execute(
            """update private.webhook_event set leased_until = null, attempts = 0, enqueued_at = null, replays = 1
               where handled_at is null and failed_at is null"""
        )
        database.execute("update private.calendly_sync set due_at = private.now(), leased_until = null")
    stack.drain()


def agreed(calendly: Connected, people_of: dict[str, SignedIn]) -> list[str]:
    """Where our state is not Calendly's; empty when every live booking is one session at its time, and no more."""
    truth = {row["uri"]: row for row in people(calendly.stack, "bookings", email=calendly.email)}
    ours, wrong = calendly.bookings(), []
    if missing := truth.keys() - ours.keys():
        wrong.append(f"{len(missing)} bookings are not known")
    with calendly.stack.database() as database:
        sessions = {
            row["id"]: row
            for row in database.execute(
                "select * from session where coach_id = %s", [calendly.coach.user_id]
            ).fetchall()
        }
        doubled = database.execute(
            """select t.session_id from session_transition t join session s on s.id = t.session_id
               where s.coach_id = %s and t.to_status = 'CANCELLED' group by 1 having count(*) > 1""",
            [calendly.coach.user_id],
        ).fetchall()
        refunds = database.execute(
            "select count(*) as n from session where coach_id = %s and coalesce(refund_amount, 0) > 0",
            [calendly.coach.user_id],
        ).fetchone()
        told = database.execute(TOLD_TWICE, [calendly.coach.user_id]).fetchall()
    if doubled or told or refunds != {"n": 0}:
        wrong.append(f"cancelled twice: {doubled}, told twice: {told}, refunds: {refunds}")
    live = set()
    for uri, row in truth.items():
        booking = ours.get(uri)
        if booking is None:
            continue
        if (booking["canceled"], booking["rescheduled"]) != (row["status"] == "canceled", row["rescheduled"]):
            wrong.append(f"{uri}: canceled {booking['canceled']}, Calendly says {row['status']}")
        if row["status"] == "active":
            session = sessions.get(booking["session_id"])
            start = datetime.fromisoformat(row["scheduled_event"]["start_time"])
            if session is None or (session["status"], session["starts_at"]) != ("SCHEDULED", start):
                wrong.append(f"{uri}: {booking['outcome']} {booking['detail']}, no session at {start}")
            else:
                live.add(session["id"])
                if str(session["mentee_id"]) != people_of[row["email"]].user_id:
                    wrong.append(f"{uri}: another's session")
    scheduled = {session["id"] for session in sessions.values() if session["status"] == "SCHEDULED"}
    chains = sum(row["old_invitee"] is None for row in truth.values())
    if scheduled != live or len(sessions) > chains:
        wrong.append(f"{len(scheduled)} sessions stand for {len(live)} bookings; {len(sessions)} for {chains} chains")
    return wrong


@pytest.fixture(scope="module")
def mentees(stack: Stack) -> dict[str, SignedIn]:
    made = [stack.user() for _ in range(MENTEES)]
    return {email_of(stack, mentee): mentee for mentee in made}


@pytest.fixture(scope="module", autouse=True)
def _within_the_stack(stack: Stack) -> Iterator[None]:
    """The service's own environment, for the processes that die: they are this one."""
    caches: list[Any] = [secrets.load, settings.api_settings, settings.service_settings, settings.calendly_settings]
    caches += [calendly_account.api, calendly_account.auth]
    for cached in caches:
        cached.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in calendly_environment(stack).items():
            patch.setenv(name, value)
        yield
    for cached in caches:
        cached.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def _unheard(stack: Stack) -> Iterator[None]:
    """Events are written and never published: what others make of them would be most of a storm's time."""
    with stack.database() as database:
        database.execute(UNHEARD)
        yield
        database.execute("drop function private.unheard() cascade")


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_a_storm_of_deliveries_and_one_sync_leave_what_calendly_has(
    stack: Stack, mentees: dict[str, SignedIn], seed: int
) -> None:
    calendly = connected_coach(stack)
    chance = random.Random(f"deliveries {seed}")  # noqa: S311 - no secret
    control(stack, rateLimit=1_000_000, capture=True)
    try:
        storm = Storm(calendly, list(mentees), seed)
        told: list[str] = []
        while len(told) < EVENTS:
            for _ in range(1 + (EVENTS - len(told)) // 2):  # an act is told in one event or two
                storm.act()
            told = stack.http.get("/_sim/calendly/_captured").json()
        sent = [body for body in told if chance.random() >= DROPPED]
        sent += [body for body in sent if chance.random() < DUPLICATED]
        chance.shuffle(sent)
        dead = wired = 0
        for body in sent:
            fate = chance.random()
            if fate < KILLED:  # between any two steps
                apply(body, cast("Database", Mortal(as_service(), chance.randint(1, 5))))
                dead += 1
            elif fate < KILLED + WIRED:  # by HTTP and queue, at the same time as those that follow
                assert CALENDLY.deliver(stack, body.encode()).status_code == 204
                wired += 1
            else:
                apply(body, as_service())
        raise_the_dead(stack)
        for calls in (chance.randint(1, 12), chance.randint(1, 30)):  # two syncs that die, then one that does not
            with suppress(Died):
                mortal = cast("Database", Mortal(as_service(), calls))
                calendly_sync.run(mortal, datetime.now(UTC), seconds=60, only_coach=calendly.coach.user_id)
            raise_the_dead(stack)
        make_due(calendly)
        assert sync(stack)["finished"] >= 1
        wrong = agreed(calendly, mentees)
        sessions = len({row["session_id"] for row in calendly.bookings().values()} - {None})
        told_of = f"{len(told)} events, {len(sent)} deliveries, {wired} by HTTP, {dead} deaths"
        print(f"seed {seed}: {told_of}, {sessions} sessions, {len(wrong)} differences")
        assert wrong == []
    finally:
        control(stack, capture=False)
        with stack.database() as database:  # the next storm's mentees are free again
            database.execute(
                "update session set status = 'CANCELLED', cancelled_at = now(), cancelled_by = 'ADMIN' "
                "where coach_id = %s and status = 'SCHEDULED'",
                [calendly.coach.user_id],
            )
