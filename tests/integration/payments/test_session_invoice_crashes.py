"""The monthly job, killed: one invoice per mentee, coach and currency, of the right sessions, whatever died when.

`make test-invoicing` sizes it: a death at every point and not at every third, and INVOICE_SESSIONS sessions, worked off
by processes that are killed with SIGKILL at INVOICE_KILLS random moments.
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

from coachline.payments import reconcile, session_invoices
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


@pytest.mark.parametrize("later", [{"minutes": 1}, {"hours": 30}], ids=["soon", "when keys are forgotten"])
def test_a_death_at_every_point_leaves_one_invoice_each(w: World, later: dict[str, float]) -> None:
    passed: list[str] = []
    for left in range(0, 100, 1 if "INVOICE_SESSIONS" in os.environ else 3):
        forget(w)
        fill(w, 10, seed=left)
        MortalStripe.fate = Fate(left=left)
        try:
            job(w)
        except Died:
            passed = MortalStripe.fate.passed
        else:
            break
        finally:
            MortalStripe.fate = Fate()
        w.move(**later)
        job(w)
        assert check(w) == len(expected(w)) > 0
    steps = {point.rpartition("/")[2] for point in passed if point.startswith("before post")}
    assert steps >= {"customers", "invoices", "add_lines", "finalize", "send"}


def test_what_an_invoice_has_moved_is_its_own_although_no_event_came(w: World) -> None:
    fill(w, 10)
    job(w)
    api = w.stripe.client.v1
    for invoice in w.objects("invoice"):
        method = api.payment_methods.attach("pm_card_visa", {"customer": invoice["customer"]}).id
        api.invoices.pay(invoice["id"], {"payment_method": method})
    reconcile.sweep(w.database)
    paid = [row["id"] for row in w.objects("charge")]
    moved = w.rows(
        """select i.stripe_invoice_id from private.money_movement m left join private.invoice i on i.id = m.invoice_id
           where m.kind = 'CHARGE' and m.stripe_id = any (%s)""",
        paid,
    )
    assert {row["stripe_invoice_id"] for row in moved} == {row["id"] for row in w.objects("invoice")} != set()


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


def test_what_fails_is_tried_again_later_and_admins_are_told_the_third_time(w: World) -> None:
    """Stripe makes the invoice, answers 500, and keeps that with the key: it is found by a look, and there is one."""
    fill(w, 10)
    session_invoices.gather(w.database, MONTH)
    told = "select payload ->> 'reason' as reason from private.outbox_event where type = 'SessionInvoiceFailed'"
    before = len(w.rows(told))
    w.faults({"on": "POST /v1/invoices", "kind": "500-after", "times": 1})
    for sent in (False, False, False, True):
        counts = session_invoices.send(w.database, seconds=60)
        assert counts == {"sent": int(sent), "not_sent": int(not sent)}
        assert session_invoices.send(w.database, seconds=60) == {"sent": 0, "not_sent": 0}  # not at once
        with w.stack.database() as database:
            database.execute("update private.session_invoice set claimed_until = null")
    assert [row["reason"].split(":")[0] for row in w.rows(told)[before:]] == ["unavailable"]
    check(w)


WORKER = """
import os
from datetime import datetime
from coachline import clock, secrets
from coachline.payments import reconcile, session_invoices
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
        while killed < KILLS and _sent(w) < invoices:
            # Further and further into the work, which is four calls an invoice and those of the new customers.
            until = w.stripe.calls() + chance.randrange(2, 2 + 7 * invoices // (KILLS + 1))
            worker = started(stack, w.stripe.url)
            wait_until(lambda: worker.poll() is not None or w.stripe.calls() >= until, seconds=600)  # noqa: B023 - at once
            with suppress(subprocess.TimeoutExpired):
                worker.wait(chance.random() / 10)
            if worker.poll() is None:
                worker.send_signal(signal.SIGKILL)
                killed += 1
            worker.wait()  # or it has ended by itself: done, or because a database too busy did not answer in time
        assert killed > KILLS // 2
        # On a slow machine a call may take too long; then the rest waits for the next run.
        for _ in range(10):
            started(stack, w.stripe.url).wait()
            if _sent(w) == invoices:
                break
            with stack.database() as database:
                database.execute("update private.session_invoice set claimed_until = null where sent_at is null")
        assert check(w) == invoices
        with capsys.disabled():
            print(f"\n{SESSIONS} sessions on {invoices} invoices, killed {killed} times: one each")
        forget(w)


def _sent(w: World) -> int:
    [row] = w.rows("select count(*) as n from private.session_invoice where sent_at is not null")
    count: int = row["n"]
    return count
