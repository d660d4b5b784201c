"""An import whose worker is killed after any of its steps, or whose message comes twice, ends as an unbroken one."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.runtime.local import variables
from tests.support.members import many_members, unheard_import
from tests.support.stack import ROOT, SignedIn, Stack

ROWS, BATCH = 60, 20
# Runs the consumer in children, of which the first of each plan kills itself as soon as it has its Nth answer.
PROGRAM = f"""
import json, os, signal, sys
sys.path[:0] = sys.argv[1:3]
import app
from coachline import database, files, secrets
from coachline.members import import_work

import_work.BATCH, import_work.BATCHES = {BATCH}, 2
secrets.load(), files._s3()  # once for all children
execute = database.Database._execute


def worked(event, kill_after):
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    answers = 0

    def counted(self, function, arguments):
        nonlocal answers
        answer = execute(self, function, arguments)
        answers += 1
        if answers == kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    database.Database._execute = counted
    os._exit(len(app.lambda_handler(event, None)["batchItemFailures"]))


for line in sys.stdin:
    event, kill_after, more = json.loads(line)
    print("ended", worked(event, kill_after), *[worked(event, 0) for _ in range(more)], flush=True)
"""


@contextlib.contextmanager
def consumer(stack: Stack) -> Iterator[Callable[[Any, int], list[int]]]:
    """Delivers an event six times, the first delivery killed after so many answers: how each ended."""
    folders = [str(ROOT / "functions/consumers/member_imports"), str(ROOT / "layers/shared")]
    environment = {"PATH": os.environ["PATH"], **variables(stack, "member_imports")}
    queue = environment["MEMBER_IMPORTS_QUEUE_URL"]  # of whose messages the stack's own consumer shall not hear
    environment["MEMBER_IMPORTS_QUEUE_URL"] = queue.replace("ImportsQueue", "ImportsDeadLetterQueue")
    command = [sys.executable, "-c", PROGRAM, *folders]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdin
        assert process.stdout
        said, heard = process.stdin, process.stdout

        def consume(event: Any, kill_after: int) -> list[int]:
            said.write(json.dumps([event, kill_after, 5]) + "\n")
            line = next(line for line in heard if line.startswith("ended "))
            return [int(code) for code in line.split()[1:]]

        yield consume
        said.close()
    assert process.returncode == 0


def queued(stack: Stack, admin: SignedIn, emails: list[str], mode: str, office: str) -> Any:
    """The message of an import that nobody else has heard of: every seventh row is bad in VALID_ROWS."""
    bad = 7 if mode == "VALID_ROWS" else ROWS + 1
    rows = [f"{email},{office * 256 if n % bad == bad - 1 else office}\r\n" for n, email in enumerate(emails)]
    return unheard_import(stack, admin, "MemberEmail,OfficeName\r\n" + "".join(rows), mode)[1]


def result(stack: Stack, admin: SignedIn, event: Any, office: str) -> dict[str, Any]:
    """What an import came to, in every respect that could differ."""
    import_id = json.loads(event["Records"][0]["body"])["importId"]
    told = admin.get(f"/api/members/import/{import_id}").json()["data"]
    found = admin.get(f"/api/members/import/{import_id}/findings", params={"limit": 100}).json()["data"]
    with stack.database() as database:
        [counted] = database.execute(
            """select (select count(*) from member_profile where company_name = %(office)s) as members,
                      (select count(*) from member_change where reason = %(reason)s) as changes,
                      (select count(*) from private.audit_log where reason = %(reason)s) as audited,
                      (select count(*) from private.outbox_event where payload ->> 'importId' = %(id)s) as events""",
            {"office": office, "reason": f"Import {import_id}", "id": import_id},
        ).fetchall()
    return {"status": told["status"], "rows": told["rows"], "findings": found, **counted}


@pytest.mark.parametrize("mode", ["ALL_OR_NOTHING", "VALID_ROWS"])
def test_a_kill_after_any_step_changes_nothing_of_the_result(stack: Stack, mode: str) -> None:
    admin, name = stack.user("ADMIN"), f"kills{mode.lower().replace('_', '')}"
    with many_members(stack, ROWS, name=name) as emails:
        # Killed after its 1st, 2nd, … answer of the database, until one is over before that.
        kills = range(1, 10)
        offices = [f"{name} {number}" for number in range(10)]  # which nobody else has
        events = [queued(stack, admin, emails, mode, office) for office in offices]
        endings, results = [], []
        with consumer(stack) as consume:
            for event, office, kill_after in zip(events, offices, [0, *kills], strict=True):
                endings.append(consume(event, kill_after))
                results.append(result(stack, admin, event, office))
    unbroken = results[0]
    bad = ROWS // 7 if mode == "VALID_ROWS" else 0
    assert unbroken["status"] == "COMPLETED"
    assert (
        unbroken["members"] == unbroken["changes"] == unbroken["audited"] == unbroken["rows"]["updated"] == ROWS - bad
    )
    assert (unbroken["events"], len(unbroken["findings"])) == (1, bad)
    assert results == [unbroken] * len(results)
    killed = [ending[0] == 9 for ending in endings]
    assert killed[1:6] == [True] * 5, endings  # the first message alone asks the database five times
    assert all(code == 0 for ending in endings for code in ending[1:]), endings
