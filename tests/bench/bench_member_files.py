"""What files of members cost: `make bench-files`. MEMBERS (100000) are exported, IMPORT_ROWS (20000) imported.

Each runs in a process of its own, as a function does, so that its peak is its own; its database, S3 and queue are the
local stack's. Fails when an export takes 25 s or a process 256 MB.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.table import machine, say, show
from tests.runtime.local import sample, variables
from tests.support.members import make_members, unheard_import
from tests.support.stack import ROOT, SignedIn, Stack, running_stack

MEMBERS = int(os.environ.get("MEMBERS") or 100_000)
IMPORT_ROWS = int(os.environ.get("IMPORT_ROWS") or 20_000)
RUNS = int(os.environ.get("RUNS") or 3)
MOST_SECONDS, MOST_MB = 25.0, 256
PROGRAM = """
import json, resource, sys, time
sys.path[:0] = sys.argv[1:3]
import app
event = json.load(sys.stdin)
began = time.perf_counter()
answer = app.lambda_handler(event, None)
seconds = time.perf_counter() - began
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"answer": answer, "seconds": seconds, "mb": most}))
"""


def invoked(stack: Stack, function: str, folder: str, event: dict[str, Any]) -> dict[str, Any]:
    """Run a function once in a new process: its answer, seconds without its start, and the process's peak in MB."""
    program = [sys.executable, "-c", PROGRAM, str(ROOT / folder / function), str(ROOT / "layers/shared")]
    environment = {"PATH": os.environ["PATH"], **variables(stack, function)}
    if queue := environment.get("MEMBER_IMPORTS_QUEUE_URL"):  # the next message is ours to deliver
        environment["MEMBER_IMPORTS_QUEUE_URL"] = queue.replace("ImportsQueue", "ImportsDeadLetterQueue")
    done = subprocess.run(
        program, input=json.dumps(event), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def exported(stack: Stack, admin: SignedIn) -> list[list[str]]:
    """The export of everybody as the function's own time, and over HTTP."""
    rows = []
    event = {**sample("member_export", caller=admin), "rawQueryString": "", "queryStringParameters": {}}
    for number in range(RUNS):
        told = invoked(stack, "member_export", "functions/api", event)
        link = json.loads(told["answer"]["body"])["data"]
        assert link["rows"] >= MEMBERS, link
        began = time.perf_counter()
        answer = admin.http.get("/api/members/export", timeout=40)
        over_http = time.perf_counter() - began
        assert answer.status_code == 200, answer.text
        assert max(told["seconds"], over_http) < MOST_SECONDS
        assert told["mb"] < MOST_MB
        figures = [f"{told['seconds']:.1f}", f"{over_http:.1f}", f"{told['mb']:.0f}", f"{link['bytes'] / 1e6:.1f}"]
        rows.append([f"export of {link['rows']}, run {number + 1}", *figures])
    return rows


def imported(stack: Stack, admin: SignedIn, emails: list[str], mode: str, office: str) -> list[str]:
    """An import, message by message, each in a new process; the queue's own consumer is not told of it."""
    content = "MemberEmail,OfficeName,MemberBio\r\n" + "".join(f"{email},{office},A new text\r\n" for email in emails)
    import_id, event = unheard_import(stack, admin, content, mode)
    seconds = most = longest = 0.0
    messages = 0
    while not (state := admin.get(f"/api/members/import/{import_id}").json()["data"])["finishedAt"]:
        told = invoked(stack, "member_imports", "functions/consumers", event)
        assert told["answer"] == {"batchItemFailures": []}, state
        seconds, most, messages = seconds + told["seconds"], max(most, told["mb"]), messages + 1
        longest = max(longest, told["seconds"])
    assert state["rows"]["updated"] == len(emails), state
    assert most < MOST_MB
    steps = f"{messages} messages, longest {longest:.1f}"
    return [f"import of {len(emails)}, {mode}", f"{seconds:.1f}", steps, f"{most:.0f}", f"{len(content) / 1e6:.1f}"]


def main() -> int:
    say(machine())
    with tempfile.TemporaryDirectory(prefix="coachline-bench-") as directory:
        Path(directory).chmod(0o755)
        with running_stack(Path(directory) / "stack", {"DEVSTACK_DEMO_DATA": "0"}) as stack:
            admin = stack.user("ADMIN")
            emails = make_members(stack, MEMBERS)[:IMPORT_ROWS]
            with stack.database() as database:
                database.execute("analyze")
            rows = exported(stack, admin)
            rows.append(imported(stack, admin, emails, "VALID_ROWS", "Valid"))
            rows.append(imported(stack, admin, emails, "ALL_OR_NOTHING", "Whole"))
    show(["what", "seconds", "over HTTP", "peak MB", "file MB"], rows)
    say(machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
