"""What the sweep and the day's snapshot take: `make bench-stripe`, STRIPE_SUBSCRIPTIONS (5000,10000,20000) of them.

Prints times, processor time (ours and the database's, not the simulator's), calls of Stripe and memory for each size.
Fails when the largest does not fit into the job's ten minutes, or when what is computed grows faster than the number.
"""

import os
import resource
import tempfile
import time
from pathlib import Path

from coachline.payments import reconcile
from tests.bench.table import machine, say, show
from tests.support.processes import cpu_seconds
from tests.support.stack import running_stack
from tests.support.stripe_fill import fill
from tests.support.stripe_world import World, world

SIZES = [int(size) for size in (os.environ.get("STRIPE_SUBSCRIPTIONS") or "5000,10000,20000").split(",")]
MOST_SECONDS, MOST_GROWTH = 600, 1.5


def main() -> None:
    """One world, filled further for each size."""
    with tempfile.TemporaryDirectory(prefix="coachline-bench-") as folder:
        Path(folder).chmod(0o755)
        with running_stack(Path(folder) / "stack", {"DEVSTACK_DEMO_DATA": "0"}) as stack:
            say(machine())
            with world(stack, Path(folder) / "world") as w:
                rows, each, have = [], [], 0
                for size in SIZES:
                    fill(w, size - have)
                    have = size
                    first, _, calls = _swept(w, size)
                    again, computed, _ = _swept(w, size)
                    began = time.perf_counter()
                    w.database.write("take_subscription_snapshot", day=w.stripe.clock.now().date().isoformat())
                    snapshot = time.perf_counter() - began
                    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
                    each.append(computed / size / 2)  # a subscription and an invoice
                    figures = [f"{first:.1f} s", f"{again:.1f} s", f"{computed:.1f} s", f"{each[-1] * 1000:.2f} ms"]
                    figures += [f"{snapshot:.2f} s", str(calls), f"{peak} MB"]
                    rows.append([str(size), *figures])
                    say(f"{size}: {', '.join(figures)}; load {os.getloadavg()[0]:.1f}")
                head = ["subscriptions", "first sweep", "sweep", "computed", "for one object"]
                show([*head, "snapshot", "calls of Stripe", "peak"], rows)
                say(f"{machine()}; the peak includes the simulator, which is in this process")
                assert again < MOST_SECONDS, "the sweep does not fit into the job"
                assert each[-1] < MOST_GROWTH * each[0], "the sweep grows faster than what it sweeps"


def _swept(w: World, size: int) -> tuple[float, float, int]:
    """Seconds for one walk through subscriptions and invoices, those of a processor, how often Stripe was asked."""
    asked, began, computed = w.stripe.calls(), time.perf_counter(), _computed(w)
    counts = reconcile.sweep(w.database, batch=size * 2)
    taken, computed = time.perf_counter() - began, _computed(w) - computed
    assert counts["subscriptions"] >= size, counts
    assert counts["invoices"] >= size, counts
    return taken, computed, w.stripe.calls() - asked


def _computed(w: World) -> float:
    """Processor time of this thread, which is not the simulator's, and of the stack's database and what leads to it."""
    assert w.stack.process
    parts = cpu_seconds(w.stack.process.pid)
    return time.thread_time() + parts["Postgres"] + parts["PostgREST"] + parts["gateway, simulators"]


if __name__ == "__main__":
    main()
