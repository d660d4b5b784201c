"""The monthly job, killed: one invoice per mentee, coach and currency, of the right sessions, whatever died when.

`INVOICE_SESSIONS` sizes it for `make test-invoicing`: so many sessions, worked off by processes that are killed with
SIGKILL at `INVOICE_KILLS` random moments.
"""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coachline.payments import session_invoices
from tests.support.on_account import MONTH, check, expected, fill, forget
from tests.support.stack import ROOT, Stack, wait_until
from tests.support.stripe_deaths import Died, Fate, MortalStripe, mortal_world
from tests.support.stripe_world import World, world
from tests.unit.devstack.simulated import keys

SESSIONS = int(os.environ.get("INVOICE_SESSIONS") or 400)
KILLS = int(os.environ.get("INVOICE_KILLS") or 3)
FIRST = datetime(2027, 4, 1, 3, tzinfo=UTC)


@pytest.fixture
def w(stack: Stack, tmp_path: Path) -> Iterator[World]:
    with mortal_world(stack, tmp_path / "mortal") as made:
        forget(made)
        made.to(FIRST)
        yield made
        forget(made)


def job(w: World) -> None:
    session_invoices.gather(w.database, MONTH, batch=2)
    session_invoices.send(w.database, seconds=600, batch=2, lease_seconds=0)


def test_a_death_at_every_point_leaves_one_invoice_each(w: World) -> None:
    fill(w, 40)
    assert len(expected(w)) > 3
    points = 0
    while True:
        MortalStripe.fate = Fate(left=points)
        try:
            job(w)
        except Died:
            points += 1 if points < 30 else 7  # what follows are the same steps of other invoices
        else:
            break
        finally:
            MortalStripe.fate = Fate()
        w.move(minutes=1)
    assert points > 30
    check(w)


def test_what_stripe_has_forgotten_is_looked_for(w: World) -> None:
    """A death after each write at Stripe, and the next try two days later: keys are gone, only a look helps."""
    fill(w, 10)
    writes = 0
    for point in range(200):
        MortalStripe.fate = Fate(left=point)
        try:
            job(w)
        except Died as death:
            writes += str(death).startswith("after post")
            w.move(hours=30)
        else:
            break
        finally:
            MortalStripe.fate = Fate()
    assert writes >= 4
    check(w)


def test_a_second_run_and_a_second_worker_send_nothing_twice(w: World) -> None:
    fill(w, 40)
    session_invoices.gather(w.database, MONTH)
    session_invoices.gather(w.database, MONTH)
    workers = [threading.Thread(target=session_invoices.send, args=[w.database], kwargs={"seconds": 60, "batch": 1})]
    workers += [threading.Thread(target=session_invoices.send, args=[w.database], kwargs={"seconds": 60, "batch": 3})]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert session_invoices.send(w.database, seconds=60) == {"sent": 0, "not_sent": 0}
    check(w)


WORKER = """
import os
from datetime import datetime
from coachline import clock, secrets
from coachline.payments import session_invoices
from coachline.service import as_service
clock.pin(datetime.fromisoformat(os.environ["NOW"]))
secrets.stripe_key = lambda: os.environ["STRIPE_KEY"]
database = as_service()
session_invoices.gather(database, session_invoices.month_before(clock.now()))
print(session_invoices.send(database, seconds=3600, lease_seconds=0))
"""


def started(stack: Stack, stripe_url: str) -> subprocess.Popen[bytes]:
    environment = stack.service_environment() | {
        "STRIPE_SECRETS_ID": "coachline/local/stripe",
        "STRIPE_API_URL": stripe_url,
        "STRIPE_KEY": keys().stripe_api_key,
        "NOW": FIRST.isoformat(),
        "PYTHONPATH": str(ROOT / "layers" / "shared"),
        "PATH": os.environ["PATH"],
    }
    return subprocess.Popen([sys.executable, "-c", WORKER], env=environment, stdout=subprocess.DEVNULL)


def test_processes_killed_at_random_moments_leave_one_invoice_each(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SESSIONS)  # noqa: S311 - repeatable
    with world(stack, tmp_path / "killed") as w:
        forget(w)
        w.to(FIRST)
        fill(w, SESSIONS)
        invoices = len(expected(w))
        killed = 0
        while killed < KILLS:
            done = chance.randrange(1 + (killed + 1) * invoices // (KILLS + 1))  # further and further into the work
            worker = started(stack, w.stripe.url)
            wait_until(lambda: worker.poll() is not None or _sent(w) >= done, seconds=600)  # noqa: B023 - at once
            with suppress(subprocess.TimeoutExpired):
                worker.wait(chance.random() / 10)
            if worker.poll() is None:
                worker.send_signal(signal.SIGKILL)
                killed += 1
            worker.wait()
            assert worker.returncode in (-signal.SIGKILL, 0)
        last = started(stack, w.stripe.url)
        assert last.wait() == 0
        assert check(w) == invoices
        with capsys.disabled():
            print(f"\n{SESSIONS} sessions on {invoices} invoices, killed {killed} times: one each")
        forget(w)


def _sent(w: World) -> int:
    [row] = w.rows("select count(*) as n from private.session_invoice where sent_at is not null")
    count: int = row["n"]
    return count
