"""What the monthly job takes: `make bench-invoicing`, INVOICE_SESSIONS (500,1000,2000,10000) sessions on account.

Each size is a month of its own: gathered, made at the simulated Stripe in this process, sent, recorded, and compared
with what the sessions say. Fails when time grows faster than the number.
"""

import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from coachline.payments import session_invoices
from tests.bench.table import machine, say, show
from tests.support.on_account import MONTH, check, fill, forget
from tests.support.stack import running_stack
from tests.support.stripe_world import World, world

SIZES = [int(size) for size in (os.environ.get("INVOICE_SESSIONS") or "500,1000,2000,10000").split(",")]
MOST_GROWTH = 2.0
FIRST = datetime(2027, 4, 1, 3, tzinfo=UTC)


def main() -> None:
    """One world, and for each size a month of people of its own."""
    with tempfile.TemporaryDirectory(prefix="coachline-bench-") as folder:
        Path(folder).chmod(0o755)
        with running_stack(Path(folder) / "stack", {"DEVSTACK_DEMO_DATA": "0"}) as stack:
            say(machine())
            rows, per_session = [], []
            for size in SIZES:
                with world(stack, Path(folder) / f"world-{size}") as w:
                    forget(w)
                    w.to(FIRST)
                    fill(w, size)
                    gathered, sent, calls = _timed(w)
                    invoices = check(w)
                    per_session.append((gathered + sent) / size)
                    per_thousand = 1000 * per_session[-1]
                    figures = [f"{gathered:.2f} s", f"{sent:.1f} s", f"{per_thousand:.2f} s", f"{calls / invoices:.2f}"]
                    rows.append([str(size), str(invoices), *figures])
                    forget(w)
            show(
                ["sessions", "invoices", "gathered", "sent", "per 1,000 sessions", "calls of Stripe per invoice"], rows
            )
            say(f"{machine()}; the simulator is in this process, and its part of the time included")
            assert per_session[-1] < MOST_GROWTH * per_session[0], "time grows faster than the number of sessions"


def _timed(w: World) -> tuple[float, float, int]:
    """Seconds to gather and to send, and calls of Stripe."""
    asked, began = w.stripe.calls(), time.perf_counter()
    session_invoices.gather(w.database, MONTH)
    gathered = time.perf_counter() - began
    began = time.perf_counter()
    session_invoices.send(w.database, seconds=3600)
    return gathered, time.perf_counter() - began, w.stripe.calls() - asked


if __name__ == "__main__":
    main()
