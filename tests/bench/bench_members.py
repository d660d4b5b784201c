"""What the reports on member data take at the API: `make bench-members`, MEMBERS (20,000) of them, ROUNDS (5).

Prints the plan of the duplicate report's query, the memory of the function that answers, and fails above 5 seconds.
"""

import os
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.bench.table import machine, say
from tests.support.roster import make_roster
from tests.support.stack import Stack, running_stack

MEMBERS, ROUNDS = int(os.environ.get("MEMBERS") or 20_000), int(os.environ.get("ROUNDS") or 5)
MOST_SECONDS = 5.0


def main() -> None:
    """Make the members, time both reports, show the plan."""
    with tempfile.TemporaryDirectory(prefix="coachline-bench-") as folder:
        Path(folder).chmod(0o755)
        with running_stack(Path(folder) / "stack", {"DEVSTACK_DEMO_DATA": "0"}) as stack:
            admin = stack.user("ADMIN")
            make_roster(stack, MEMBERS, tag="B")
            say(f"{MEMBERS} members; {machine()}")
            times = {}
            for path in ("/api/members/duplicates", "/api/members/report", "/api/members?search=realty"):
                taken = []
                for _ in range(ROUNDS):
                    began = time.perf_counter()
                    answer = admin.get(path)
                    taken.append(time.perf_counter() - began)
                    assert answer.status_code == 200, answer.text
                times[path] = median(taken)
                say(f"{path}: median {median(taken):.2f} s, slowest {max(taken):.2f} s, {len(answer.content)} bytes")
            say(f"largest function process: {_resident(stack)} MB resident")
            _explain(stack)
            assert times["/api/members/duplicates"] < MOST_SECONDS, "the duplicate report is too slow"


def _resident(stack: Stack) -> int:
    """The most that any of the processes that run functions ever held, in MB; forks without a name."""
    found = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if stack.directory is not None and (process / "cwd").resolve() == stack.directory.resolve():
                status = (process / "status").read_text()
                if "Name:\tpython" in status:
                    found = max(found, int(status.split("VmHWM:")[1].split()[0]) // 1024)
        except OSError:
            continue
    return found


def _explain(stack: Stack) -> None:
    with stack.database() as database:
        source = database.execute("select prosrc from pg_proc where proname = 'member_duplicates'").fetchone()
        assert source is not None
        query = source["prosrc"].split("return (", 1)[1].rsplit(");", 1)[0]
        database.execute("set work_mem = '64MB'")
        for row in database.execute(f"explain (analyze, buffers, costs off) {query}"):
            say(str(row["QUERY PLAN"]))


if __name__ == "__main__":
    main()
